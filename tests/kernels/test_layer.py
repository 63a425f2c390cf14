"""The kernels against the definition in float64: spikes, potentials and every gradient."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.kernels import buffers, engine
from surgrad.kernels.layer import memory
from surgrad.kernels.scan import NeuronState
from surgrad.kernels.scan.reference import scan as definition
from surgrad.neurons import NEURONS, CuBaLIF
from surgrad.spikes import Surrogate
from surgrad.surrogates import TABLE
from tests.kinds import BY_TABLEAU, READ_OUTS

RESETS = ("subtract", "zero", "none")


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """Memory that nobody has written to is not a number."""
    make, new = torch.empty, buffers.empty

    def spoil(tensor: Tensor) -> Tensor:
        return tensor.fill_(float("nan")) if tensor.is_floating_point() else tensor.fill_(-7)

    monkeypatch.setattr(torch, "empty", lambda *a, **k: spoil(make(*a, **k)))
    monkeypatch.setattr(buffers, "empty", lambda *a, **k: spoil(new(*a, **k)))


def make(name, size, seed=0, **options):
    torch.manual_seed(seed)
    kind: Any = NEURONS[name]
    learn = tuple(kind(size, dt=1e-3).constants)
    return kind(size, learn=learn, per_neuron=learn, dt=1e-3, **options)


class Case:
    """One layer with everything that it can be given, in one precision."""

    def __init__(self, neuron, steps, samples, size, *, inputs=7, density=0.2, lengths=None,
                 begun=True, seed=1):  # fmt: skip
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape, scale=1.0):
            values = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
            # what float32 can hold, so that both precisions begin with the same numbers
            return values.float().double().requires_grad_()

        self.neuron, self.lengths = neuron, lengths
        counts = torch.poisson(torch.full((steps, samples, inputs), density), generator=generator)
        self.train = SpikeTrain.from_dense(counts)
        order = neuron.tableau().order
        self.leaves = {
            "current": draw(steps, samples, size, scale=0.4),
            "weight": draw(size, inputs, scale=0.6),
            "bias": draw(size, scale=0.05),
        }
        if begun:
            self.leaves |= {
                "x": draw(order, samples, size, scale=0.3),
                "s": draw(samples, size, scale=0.0),
                "i": draw(samples, size, scale=0.3),
            }
            with torch.no_grad():
                self.leaves["s"][:, ::3] = 1.0 if neuron.spiking else 0.0
        self.hold = torch.zeros(samples, size, dtype=torch.float64)
        if begun and getattr(neuron, "refractory", 0.0):
            self.hold[:, 1::3] = 2.0
        self.probes = [draw(steps, samples, size).detach() for _ in range(2)]
        ends = [draw(order, samples, size), *(draw(samples, size) for _ in range(3))]
        self.ends = [end.detach() for end in ends]

    def state(self, dtype):
        if "x" not in self.leaves:
            return None
        x, s, i = (self.leaves[name].to(dtype) for name in "xsi")
        return NeuronState(x, s, i, self.hold.to(dtype))

    def layer(self):
        return self.neuron.layer()

    def measured(self, scan, counts, dtype):
        """A scalar that depends on all that a layer gives back."""
        values = (scan.output, scan.v, scan.state.x, scan.state.s, scan.state.i, counts)
        weights = (*self.probes, *self.ends)
        return sum((a * b.to(dtype)).sum() for a, b in zip(values, weights, strict=True))

    def truth(self, by_events):
        current = self.leaves["current"]
        if by_events:
            current = self.train.to_dense(torch.float64) @ self.leaves["weight"].T
            current = current + self.leaves["bias"]
        layer = self.layer()
        state = self.state(torch.float64)
        if state is None:
            from surgrad.kernels.scan import rest

            state = rest(layer.tableau, current[0])
        recurrent = None if layer.recurrent is None else layer.recurrent.double()
        result = definition(layer.tableau, layer.spike, current, state, recurrent=recurrent,
                            lengths=self.lengths, refractory=layer.refractory)  # fmt: skip
        return result, result.output.sum(0)

    def fast(self, by_events) -> tuple[Any, Any]:
        state = self.state(torch.float32)
        if not by_events:
            current = self.leaves["current"].float()
            found = engine.driven(self.layer(), current, state, self.lengths, engine.Shown())
        else:
            weight, bias = (self.leaves[name].float() for name in ("weight", "bias"))
            events, shown = engine.Events.of(self.train), engine.Shown()
            drive = self.layer(), events, weight, bias, state, self.lengths, shown
            found = engine.connected(*drive)
        counts = found.counts if self.neuron.spiking else found.scan.output.sum(0)
        return found.scan, counts

    def gradients(self, value) -> dict[str, Any]:
        tensors = [*self.leaves.values(), *self.neuron.parameters()]
        names = [*self.leaves, *(name for name, _ in self.neuron.named_parameters())]
        grads = torch.autograd.grad(value, tensors, allow_unused=True)
        return dict(zip(names, grads, strict=True))


def clear_cut(neuron, *sizes, by_events, **options):
    """A case in which no membrane potential is so near its threshold that rounding decides."""
    for seed in range(1, 60):
        case = Case(neuron, *sizes, seed=seed, **options)
        slow, counts = case.truth(by_events)
        if not neuron.spiking:
            return case, slow, counts
        distance = (slow.v - neuron.layer().tableau.theta).abs()
        if distance.numel() == 0 or distance.min() > 2e-6 * slow.v.abs().max():
            return case, slow, counts
    raise AssertionError("no clear-cut case")


def check(neuron, *sizes, by_events, tolerance=2e-4, **options):
    case, slow, slow_counts = clear_cut(neuron, *sizes, by_events=by_events, **options)
    fast, fast_counts = case.fast(by_events)
    if neuron.spiking:
        assert torch.equal(fast.output.double(), slow.output.detach())
    for mine, true in ((fast.output, slow.output), (fast.v, slow.v), (fast.state.x, slow.state.x),
                       (fast.state.s, slow.state.s), (fast.state.i, slow.state.i),
                       (fast.state.hold, slow.state.hold), (fast_counts, slow_counts)):  # fmt: skip
        close = 2e-5 * max(1.0, float(true.detach().abs().max())) if true.numel() else 0.0
        torch.testing.assert_close(mine.double(), true, rtol=1e-4, atol=close)
    true = case.gradients(case.measured(slow, slow_counts, torch.float64))
    mine = case.gradients(case.measured(fast, fast_counts, torch.float32))
    compared = 0
    for name, truth in true.items():
        if truth is None or truth.numel() == 0 or truth.abs().max() == 0:
            assert mine[name] is None or not mine[name].any(), name
            continue
        found, scale = mine[name], truth.abs().max()
        error = ((found.double() - truth.double()).abs().max() / scale).item()
        assert error < tolerance, f"gradient of {name}: {error:.1e}"
        compared += 1
    assert compared >= 1
    return slow


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
