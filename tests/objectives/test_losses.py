"""What holds for every loss: padding is nothing, means are means, flags are true."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.objectives import LOSSES, StepLoss, losses, predict
from tests.objectives.cases import (
    BATCH,
    CLASSES,
    GRADED,
    KINDS,
    ON_TRAINS,
    TIME,
    draw,
    first,
    loss_of,
    output_of,
    targets_of,
)

LENGTHS = torch.tensor([TIME, 3, 1, 5])


def padded(values: Tensor, fill: float) -> Tensor:
    beyond = torch.arange(len(values))[:, None] >= LENGTHS
    return values.masked_fill(beyond.view(*beyond.shape, *(1,) * (values.dim() - 2)), fill)


@pytest.mark.parametrize("fill", [0.0, 1e30, float("inf"), float("nan")])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_value(kind: str, fill: float) -> None:
    loss, output, targets = loss_of(kind), output_of(kind), targets_of(kind)
    expected = loss(output, targets, LENGTHS)
    dirty = targets if targets.dim() == 1 else padded(targets, fill)
    assert torch.equal(loss(padded(output, fill), dirty, LENGTHS), expected)
    assert torch.isfinite(expected)
    longer = torch.cat([padded(output, fill), torch.full_like(output, fill)])
    more = dirty if targets.dim() == 1 else torch.cat([dirty, torch.full_like(dirty, fill)])
    torch.testing.assert_close(loss(longer, more, LENGTHS), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("fill", [0.0, float("nan")])
@pytest.mark.parametrize("kind", GRADED)
def test_padding_has_no_gradient_and_changes_none(kind: str, fill: float) -> None:
    loss, output, targets = loss_of(kind), output_of(kind), targets_of(kind)
    error = loss.step_error(padded(output, fill), targets, LENGTHS)
    assert torch.equal(error, loss.step_error(output, targets, LENGTHS))
    assert torch.equal(error, padded(error, 0.0))
    assert error.abs().sum(dim=(0, 2)).count_nonzero() == BATCH


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_unequal_lengths_is_the_mean_of_its_samples(kind: str) -> None:
    loss, output, targets = loss_of(kind), output_of(kind), targets_of(kind)
    alone = torch.stack(
        [loss(output[:n, i : i + 1], first(targets, n, i)) for i, n in enumerate(LENGTHS.tolist())]
    )
    # where steps are averaged, a long sample weighs more
    weights = LENGTHS.double() if kind in ("every_step", "mean_squared_error") else torch.ones(4)
    expected = (alone * weights).sum() / weights.sum()
    torch.testing.assert_close(loss(output, targets, LENGTHS), expected.double())


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_without_a_valid_step_does_not_count(kind: str) -> None:
    loss, output, targets = loss_of(kind), output_of(kind), targets_of(kind)
    shorter = torch.tensor([4, 0, 4, 0])
    kept = targets[::2] if targets.dim() == 1 else targets[:, ::2]
    expected = loss(output[:, ::2], kept, torch.tensor([4, 4]))
    torch.testing.assert_close(loss(output, targets, shorter), expected)
    nothing = loss(output, targets, torch.zeros(BATCH, dtype=torch.long))
    assert nothing == 0
    if loss.differentiable:
        with torch.autograd.set_detect_anomaly(True):
            assert torch.isfinite(loss.step_error(output, targets, shorter)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_costs_nothing(kind: str) -> None:
    output, targets = output_of(kind)[:, :0], targets_of(kind)
    assert loss_of(kind)(output, targets[:0] if targets.dim() == 1 else targets[:, :0]) == 0


@pytest.mark.parametrize("kind", GRADED)
def test_gradients_equal_finite_differences(kind: str) -> None:
    loss, targets = loss_of(kind), targets_of(kind)
    output = draw(TIME, BATCH, CLASSES, seed=2)
    output = output.sigmoid() if kind == "first_spike_latency" else output
    assert torch.autograd.gradcheck(
        lambda y: loss(y, targets, LENGTHS), output.requires_grad_(), atol=1e-7
    )


@pytest.mark.parametrize("kind", GRADED)
def test_additive_means_that_an_error_depends_on_its_own_step_only(kind: str) -> None:
    loss, targets = loss_of(kind), targets_of(kind)
    output = draw(TIME, BATCH, CLASSES, seed=2).sigmoid()
    error = loss.step_error(output, targets, LENGTHS)
    changed = output.clone()
    changed[0] = torch.tensor([0.0, 1.0, 0.5])
    elsewhere = (loss.step_error(changed, targets, LENGTHS) - error)[1:]
    assert (elsewhere.abs().max() == 0) == loss.additive


@pytest.mark.parametrize("kind", [kind for kind in KINDS if LOSSES[kind].additive])
def test_an_online_rule_gets_the_error_of_a_step_from_that_step(kind: str) -> None:
    loss, output, targets = loss_of(kind), output_of(kind), targets_of(kind)
    assert isinstance(loss, StepLoss)
    wanted = loss.spread(targets, output, LENGTHS)
    weights = loss.weights(wanted, LENGTHS)
    errors = []
    for n in range(TIME):
        now = output[n].clone().requires_grad_()
        (weights[n] * loss.terms(now, wanted[n])).sum().backward()
        errors.append(now.grad)
    torch.testing.assert_close(torch.stack(errors), loss.step_error(output, targets, LENGTHS))


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_values(kind: str) -> None:
    loss = loss_of(kind)
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), loss_of(kind)):
        assert again == loss
        assert hash(again) == hash(loss)
    assert loss.kind == kind
    assert getattr(losses, kind).at(1e-3) == loss


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(kind: str, dtype: torch.dtype) -> None:
    targets = targets_of(kind)
    value = loss_of(kind)(output_of(kind).to(dtype), targets)
    assert value.dtype == dtype
    assert value.shape == ()


@pytest.mark.parametrize("kind", sorted(ON_TRAINS))
def test_spike_trains_are_taken_as_they_are(kind: str) -> None:
    loss, output, targets = loss_of(kind), output_of(kind).float(), targets_of(kind).float()
    train = SpikeTrain.from_dense(targets, lengths=LENGTHS)
    expected = loss(output, targets, LENGTHS)
    assert torch.equal(loss(output, train), expected)
    assert torch.equal(loss(SpikeTrain.from_dense(output, LENGTHS), train), expected)


LABELS = torch.tensor([0, 2, 1, 2])
MISTAKES = {
    "no time axis": (torch.zeros(4, 3), LABELS, None, ShapeError, r"expected \(time, batch"),
    "no step": (torch.zeros(0, 4, 3), LABELS, None, ShapeError, "one step or more"),
    "not a tensor": ([[[0.0]]], LABELS, None, ShapeError, "output of the network: got list"),
    "two feature axes": (torch.zeros(5, 4, 3, 2), LABELS, None, ShapeError, "classes"),
    "another batch": (torch.zeros(5, 3, 3), LABELS, None, ShapeError, r"targets.*\(3,\)"),
    "one-hot": (torch.zeros(5, 4, 3), torch.eye(4)[:, :3], None, ShapeError, "not a one-hot"),
    "a list of labels": (torch.zeros(5, 4, 3), [0, 2, 1, 2], None, ShapeError, "got list"),
    "class too large": (torch.zeros(5, 4, 2), LABELS, None, ArgumentError, "class 2, expected 0"),
    "class below -1": (torch.zeros(5, 4, 3), LABELS - 2, None, ArgumentError, "got class -2"),
    "lengths of three": (torch.zeros(5, 4, 3), LABELS, torch.ones(3), ShapeError, "lengths"),
    "length too long": (torch.zeros(5, 4, 3), LABELS, LABELS + 5, ShapeError, r"in \[0, 5\]"),
    "length negative": (torch.zeros(5, 4, 3), LABELS, LABELS - 1, ShapeError, "lengths: got -1"),
    "length fractional": (torch.zeros(5, 4, 3), LABELS, LABELS + 0.5, ShapeError, "got 0.5"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("kind", ["max_over_time", "every_step", "spike_count"])
def test_malformed_batches_are_refused(kind: str, mistake: str) -> None:
    output, targets, lengths, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        loss_of(kind)(output, targets, lengths)


@pytest.mark.parametrize("kind", ["mean_squared_error", "van_rossum", "victor_purpura"])
def test_targets_of_another_shape_are_refused(kind: str) -> None:
    with pytest.raises(ShapeError, match=r"expected \(5, 4, 3\), the shape of the output"):
        loss_of(kind)(torch.zeros(5, 4, 3), torch.zeros(5, 4, 1))
    with pytest.raises(ArgumentError, match="does not read classes"):
        predict(loss_of(kind), torch.zeros(5, 4, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.SpikeCount(scale=0.0), "scale of SpikeCount: got 0.0"),
        (lambda: losses.SpikeCountError(right=-1.0), "right of SpikeCountError"),
        (lambda: losses.SpikeCountError(right=2.0, wrong=3.0), "wrong of SpikeCountError: got 3.0"),
        (lambda: losses.SpikeRate(dt=-1.0), "dt of SpikeRate"),
        (lambda: losses.SpikeRate(wrong=-1.0), "wrong of SpikeRate"),
        (lambda: losses.FirstSpikeLatency(tau=float("nan")), "tau of FirstSpikeLatency: got nan"),
        (lambda: losses.FirstSpikeLatency(tau=True), "tau of FirstSpikeLatency: got True"),
        (lambda: losses.VanRossum(tau=float("inf")), "tau of VanRossum: got inf"),
        (lambda: losses.VanRossum(rise=0.02), "rise of VanRossum: got 0.02, expected less than"),
        (lambda: losses.VictorPurpura(cost=-1.0), "cost of VictorPurpura"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    "kind", ["spike_rate", "first_spike_latency", "van_rossum", "victor_purpura"]
)
def test_a_loss_in_seconds_wants_to_know_the_step(kind: str) -> None:
    open_loss = LOSSES[kind]()
    with pytest.raises(ArgumentError, match=r"dt of \w+: got nothing.*dt=1e-3"):
        open_loss(output_of(kind), targets_of(kind))
    assert open_loss.at(1e-3).at(2e-3) == open_loss.at(1e-3)
