"""Layers with everything that they can be given, on the kernels and on the definition."""

from __future__ import annotations

from typing import Any

import torch

from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState, rest
from surgrad.kernels.scan.reference import scan as definition
from surgrad.neurons import NEURONS
from surgrad.spikes import Soft

RESETS = ("subtract", "zero", "none")


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
        if not neuron.spiking or (isinstance(neuron.spike, Soft) and not neuron.refractory):
            return case, slow, counts
        distance = (slow.v - neuron.layer().tableau.theta).abs()
        if distance.numel() == 0 or distance.min() > 2e-6 * slow.v.abs().max():
            return case, slow, counts
    raise AssertionError("no clear-cut case")


def check(neuron, *sizes, by_events, tolerance=2e-4, **options):
    case, slow, slow_counts = clear_cut(neuron, *sizes, by_events=by_events, **options)
    fast, fast_counts = case.fast(by_events)
    if neuron.spiking and not isinstance(neuron.spike, Soft):
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
