"""Losses on spikes: counts, rates, and the time of the first spike."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from surgrad.errors import ArgumentError, ShapeError
from surgrad.objectives import losses, predict
from surgrad.objectives.counts import FirstSpikeLatency, SpikeCountError, SpikeRate
from surgrad.spikes import Surrogate

DT = 2e-3


def spikes_at(*steps: tuple[int, ...], time: int = 8) -> Tensor:
    """One sample, a unit for each tuple of spike steps."""
    dense = torch.zeros(time, 1, len(steps), dtype=torch.float64)
    for unit, own in enumerate(steps):
        dense[list(own), 0, unit] = 1
    return dense


TWO = torch.cat([spikes_at((0, 1, 2), (5,), ()), spikes_at((), (3, 4), (7,))], dim=1)


def test_count_error_by_hand() -> None:
    loss = SpikeCountError(right=4, wrong=1)
    # counts (3, 1, 0) and (0, 2, 1), wanted (4, 1, 1) and (1, 1, 4)
    expected = (1 + 0 + 1 + 1 + 1 + 9) / 6
    assert loss(TWO, torch.tensor([0, 2])).item() == pytest.approx(expected)
    assert loss(TWO, torch.tensor([0, -1])).item() == pytest.approx(2 / 3)
    wanted = torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 4.0]])
    assert loss(TWO, wanted).item() == pytest.approx((1 + 9) / 6)
    # only the first 5 and 4 steps count: (3, 0, 0) and (0, 1, 0)
    short = loss(TWO, torch.tensor([0, 2]), torch.tensor([5, 4]))
    assert short.item() == pytest.approx((1 + 1 + 1 + 1 + 0 + 16) / 6)


def test_rate_error_by_hand() -> None:
    loss = SpikeRate(dt=DT, right=250.0, wrong=50.0)
    # 8 steps of 2 ms: 62.5 Hz a spike
    rates = [[187.5, 62.5, 0.0], [0.0, 125.0, 62.5]]
    wanted = [[250, 50, 50], [50, 50, 250]]
    pairs = [
        (r, w)
        for row, goal in zip(rates, wanted, strict=True)
        for r, w in zip(row, goal, strict=True)
    ]
    expected = sum(((r - w) / 250) ** 2 for r, w in pairs) / 6
    assert loss(TWO, torch.tensor([0, 2])).item() == pytest.approx(expected)
    assert loss(TWO, torch.tensor(rates)).item() == pytest.approx(0)
    # in the first 4 steps of 2 ms each spike is 125 Hz
    short = loss(TWO[:, :1], torch.tensor([[375.0, 0.0, 0.0]]), torch.tensor([4]))
    assert short.item() == pytest.approx(0)


@pytest.mark.parametrize("loss", [losses.spike_count, losses.spike_count_error, losses.spike_rate])
def test_the_class_of_most_spikes_is_predicted(loss) -> None:
    assert predict(loss, TWO).tolist() == [0, 1]
    assert predict(loss, TWO, torch.tensor([8, 2])).tolist() == [0, 0]


def test_levels_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"labels \(2,\) or levels \(2, 3\)"):
        losses.spike_count_error(TWO, torch.zeros(2, 4))


LATENCY = FirstSpikeLatency(tau=3e-3, dt=DT)


def test_first_spike_times_are_those_of_the_first_spikes() -> None:
    times = LATENCY.times(TWO)
    assert torch.equal(times, torch.tensor([[0, 5, 8], [8, 3, 7]]).double() * DT)
    short = LATENCY.times(TWO, torch.tensor([5, 2]))
    assert torch.equal(short, torch.tensor([[0, 5, 5], [2, 2, 2]]).double() * DT)


def test_first_spike_cross_entropy_by_hand() -> None:
    weights = [[math.exp(-t * DT / 3e-3) for t in row] for row in ((0, 5, 8), (8, 3, 7))]
    expected = -(
        math.log(weights[0][1] / sum(weights[0])) + math.log(weights[1][1] / sum(weights[1]))
    )
    value = LATENCY(TWO, torch.tensor([1, 1]))
    assert value.item() == pytest.approx(expected / 2, rel=1e-12)
    assert predict(LATENCY, TWO).tolist() == [0, 1]


@pytest.mark.parametrize(
    "steps", [(), (0,), (3,), (7,), (2, 5), (0, 1), (2, 3, 6), tuple(range(8))]
)
def test_first_spike_gradient_is_what_a_spike_put_or_taken_changes(steps: tuple[int, ...]) -> None:
    spikes = spikes_at(steps).requires_grad_()
    LATENCY.times(spikes).sum().backward()
    assert spikes.grad is not None
    expected = []
    for n in range(8):
        with_it, without = spikes.detach().clone(), spikes.detach().clone()
        with_it[n], without[n] = 1, 0
        expected.append(float(LATENCY.times(with_it) - LATENCY.times(without)))
    assert spikes.grad.flatten().tolist() == pytest.approx(expected, abs=1e-15)


def test_a_silent_network_is_pulled_towards_spikes_of_the_right_class() -> None:
    potential = torch.full((8, 1, 3), -0.1, requires_grad=True)
    LATENCY(Surrogate()(potential), torch.tensor([1])).backward()
    assert potential.grad is not None
    assert (potential.grad[:, 0, 1] < 0).all()
    assert (potential.grad[:, 0, [0, 2]] > 0).all()


@pytest.mark.parametrize("value", [-0.5, 2.0])
def test_first_spikes_of_potentials_are_refused(value: float) -> None:
    output = torch.zeros(8, 1, 3)
    output[4, 0, 2] = value
    with pytest.raises(ArgumentError, match="end the network in a neuron that spikes"):
        LATENCY(output, torch.tensor([1]))
