"""How good a converted network is after how many steps, and what it costs."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from surgrad.conversion.graph import WEIGHTED
from surgrad.conversion.modules import Gain, MaxGate
from surgrad.errors import ArgumentError
from surgrad.network import Record, Sequential, State

# values of the input at a time, so that memory does not grow with the steps
LONGEST = 16


@dataclass(frozen=True)
class Point:
    """A converted network after some steps.

    Attributes:
        steps: T.
        accuracy: the share of right classes.
        spikes: of all neurons, for one input.
        operations: additions of a weight that spikes have caused, for one input.
    """

    steps: int
    accuracy: float
    spikes: float
    operations: float


@dataclass
class _Sums:
    right: float = 0.0
    spikes: float = 0.0
    operations: float = 0.0


def present(x: Tensor, steps: int) -> Tensor:
    """An input as a constant current, `(steps, *x.shape)`, without a copy."""
    return x.unsqueeze(0).expand(steps, *x.shape)


def against_time(
    net: Sequential, data: Iterable[Sequence[Tensor]], steps: Sequence[int]
) -> list[Point]:
    """Accuracy, spikes and synaptic operations at each number of steps, in one pass.

    A synaptic operation is one weight that one spike adds to a membrane; a spike that reaches a
    weight through average pooling counts as if the two were one sparse matrix. The products of
    the analogue input with the first weights, the same in every step, are not among them.

    Args:
        net: a converted network.
        data: batches of `(inputs, labels)`.
        steps: the numbers of steps, in any order.

    Raises:
        ArgumentError: if there is no sample, or a number of steps is not positive.

    Example:
        >>> from surgrad.conversion import convert
        >>> _ = torch.manual_seed(0)
        >>> batch = torch.rand(50, 4), torch.zeros(50).long()
        >>> analogue = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> points = against_time(convert(analogue, [batch]), [batch], [1, 4])
        >>> [point.steps for point in points], points[0].operations == 2 * points[0].spikes
        ([1, 4], True)
    """
    marks = sorted(set(steps))
    if not marks or marks[0] < 1:
        raise ArgumentError("steps", got=list(steps), expected="whole numbers, 1 or more")
    sums, count = {mark: _Sums() for mark in marks}, 0
    reach: list[Tensor | None] = []
    with torch.no_grad():
        for x, labels in data:
            count += len(labels)
            reach = reach or fan_outs(net, x[:1])
            _follow(net, x, labels, sums, reach)
    if not count:
        raise ArgumentError("data", got="no sample", expected="batches of (inputs, labels)")
    return [
        Point(mark, found.right / count, found.spikes / count, found.operations / count)
        for mark, found in sums.items()
    ]


def _follow(
    net: Sequential, x: Tensor, labels: Tensor, sums: dict[int, _Sums], reach: list[Tensor | None]
) -> None:
    """Run a batch on from each number of steps to the next."""
    state: State | None = None
    now, spikes, operations = 0, 0.0, 0.0
    answer: Any = 0.0
    for mark, found in sums.items():
        while now < mark:
            piece, record = min(LONGEST, mark - now), Record("counts")
            out, state = net(present(x, piece), state, record=record)
            now += piece
            answer = out[-1] if not net.neurons[-1].spiking else answer + out.sum(0)
            for neuron, layer, ways in zip(net.neurons, record.layers, reach, strict=True):
                if neuron.spiking and not isinstance(neuron, MaxGate):
                    spikes += float(layer["counts"].sum())
                if ways is not None:
                    operations += float((layer["counts"] * ways).sum())
        found.right += float((answer.argmax(1) == labels).sum())
        found.spikes += spikes
        found.operations += operations


def fan_outs(net: Sequential, x: Tensor) -> list[Tensor | None]:
    """How many weights a spike of each neuron reaches; None behind read-outs and at the end.

    Args:
        net: the network.
        x: one input, `(1, *features)`.
    """
    record = Record("counts")
    net(present(x, 1), record=record)
    found: list[Tensor | None] = []
    for stage, layer in zip(net.stages[1:], record.layers, strict=False):
        counts = layer["counts"]
        found.append(_paths(stage.connection, counts) if len(stage.connection) else None)
    return [*found, None]


def _paths(connection: nn.Sequential, like: Tensor) -> Tensor:
    """Ways from each unit through a connection: the gradient of the sum, with all weights one."""
    ones = copy.deepcopy(connection)
    for module in ones.modules():
        if isinstance(module, WEIGHTED):
            nn.init.ones_(module.weight)
        elif isinstance(module, nn.AvgPool2d):
            module.divisor_override = 1
        elif isinstance(module, Gain):
            module.factor.fill_(1.0)
    with torch.enable_grad():
        start = torch.zeros_like(like).requires_grad_()
        (ways,) = torch.autograd.grad(ones(start).sum(), start)
    return ways


def multiplications(net: nn.Module, x: Tensor) -> int:
    """The products of one pass of the analogue network, for comparison.

    Args:
        net: the network.
        x: one input, `(1, *features)`.
    """
    total = 0

    def count(module: Any, inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += output[0].numel() * prod(module.weight.shape[1:])

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, WEIGHTED)]
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(x)
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
