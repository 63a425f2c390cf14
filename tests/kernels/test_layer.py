"""The kernels against the definition in float64: spikes, potentials and every gradient."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from surgrad import kernels
from surgrad.kernels.layer import memory, rows
from surgrad.neurons import CuBaLIF
from surgrad.spikes import Surrogate
from surgrad.surrogates import TABLE
from tests.kernels.cases import RESETS, check, make
from tests.kinds import BY_TABLEAU, READ_OUTS

pytestmark = pytest.mark.usefixtures("poisoned")

CASES = [
    *itertools.product(BY_TABLEAU, RESETS, [True], [False, True]),
    *itertools.product(BY_TABLEAU, RESETS[:2], [False], [False, True]),
]


@pytest.mark.parametrize(("name", "reset", "detach", "by_events"), CASES)
def test_every_neuron_and_reset(name, reset, detach, by_events):
    for recurrent, delay in ((False, 1), (True, 0), (True, 1)):
        spike = Surrogate(TABLE["fast_sigmoid"](3.0))
        neuron = make(name, 5, reset=reset, detach_reset=detach, recurrent=recurrent, delay=delay,
                      spike=spike)  # fmt: skip
        slow = check(neuron, 40, 3, 5, by_events=by_events)
        assert slow.output.mean() > 0.01


@pytest.mark.parametrize("name", READ_OUTS)
@pytest.mark.parametrize("by_events", [False, True])
@pytest.mark.parametrize("delay", [0, 1])
def test_read_outs(name, by_events, delay):
    check(make(name, 5, delay=delay), 63, 7, 5, by_events=by_events)


@pytest.mark.parametrize("row", list(TABLE))
@pytest.mark.parametrize("recurrent", [False, True])
def test_every_surrogate_derivative(row, recurrent):
    # steep enough that those of finite support are zero somewhere
    neuron = make("cuba_lif", 20, recurrent=recurrent, spike=Surrogate(TABLE[row](2.5, gain=0.7)))
    check(neuron, 30, 5, 20, by_events=True)


@pytest.mark.parametrize("steps", [1, 2, 63, 250])
@pytest.mark.parametrize(("samples", "size"), [(1, 1), (7, 5), (1, 500)])
@pytest.mark.parametrize("by_events", [False, True])
def test_odd_sizes(steps, samples, size, by_events):
    neuron = make("lif", size, spike=Surrogate(TABLE["triangle"](2.0)))
    check(neuron, steps, samples, size, by_events=by_events)


@pytest.mark.parametrize("row", ["fast_sigmoid", "triangle"])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("learned", [False, True])
def test_tiles_and_blocks_that_do_not_come_out_even(row, recurrent, learned, monkeypatch):
    # 100 neurons are a block of 64 and one of 48, six samples a group of four and one of two
    monkeypatch.setattr(memory, "TILE", 4 * 112 * 7)
    options: Any = {"recurrent": recurrent, "spike": Surrogate(TABLE[row](6.0))}
    neuron = make("cuba_lif", 100, **options) if learned else CuBaLIF(100, dt=1e-3, **options)
    lengths = torch.tensor([30, 0, 7, 8, 29, 30])
    check(neuron, 30, 6, 100, by_events=True, lengths=lengths)


@pytest.mark.parametrize("by_events", [False, True])
def test_layers_that_are_cut_into_pieces(by_events):
    neuron = make("cuba_lif", 1056, reset="zero", spike=Surrogate(TABLE["gaussian"](2.0)))
    check(neuron, 20, 2, 1056, by_events=by_events)


@pytest.mark.parametrize("by_events", [False, True])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("delay", [0, 1])
def test_padding_is_left_alone(by_events, recurrent, delay):
    neuron = make("cuba_lif", 5, recurrent=recurrent, delay=delay, refractory=2e-3,
                  spike=Surrogate(TABLE["arctan"](2.0)))  # fmt: skip
    lengths = torch.tensor([20, 0, 1, 7, 20, 19, 3])
    check(neuron, 20, 7, 5, by_events=by_events, lengths=lengths)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("reset", RESETS)
def test_refractory_neurons(recurrent, reset):
    neuron = make("lif", 5, recurrent=recurrent, refractory=3e-3, reset=reset,
                  spike=Surrogate(TABLE["straight_through"]()))  # fmt: skip
    check(neuron, 40, 3, 5, by_events=False)


def test_without_learned_constants_only_potentials_are_kept():
    neuron = CuBaLIF(32, dt=1e-3, spike=Surrogate(TABLE["fast_sigmoid"](3.0)))
    for begun, by_events in itertools.product((False, True), repeat=2):
        check(neuron, 30, 3, 32, by_events=by_events, begun=begun)


@pytest.mark.parametrize("batch", [0, 7])
def test_empty_batches(batch):
    neuron = make("cuba_lif", 5)
    output, state = neuron(torch.rand(0 if batch else 4, batch, 5))
    assert output.shape == (0 if batch else 4, batch, 5)
    assert state.x.shape == (2, batch, 5)


def test_currents_need_not_lie_side_by_side():
    neuron = make("cuba_lif", 16)
    wide = torch.rand(16, 6, 2, 40).permute(3, 1, 0, 2)[::2, :, :, 0]
    with kernels.reference():
        expected = neuron.run(wide.contiguous())
    found = neuron.run(wide)
    torch.testing.assert_close(found.v, expected.v)
    torch.testing.assert_close(found.output, expected.output)


@pytest.mark.parametrize("size", [5, 32])
def test_a_gradient_that_is_the_same_everywhere_needs_no_memory(size):
    neuron = CuBaLIF(size, dt=1e-3)
    current = torch.rand(20, 3, size).requires_grad_()
    out, _ = neuron(current)
    assert out.sum() > 0
    (constant,) = torch.autograd.grad(out.sum(), current, retain_graph=True)
    (full,) = torch.autograd.grad((out * torch.ones_like(out)).sum(), current)
    assert full.abs().max() > 0
    assert torch.equal(constant, full)
    assert not memory.dense(torch.ones(16).expand(20, 3, 16)).is_contiguous()
    # the same in one step of one sample only, or along one of the axes
    assert memory.strided(torch.ones(1).expand(1, 1, 16))[1:] == (0, 0)
    assert memory.dense(torch.rand(3, 16).expand(20, 3, 16)).is_contiguous()


def test_large_gradients_go_past_the_cache():
    steps, size = 3, 1024
    samples = rows.LARGE // (steps * size) + 1
    neuron = CuBaLIF(size, dt=1e-3)
    current = torch.rand(steps, 1, size).mul(2).expand(-1, samples, -1).requires_grad_()
    (grad,) = torch.autograd.grad(neuron(current)[0].sum(), current)
    assert grad.abs().max() > 0
    assert torch.equal(grad, grad[:, :1].expand_as(grad))
    few = current[:, :2].detach().requires_grad_()
    (expected,) = torch.autograd.grad(neuron(few)[0].sum(), few)
    assert torch.equal(grad[:, :2], expected)
