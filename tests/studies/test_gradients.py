"""Angles of known vectors, and gradients that leave no trace."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from surgrad.learning import BPTT, Score
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF
from surgrad.objectives import losses
from surgrad.objectives.objective import as_objective
from surgrad.spikes import SigmoidEscape, Stochastic
from surgrad.studies.gradients import angles, gradients, most_memory


def net(spike=None):
    torch.manual_seed(0)
    layers = [nn.Linear(3, 6), LIF(6), nn.Dropout(0.5), nn.Linear(6, 2), LI(2)]
    return Sequential(*layers, dt=1e-3, spike=spike, input_rate=300.0)


BATCH = torch.ones(12, 4, 3), torch.tensor([0, 1, 0, 1])
LOSS = as_objective(losses.mean_over_time, 1e-3)


def test_angles_of_each_layer_and_of_all():
    one = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([0.0, 3.0])}
    other = {"a": torch.tensor([0.0, 2.0]), "b": torch.tensor([0.0, -1.0])}
    found = angles(one, other)
    assert (found["a"].cosine, found["a"].ratio) == (0.0, 0.5)
    assert (found["b"].cosine, found["b"].ratio) == (-1.0, 3.0)
    assert found["network"].cosine == pytest.approx(-3 / math.sqrt(10 * 5))
    assert found["network"].ratio == pytest.approx(math.sqrt(2))


def test_what_has_no_gradient_has_no_angle():
    found = angles({"a": torch.zeros(2)}, {"a": torch.ones(2)})
    assert math.isnan(found["a"].cosine) and found["a"].ratio == 0.0


def test_it_is_the_gradient_without_dropout_and_leaves_the_network_alone():
    model = net()
    model.train()
    held = [torch.full_like(p, 7.0) for p in model.parameters()]
    for parameter, grad in zip(model.parameters(), held, strict=True):
        parameter.grad = grad
    found = gradients(BPTT(), model, BATCH, LOSS)
    assert model.training
    assert all(p.grad is grad for p, grad in zip(model.parameters(), held, strict=True))
    model.eval().zero_grad()
    BPTT().gradients(model, BATCH, LOSS)
    mine = torch.cat([p.grad.double().flatten() for p in model[0].parameters()])
    assert torch.equal(found["hidden 1"], mine) and mine.any()


@pytest.mark.parametrize("generator", [torch.default_generator, torch.Generator()])
def test_it_leaves_chance_alone(generator):
    model = net(Stochastic(SigmoidEscape(5), generator))
    generator.manual_seed(3)
    expected = torch.rand(4, generator=generator)
    generator.manual_seed(3)
    one = gradients(Score(), model, BATCH, LOSS)
    two = gradients(Score(), model, BATCH, LOSS)
    assert torch.equal(one["hidden 1"], two["hidden 1"]) and one["hidden 1"].any()
    assert torch.equal(torch.rand(4, generator=generator), expected)


def test_memory_is_that_of_what_is_held_at_once():
    size = 2**24
    found = most_memory(lambda: torch.ones(size, dtype=torch.uint8))
    if found is None:
        pytest.skip("only Linux counts")
    assert 0.8 * size < found < 3 * size
