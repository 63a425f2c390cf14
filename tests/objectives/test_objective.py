"""Objectives: a loss and penalties, from whatever a user gives."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, ShapeError
from surgrad.objectives import Objective, RateBound, SpikeCost, as_objective, losses, predict
from tests.objectives.cases import draw

OUTPUT, TARGETS = draw(6, 2, 3), torch.tensor([0, 2])
COUNTS = [torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0], [6.0]])]
STEPS = torch.tensor([10, 20])


def test_data_is_the_loss() -> None:
    objective = Objective(losses.max_over_time)
    lengths = torch.tensor([6, 2])
    expected = losses.max_over_time(OUTPUT, TARGETS, lengths)
    assert torch.equal(objective.data(OUTPUT, TARGETS, lengths), expected)
    assert not torch.equal(objective.data(OUTPUT, TARGETS), expected)


def test_penalties_add_over_layers_and_kinds() -> None:
    bound, cost = RateBound(upper=1.0), SpikeCost(linear=1.0, square=0.5)
    objective = Objective(losses.max_over_time, [bound, cost])
    expected = sum(float(p(c, STEPS, 1e-3)) for p in (bound, cost) for c in COUNTS)
    assert float(objective.penalty(COUNTS, STEPS, dt=1e-3)) == pytest.approx(expected)


@pytest.mark.parametrize(("penalties", "counts"), [((), COUNTS), ((SpikeCost(),), [])])
def test_no_penalty_is_a_zero_that_adds_to_a_loss(penalties, counts) -> None:
    nothing = Objective(losses.max_over_time, penalties).penalty(counts, STEPS, dt=1e-3)
    loss = losses.max_over_time(OUTPUT.clone().requires_grad_(), TARGETS)
    (loss + nothing).backward()
    assert nothing == 0


def test_counts_of_another_batch_are_refused() -> None:
    objective = Objective(losses.max_over_time, [SpikeCost()])
    with pytest.raises(ShapeError, match=r"spike counts: got shape \(3, 2\), expected \(2,"):
        objective.penalty([torch.zeros(3, 2)], STEPS, dt=1e-3)


def test_objectives_are_values() -> None:
    objective = Objective(losses.VanRossum(tau=5e-3), [SpikeCost()])
    assert pickle.loads(pickle.dumps(objective)) == objective
    assert as_objective(objective) is objective
    assert objective.at(1e-3).loss == losses.VanRossum(tau=5e-3, dt=1e-3)
    assert as_objective(losses.spike_rate, dt=2e-3).loss == losses.SpikeRate(dt=2e-3)
    assert as_objective(objective, dt=1e-3).penalties == objective.penalties


def test_functions_of_output_and_targets_are_losses() -> None:
    targets = draw(6, 2, 3, seed=1)
    expected = ((OUTPUT - targets) ** 2).mean()
    for function in (nn.functional.mse_loss, nn.MSELoss(), lambda y, t: ((y - t) ** 2).mean()):
        torch.testing.assert_close(as_objective(function).data(OUTPUT, targets), expected)
        error = as_objective(function).loss.step_error(OUTPUT, targets)
        torch.testing.assert_close(error, 2 * (OUTPUT - targets) / OUTPUT.numel())
        with pytest.raises(ArgumentError, match="a parameter `lengths`, or padding would count"):
            as_objective(function).data(OUTPUT, targets, torch.tensor([6, 2]))


def test_functions_and_modules_may_take_lengths() -> None:
    def valid(output, targets, lengths=None):
        return output.sum() * 0 + (0 if lengths is None else lengths.sum())

    class Valid(nn.Module):
        def forward(self, output, targets, lengths):
            return valid(output, targets, lengths)

    for loss in (valid, Valid()):
        objective = as_objective(loss)
        assert objective.data(OUTPUT, TARGETS, torch.tensor([6, 2])) == 8
        assert objective.data(OUTPUT, TARGETS) == 0
        with pytest.raises(ArgumentError, match="prediction"):
            predict(loss, OUTPUT)


@pytest.mark.parametrize("mistake", [losses.MaxOverTime, "max_over_time", None])
def test_what_is_no_loss_is_refused(mistake) -> None:
    with pytest.raises(ArgumentError, match=r"loss: got .*surgrad\.losses"):
        as_objective(mistake)
    with pytest.raises(ArgumentError, match="loss: got"):
        Objective(mistake)


def test_an_objective_predicts_as_its_loss() -> None:
    objective = Objective(losses.last_step, [SpikeCost()])
    assert torch.equal(predict(objective, OUTPUT), OUTPUT[-1].argmax(-1))
