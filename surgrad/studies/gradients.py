"""A rule's gradient beside another's: angles and lengths, layer by layer."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from surgrad.learning.base import Batch, Rule
from surgrad.network import Network
from surgrad.neurons import SpikingNeuron
from surgrad.objectives import Objective
from surgrad.spikes import Stochastic

Gradients = dict[str, Tensor]
"""The gradient of each layer, all its parameters in one row, float64."""


@dataclass(frozen=True)
class Angle:
    """A gradient beside a reference.

    Attributes:
        cosine: of the angle between the two; nan where one of them is zero.
        ratio: the length of the gradient in units of the reference's.
    """

    cosine: float
    ratio: float


def gradients(rule: Rule, net: Network, batch: Batch, objective: Objective) -> Gradients:
    """The gradient of a batch, which leaves the network, its `p.grad` and all chance as they were.

    Args:
        rule: computes it.
        net: the network; dropout is off.
        batch: on the network's device.
        objective: the loss and the penalties.

    Returns:
        a row of numbers for each layer, by its name.
    """
    held = [p.grad for p in net.parameters()]
    training = net.training
    net.eval().zero_grad()
    try:
        with same_chance(net):
            rule.gradients(net, batch, objective)
        return {name: _row(modules) for name, modules in net.parts.items()}
    finally:
        net.train(training)
        for parameter, grad in zip(net.parameters(), held, strict=True):
            parameter.grad = grad


def angles(found: Gradients, reference: Gradients) -> dict[str, Angle]:
    """Each layer's angle to a reference, and that of all layers together as "network".

    Example:
        >>> one, two = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 1.0])
        >>> angle = angles({"read-out": one}, {"read-out": two})["read-out"]
        >>> round(angle.cosine, 4), round(angle.ratio, 4)
        (0.7071, 1.4142)
    """
    pairs = {name: (found[name], reference[name]) for name in reference if reference[name].numel()}
    both = (torch.cat([pair[side] for pair in pairs.values()]) for side in (0, 1))
    whole = {"network": tuple(both)} if pairs else {}
    return {name: _angle(*pair) for name, pair in (pairs | whole).items()}


def _angle(one: Tensor, other: Tensor) -> Angle:
    lengths = float(one.norm()), float(other.norm())
    product = lengths[0] * lengths[1]
    cosine = float(one @ other) / product if product else float("nan")
    return Angle(cosine, lengths[0] / lengths[1] if lengths[1] else float("nan"))


@contextmanager
def same_chance(net: Network) -> Iterator[None]:
    """Put all generators that the network draws from back to where they were."""
    neurons = [neuron for neuron in net.neurons if isinstance(neuron, SpikingNeuron)]
    spikes = [neuron.spike for neuron in neurons if isinstance(neuron.spike, Stochastic)]
    states = [spike.generator.get_state() for spike in spikes]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for spike, state in zip(spikes, states, strict=True):
                spike.generator.set_state(state)


def _row(modules: list[Module]) -> Tensor:
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    rows = [
        (torch.zeros_like(p) if p.grad is None else p.grad).detach().double().flatten()
        for p in parameters
    ]
    return torch.cat(rows).cpu() if rows else torch.zeros(0, dtype=torch.float64)


def most_memory(call: Callable[[], Any]) -> int | None:
    """The bytes that a call needs at once beyond those held before it; None where nobody counts.

    It reads how much of the process was resident at most, which Linux keeps and lets us reset.
    """
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not sys.platform.startswith("linux") or not reset.exists():
        return None
    # what is free already would hide what the call needs
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    try:
        reset.write_text("5")
    except OSError:
        return None
    before = _resident(status, "VmRSS")
    call()
    return max(0, _resident(status, "VmHWM") - before)


def _resident(status: Path, entry: str) -> int:
    lines = status.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{entry}:"))
    return 1024 * int(line.split()[1])
