"""What every neuron promises of its gradients, and of the kernels that compute them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from surgrad import kernels
from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState, Scan
from surgrad.neurons import Neuron, SpikingNeuron
from surgrad.spikes import Soft, Surrogate
from surgrad.testing.subject import SOFT, SPIKE, Subject, noise, parts

STEP_WIDTHS = (1e-5, 1e-6)


def gradients(subject: Subject) -> None:
    """With `Soft`, and the reset in the gradient, they are those of central differences."""
    neuron = subject.neuron(SOFT)
    if isinstance(neuron, SpikingNeuron):
        neuron.detach_reset = False
    current, state = subject.current().requires_grad_(), subject.begun(3, soft=True)
    leaves = _leaves(neuron, current, state)
    found = dict(zip(leaves, _slopes(neuron.run(current, state), leaves), strict=True))
    moves = found["the current"].norm() > 1e-6
    subject.hold(moves, "the current has a gradient")

    def value() -> float:
        return float(_value(neuron.run(current, state)).detach())

    for n, (key, leaf) in enumerate(leaves.items()):
        along = noise(leaf.shape, 100 + n)
        slope, scale = float((found[key] * along).sum()), float(found[key].norm() * along.norm())
        # the upstroke of a spike is so sharp that some differences need a narrower step
        near = any(
            abs(slope - _difference(value, leaf, along, step)) < 1e-6 * scale + 1e-9
            for step in STEP_WIDTHS
        )
        subject.hold(near, f"the gradient of {key} is that of central differences")


def _leaves(neuron: Neuron, current: Tensor, state: NeuronState) -> dict[str, Tensor]:
    """All that has a gradient, by name; the order of the claims."""
    begin = dict(zip(("state.x", "state.s", "state.i"), state, strict=False))
    for part in begin.values():
        part.requires_grad_()
    return {"the current": current, **begin, **dict(neuron.named_parameters())}


def _value(scan: Scan) -> Tensor:
    """A number that depends on all that a run gives back."""
    values = list(parts(scan))[:-1]
    probes = [noise(part.shape, 50 + n).to(part.dtype) for n, part in enumerate(values)]
    return torch.stack([(a * b).sum() for a, b in zip(values, probes, strict=True)]).sum()


def _slopes(scan: Scan, leaves: dict[str, Tensor]) -> tuple[Tensor, ...]:
    tensors = list(leaves.values())
    return torch.autograd.grad(_value(scan), tensors, allow_unused=True, materialize_grads=True)


def _difference(value: Callable[[], float], leaf: Tensor, along: Tensor, step: float) -> float:
    """The slope along a direction, by central differences of fourth order."""
    start, ends = leaf.detach().clone(), []
    with torch.no_grad():
        for shift in (step, -step, 2 * step, -2 * step):
            leaf.copy_(start + shift * along)
            ends.append(value())
        leaf.copy_(start)
    near, far = (ends[0] - ends[1]) / (2 * step), (ends[2] - ends[3]) / (4 * step)
    return (4 * near - far) / 3


def kernel_runs(subject: Subject) -> None:
    """Where the neuron runs on the kernels, they do what the plain definition does."""
    if type(subject.given).run is not Neuron.run:
        return
    for spike in (SPIKE, SOFT):
        fast = subject.neuron(spike).float()
        for constant in fast.constants.values():
            constant.double()
        if engine.obstacle(fast.layer().spike, torch.zeros(1)) is None:
            _kernel(subject, fast, copy.deepcopy(fast).double())


def _kernel(subject: Subject, fast: Neuron, slow: Neuron) -> None:
    """The kernels in float32 beside the definition in float64, from the same numbers."""
    seed = 0
    true, true_leaves = _run(subject, slow, seed, torch.float64)
    while not _clear(true, slow) and seed < 60:
        seed += 1
        true, true_leaves = _run(subject, slow, seed, torch.float64)
    mine, my_leaves = _run(subject, fast, seed, torch.float32)
    names = ("output", "membrane potential", "state.x", "state.s", "state.i", "state.hold")
    for key, a, b in zip(names, parts(mine), parts(true), strict=True):
        subject.hold(_near(a, b, 2e-5), f"the kernels have the {key} of the definition")
    slopes = zip(true_leaves, _slopes(mine, my_leaves), _slopes(true, true_leaves), strict=True)
    for key, a, b in slopes:
        subject.hold(_near(a, b, 2e-4), f"the kernels have the definition's gradient of {key}")


def _run(
    subject: Subject, neuron: Neuron, seed: int, dtype: torch.dtype
) -> tuple[Scan, dict[str, Tensor]]:
    current = subject.current(seed).to(dtype).requires_grad_()
    begun = subject.begun(seed, soft=isinstance(neuron.layer().spike, Soft))
    state = NeuronState(*(part.to(dtype) for part in begun))
    leaves = _leaves(neuron, current, state)
    with kernels.reference() if dtype == torch.float64 else nullcontext():
        return neuron.run(current, state), leaves


def _clear(scan: Scan, neuron: Neuron) -> bool:
    """Whether no membrane potential is so near its threshold that rounding decides."""
    if isinstance(neuron.layer().spike, Surrogate | None) and neuron.spiking:
        distance = (scan.v - neuron.dynamics().theta).abs().min()
        return bool(distance > 2e-6 * scan.v.abs().max())
    return True


def _near(found: Tensor, truth: Tensor, tolerance: float) -> bool:
    """Whether it is the truth, to a share of the greatest entry."""
    greatest = max(float(truth.detach().abs().max()), 1e-6)
    return bool((found.double() - truth.double()).abs().max() < tolerance * greatest)
