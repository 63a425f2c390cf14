"""Read-out losses against sums written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from surgrad.objectives import losses, predict
from tests.objectives.cases import draw

TIME, BATCH, CLASSES = 6, 5, 4
OUTPUT = draw(TIME, BATCH, CLASSES, seed=3)
TARGETS = torch.tensor([0, 3, -1, 2, 1])
LENGTHS = torch.tensor([6, 4, 5, 1, 3])


def cross_entropy(scores: list[float], label: int) -> float:
    return math.log(sum(math.exp(score - scores[label]) for score in scores))


def reduce_by(reading: str, sample: int) -> list[float]:
    valid = OUTPUT[: int(LENGTHS[sample]), sample]
    columns = valid.T.tolist()
    if reading == "max_over_time":
        return [max(column) for column in columns]
    if reading == "last_step":
        return [column[-1] for column in columns]
    return [sum(c) / (len(c) if reading == "mean_over_time" else 1) for c in columns]


@pytest.mark.parametrize("kind", ["max_over_time", "sum_over_time", "mean_over_time", "last_step"])
def test_one_score_a_class_and_sample(kind: str) -> None:
    loss = getattr(losses, kind)
    terms = [
        cross_entropy(reduce_by(kind, i), int(label))
        for i, label in enumerate(TARGETS)
        if label >= 0
    ]
    assert loss(OUTPUT, TARGETS, LENGTHS).item() == pytest.approx(sum(terms) / 4, rel=1e-12)
    chosen = [max(range(CLASSES), key=reduce_by(kind, i).__getitem__) for i in range(BATCH)]
    assert predict(loss, OUTPUT, LENGTHS).tolist() == chosen


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_gradient_of_a_maximum_goes_to_its_first_step(dtype: torch.dtype) -> None:
    output = torch.zeros(600, 2, 2, dtype=dtype)
    output[[301, 302], 0, 1] = 1.0
    output[599, 1, 0] = 2.0
    output.requires_grad_()
    losses.max_over_time(output, torch.tensor([0, 0])).backward()
    places = output.grad.nonzero().tolist() if output.grad is not None else []
    # the second sample's other class is zero throughout, and the first sample's too
    assert places == [[0, 0, 0], [0, 1, 1], [301, 0, 1], [599, 1, 0]]


def test_a_maximum_that_is_not_a_number_is_said() -> None:
    output = OUTPUT.clone()
    output[2, 0, 1] = math.nan
    assert losses.max_over_time(output, TARGETS, LENGTHS).isnan()


def test_spike_count_is_the_scaled_sum() -> None:
    spikes = (OUTPUT > 0).double()
    for scale in (1.0, 0.3):
        expected = losses.sum_over_time(spikes * scale, TARGETS, LENGTHS)
        value = losses.SpikeCount(scale)(spikes, TARGETS, LENGTHS)
        torch.testing.assert_close(value, expected)
    assert torch.equal(
        losses.spike_count.predict(spikes, LENGTHS), losses.sum_over_time.predict(spikes, LENGTHS)
    )


def every_step(targets: Tensor) -> float:
    terms = [
        cross_entropy(OUTPUT[n, b].tolist(), int(targets[n, b]))
        for b in range(BATCH)
        for n in range(int(LENGTHS[b]))
        if targets[n, b] >= 0
    ]
    return sum(terms) / len(terms)


def test_every_step_with_labels_in_some_steps() -> None:
    generator = torch.Generator().manual_seed(4)
    targets = torch.randint(-1, CLASSES, (TIME, BATCH), generator=generator)
    value = losses.every_step(OUTPUT, targets, LENGTHS)
    assert value.item() == pytest.approx(every_step(targets), rel=1e-12)
    error = losses.every_step.step_error(OUTPUT, targets, LENGTHS)
    assert (error[targets < 0] == 0).all()


def test_every_step_with_one_label_a_sample() -> None:
    value = losses.every_step(OUTPUT, TARGETS, LENGTHS)
    assert value.item() == pytest.approx(every_step(TARGETS.expand(TIME, BATCH)), rel=1e-12)


def test_every_step_predicts_in_each_step_and_nothing_in_the_padding() -> None:
    expected = OUTPUT.argmax(2)
    for sample, length in enumerate(LENGTHS.tolist()):
        expected[length:, sample] = -1
    assert torch.equal(predict(losses.every_step, OUTPUT, LENGTHS), expected)
    labels = torch.zeros(TIME, BATCH, dtype=torch.long)
    assert torch.equal(predict(losses.every_step, OUTPUT, LENGTHS, labels), expected)


def test_every_step_predicts_one_class_where_there_is_one_label() -> None:
    voted = predict(losses.every_step, OUTPUT, LENGTHS, TARGETS)
    assert torch.equal(voted, predict(losses.mean_over_time, OUTPUT, LENGTHS))


def test_every_step_without_any_label_costs_nothing() -> None:
    nothing = torch.full((TIME, BATCH), -1)
    assert losses.every_step(OUTPUT, nothing) == 0
    assert (losses.every_step.step_error(OUTPUT, nothing) == 0).all()


def test_the_maximum_has_its_gradient_in_one_step() -> None:
    output = torch.zeros(3, 1, 2)
    output[1, 0, 1] = 1.0
    error = losses.max_over_time.step_error(output, torch.tensor([0]))
    right = math.e / (1 + math.e)
    expected = torch.tensor([[-right, 0], [0, right], [0, 0]])
    torch.testing.assert_close(error[:, 0], expected)


def test_mean_squared_error() -> None:
    targets = draw(TIME, BATCH, 2, 3, seed=5)
    output = draw(TIME, BATCH, 2, 3, seed=6)
    parts = [
        (output[:n, i] - targets[:n, i]).flatten().tolist() for i, n in enumerate(LENGTHS.tolist())
    ]
    squares = [x * x for part in parts for x in part]
    value = losses.mean_squared_error(output, targets, LENGTHS)
    assert value.item() == pytest.approx(sum(squares) / len(squares), rel=1e-12)
