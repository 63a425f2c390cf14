"""Losses on spike times, and the penalties that keep neurons firing."""

from __future__ import annotations

import math

import pytest
import torch

from surgrad.errors import ArgumentError, ShapeError
from surgrad.objectives import LOSSES, Objective, RateBound, Wake, WeightSum
from surgrad.objectives.times import ExponentialSpikeTime, FirstSpikeTime, SpikeTimeError

KINDS = [kind for kind, loss in LOSSES.items() if loss.of_times]
TIMES = torch.tensor(
    [[[4e-3, 7e-3, 9e-3], [8e-3, 3e-3, 5e-3], [6e-3, 2e-3, 9e-3]]], dtype=torch.float64
)
LABELS = torch.tensor([0, 2, 1])


def test_there_are_three() -> None:
    assert KINDS == ["first_spike_time", "exponential_spike_time", "spike_time_error"]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_finite_differences(kind: str) -> None:
    loss = FirstSpikeTime(early=0.3) if kind == "first_spike_time" else LOSSES[kind]()

    def of_milliseconds(times: torch.Tensor) -> torch.Tensor:
        return loss(times / 1e3, LABELS)

    assert torch.autograd.gradcheck(of_milliseconds, (TIMES * 1e3).requires_grad_())


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_spike_is_the_answer(kind: str) -> None:
    loss = LOSSES[kind]()
    assert loss.predict(TIMES).tolist() == [0, 1, 1]
    # silent units lose against all others; the lengths of the input say nothing about times
    silent = TIMES.clone()
    silent[0, 0, 0] = torch.inf
    assert loss.predict(silent, torch.tensor([50, 60, 3])).tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_silence_is_finite_and_has_no_gradient(kind: str) -> None:
    loss, times = LOSSES[kind](), TIMES.clone()
    times[0, 0, 0] = times[0, 1] = torch.inf
    times.requires_grad_()
    value = loss(times, LABELS)
    value.backward()
    grad = torch.as_tensor(times.grad)
    assert torch.isfinite(value) and torch.isfinite(grad).all()
    assert not grad[~torch.isfinite(times)].any() and grad[0, 0, 1] != 0


@pytest.mark.parametrize("kind", KINDS)
def test_samples_without_a_label_do_not_count(kind: str) -> None:
    loss = LOSSES[kind]()
    some = loss(TIMES, torch.tensor([0, -1, 1]))
    torch.testing.assert_close(some, loss(TIMES[:, [0, 2]], LABELS[[0, 2]]))
    assert loss(TIMES, torch.full((3,), -1)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_bad_output_is_refused(kind: str) -> None:
    loss = LOSSES[kind]()
    with pytest.raises(ShapeError, match="spike times"):
        loss(torch.zeros(5, 3, 3), LABELS)
    with pytest.raises(ArgumentError, match="not a number"):
        loss(torch.full((1, 3, 3), torch.nan), LABELS)
    with pytest.raises(ArgumentError, match="class 3"):
        loss(TIMES, torch.tensor([0, 3, 1]))
    with pytest.raises(ArgumentError, match="silent"):
        LOSSES[kind](**{"silent": -1.0})


def test_the_early_term() -> None:
    plain, pulled = FirstSpikeTime(), FirstSpikeTime(early=0.1, tau_early=5e-3)
    right = torch.tensor([4e-3, 5e-3, 2e-3])
    expected = 0.1 * (right / 5e-3).expm1().mean()
    assert pulled(TIMES, LABELS) - plain(TIMES, LABELS) == pytest.approx(float(expected))
    assert torch.isfinite(FirstSpikeTime(early=1.0)(TIMES * 1e6, LABELS))
    with pytest.raises(ArgumentError, match="early"):
        FirstSpikeTime(early=-1.0)


def test_mostafa_s_cross_entropy() -> None:
    z = (TIMES[0] / 10e-3).exp()
    expected = torch.nn.functional.cross_entropy(-z, LABELS)
    torch.testing.assert_close(ExponentialSpikeTime(tau=10e-3)(TIMES, LABELS), expected)


def test_wanted_times() -> None:
    loss = SpikeTimeError(right=4e-3, wrong=8e-3, tau=1e-3)
    wanted = torch.full((3, 3), 8e-3, dtype=torch.float64)
    wanted[range(3), LABELS] = 4e-3
    assert loss(TIMES, LABELS) == pytest.approx(float(loss(TIMES, wanted)))
    assert loss(TIMES[:, :1], LABELS[:1]) == pytest.approx((0 + 1 + 1) / 2)
    with pytest.raises(ShapeError, match="seconds"):
        loss(TIMES, wanted[:2])


def test_a_neuron_that_cannot_spike_pays_for_its_weights() -> None:
    weight = torch.tensor([[0.5, 0.2], [0.8, 0.7]], requires_grad=True)
    cost = WeightSum(strength=10.0).of(weight, torch.ones(4, 2))
    assert cost.item() == pytest.approx(3.0)
    cost.backward()
    assert torch.as_tensor(weight.grad).tolist() == [[-10.0, -10.0], [0.0, 0.0]]


def test_a_neuron_that_sleeps_is_pushed() -> None:
    weight = torch.ones(3, 2, 2, requires_grad=True)
    counts = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    Wake(strength=2.0, share=0.75).of(weight, counts).backward()
    assert torch.as_tensor(weight.grad)[:, 0, 0].tolist() == pytest.approx([0.0, -0.5, -1.5])


def test_penalties_on_weights_need_weights() -> None:
    objective = Objective(FirstSpikeTime(), [WeightSum(), RateBound(upper=1, unit="spikes")])
    counts, steps = [torch.full((2, 3), 3.0)], torch.tensor([10, 10])
    with pytest.raises(ArgumentError, match="weight_sum"):
        objective.penalty(counts, steps, 1e-3)
    total = objective.penalty(counts, steps, 1e-3, [torch.zeros(3, 4)])
    assert total.item() == pytest.approx(3.0 + 4.0)
    assert math.isfinite(total.item())
