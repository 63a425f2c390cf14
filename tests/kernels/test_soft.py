"""Smooth spikes on the kernels: the definition in float64, and differences that need no rule."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.kernels.layer import memory
from surgrad.network import Record, Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.smoothing.anneal import Annealed, sharpen
from surgrad.spikes import Soft
from surgrad.surrogates import TABLE
from tests.kernels.cases import RESETS, check, make
from tests.kinds import BY_TABLEAU

pytestmark = pytest.mark.usefixtures("poisoned")

SOFT = Soft(TABLE["fast_sigmoid"](3.0))


@pytest.mark.parametrize("name", BY_TABLEAU)
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("detach", [False, True])
def test_every_neuron_and_reset(name, reset, detach):
    for recurrent, delay in ((False, 1), (True, 0), (True, 1)):
        neuron = make(name, 5, reset=reset, detach_reset=detach, recurrent=recurrent, delay=delay,
                      spike=SOFT)  # fmt: skip
        slow = check(neuron, 40, 3, 5, by_events=delay == 1)
        assert 0.01 < slow.output.mean() < 0.99


@pytest.mark.parametrize("row", list(TABLE))
@pytest.mark.parametrize("recurrent", [False, True])
def test_every_primitive(row, recurrent):
    spike = Soft(TABLE[row](2.5, gain=0.7))
    neuron = make("lif", 20, recurrent=recurrent, tau_mem=2e-3, spike=spike)
    slow = check(neuron, 30, 5, 20, by_events=True)
    values = slow.output.flatten()
    assert values.max() - values.min() > 0.1


@pytest.mark.parametrize("steps", [1, 2, 63, 250])
@pytest.mark.parametrize(("samples", "size"), [(1, 1), (7, 5), (1, 500)])
@pytest.mark.parametrize("by_events", [False, True])
def test_odd_sizes(steps, samples, size, by_events):
    neuron = make("lif", size, spike=Soft(TABLE["triangle"](2.0)))
    check(neuron, steps, samples, size, by_events=by_events)


@pytest.mark.parametrize("row", ["sigmoid", "triangle"])
def test_tiles_blocks_and_lengths_that_do_not_come_out_even(row, monkeypatch):
    monkeypatch.setattr(memory, "TILE", 4 * 112 * 7)
    neuron = make("cuba_lif", 100, recurrent=True, spike=Soft(TABLE[row](2.0)))
    lengths = torch.tensor([30, 0, 7, 8, 29, 30])
    check(neuron, 30, 6, 100, by_events=True, lengths=lengths)


@pytest.mark.parametrize("begun", [False, True])
def test_without_learned_constants(begun):
    for recurrent in (False, True):
        neuron = CuBaLIF(32, dt=1e-3, recurrent=recurrent, spike=SOFT)
        check(neuron, 30, 3, 32, by_events=not begun, begun=begun)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("recurrent", [False, True])
def test_refractory_neurons(reset, recurrent):
    neuron = make("lif", 5, recurrent=recurrent, refractory=3e-3, reset=reset,
                  spike=Soft(TABLE["sigmoid"](5.0)))  # fmt: skip
    slow = check(neuron, 40, 3, 5, by_events=False)
    assert (slow.output > 0.5).any()


def test_layers_that_are_cut_into_pieces():
    neuron = make("cuba_lif", 1056, reset="zero", spike=Soft(TABLE["gaussian"](2.0)))
    check(neuron, 20, 2, 1056, by_events=False)


def test_primitives_far_from_the_threshold():
    v = torch.cat([torch.linspace(-60, 60, 2001), torch.tensor([-1e6, 1e6])])
    for row, scale in itertools.product(TABLE.values(), (0.3, 2.0, 100.0)):
        neuron = CuBaLIF(dt=1e-3, delay=0, reset="none", spike=Soft(row(scale)))
        found, _ = neuron((v + 1.0).view(1, 1, -1))
        true = Soft(row(scale))((v + 1.0).double() - 1.0)
        torch.testing.assert_close(found[0, 0].double(), true, rtol=2e-6, atol=4e-7)


def network() -> Sequential:
    torch.manual_seed(3)
    return Sequential(
        nn.Linear(30, 40), CuBaLIF(40, recurrent=True, detach_reset=False),
        nn.Linear(40, 24), CuBaLIF(24, detach_reset=False),
        nn.Linear(24, 5), LI(5), dt=1e-3, spike=SOFT, input_rate=50.0,
    )  # fmt: skip


def test_networks_run_on_the_kernels_and_their_gradient_is_that_of_the_definition(monkeypatch):
    seen: list[bool] = []
    run: Any = engine._run
    monkeypatch.setattr(engine, "_run", lambda *a: seen.append(a[3].current is None) or run(*a))
    generator = torch.Generator().manual_seed(0)
    train = SpikeTrain.from_dense((torch.rand(40, 6, 30, generator=generator) < 0.05).float())
    probe = torch.randn(40, 6, 5, generator=generator)
    net, found = network(), []
    for dtype in (torch.float32, torch.float64):
        net = net.to(dtype)
        record = Record("s", "counts")
        inputs = train if dtype == torch.float32 else train.to_dense(dtype)
        out, _ = net(inputs, record=record)
        value = (out * probe).sum() + sum(layer["counts"].square().sum() for layer in record.layers)
        grads = torch.autograd.grad(value, list(net.parameters()))
        found.append([out, record[0]["s"], record[1]["s"], *grads])
    # events drive the first layer; behind it, and in float64, nothing is one
    assert seen == [True, False, False]
    for mine, true in zip(*found, strict=True):
        assert true.abs().max() > 0
        assert (mine.double() - true).abs().max() < 2e-4 * true.abs().max()


def test_the_gradient_is_a_difference_of_the_kernels_own_output():
    net, generator = network(), torch.Generator().manual_seed(1)
    inputs = torch.rand(30, 4, 30, generator=generator) * 0.2
    probe = torch.randn(30, 4, 5, generator=generator)
    weights = list(net.parameters())
    grads = torch.autograd.grad((net(inputs)[0] * probe).sum(), weights)
    directions = [
        torch.randn(w.shape, generator=generator) * w.detach().abs().mean() for w in weights
    ]
    slope = sum((g * d).sum() for g, d in zip(grads, directions, strict=True))
    values, step = [], 3e-3
    with torch.no_grad():
        for sign in (1, -1):
            for w, d in zip(weights, directions, strict=True):
                w += sign * step * d
            values.append((net(inputs)[0] * probe).double().sum())
            for w, d in zip(weights, directions, strict=True):
                w -= sign * step * d
    assert float((values[0] - values[1]) / (2 * step)) == pytest.approx(float(slope), rel=5e-3)


@pytest.mark.parametrize("training", [False, True])
def test_annealed_spikes_run_as_what_they_are_at_the_moment(training):
    neuron = CuBaLIF(20, dt=1e-3, spike=Annealed(TABLE["sigmoid"](2.0), final=30.0))
    sharpen(neuron.train(training), 0.5)
    assert engine.obstacle(neuron.spike, torch.zeros(1)) is None
    current = torch.rand(30, 4, 20, generator=torch.Generator().manual_seed(0))
    found = neuron.run(current)
    with kernels.reference():
        true = neuron.run(current)
    assert 0 < true.output.mean() < 1
    assert bool(((true.output > 0) & (true.output < 1)).any()) == training
    torch.testing.assert_close(found.output, true.output, rtol=1e-4, atol=1e-5)


def test_the_reference_can_still_be_asked_for():
    assert engine.obstacle(SOFT, torch.zeros(1)) is None
    with kernels.reference():
        assert engine.obstacle(SOFT, torch.zeros(1)) is not None
