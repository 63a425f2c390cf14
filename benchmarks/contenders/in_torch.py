"""What the contenders in PyTorch share: a network of stages over time, a loss, its gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.workloads import POOL, RATE, Array, Data, Model, Workload

Stage = tuple[nn.Module, nn.Module]


class TorchContender(ABC):
    """A network built from another library's layers, one layer after the other over all steps.

    A subclass says what its neurons are; one that steps through time itself overrides `output`.

    Attributes:
        model: its neurons.
        gain: what its input is multiplied by to act as it does in the definition.
        time_axis: 0 for `(time, batch, …)`, 1 for `(batch, time, …)`.
        stages: pairs of a connection and the neurons behind it.
    """

    model: ClassVar[Model] = "CuBa"
    gain: ClassVar[float] = 1.0
    time_axis: ClassVar[int] = 0

    def __init__(self, work: Workload, data: Data) -> None:
        self.work = work
        self.labels = torch.from_numpy(data.labels)
        loud = work.kind == "neurons"
        values = data.current(self.model) * self.gain if loud else data.dense()
        lead = torch.from_numpy(values)
        self.input = lead.transpose(0, 1).contiguous() if self.time_axis else lead
        self.input.requires_grad_(loud)
        weights = [torch.from_numpy(w * self.gain) for w in work.weights(self.model)]
        recurrent = weights.pop() if work.recurrent else None
        self.stages = list(self._stages(weights, recurrent))
        self.net = nn.ModuleList(module for stage in self.stages for module in stage)
        for parameter in self.net.parameters():
            # the time constants that some libraries train by default
            parameter.requires_grad_(parameter.dim() > 1)

    @abstractmethod
    def neurons(self, shape: tuple[int, ...], recurrent: Tensor | None) -> nn.Module:
        """A layer of neurons that spike; with `recurrent`, connected to themselves."""

    @abstractmethod
    def readout(self, size: int) -> nn.Module:
        """A layer of leaky integrators."""

    def reset(self) -> None:  # noqa: B027  (most keep no state)
        """Bring the state of all neurons to rest, where the library keeps it."""

    def output(self, values: Tensor) -> Tensor:
        """What the last layer puts out over time."""
        for connection, neurons in self.stages:
            values = over_time(neurons, each_step(connection, values))
        return values

    def loss(self) -> Tensor:
        """The cross-entropy of the maximum over time; without weights, the mean of all spikes."""
        self.reset()
        found = self.output(self.input)
        if self.work.kind == "neurons":
            return mean(found)
        return cross_entropy(found.max(self.time_axis).values, self.labels)

    def step(self) -> None:
        """See `Contender`."""
        self.net.zero_grad(set_to_none=True)
        self.input.grad = None
        self.loss().backward()

    def trainer(self, data: Data) -> Callable[[Array], float]:
        """Steps of Adam on chosen samples, which lie in memory as bytes; each returns its loss."""
        optimiser = torch.optim.Adam(self.net.parameters(), RATE)
        spikes, labels = torch.from_numpy(data.dense(np.uint8)), torch.from_numpy(data.labels)

        def step(index: Array) -> float:
            chosen = torch.from_numpy(index)
            batch = spikes[:, chosen].float()
            self.input = batch.transpose(0, 1) if self.time_axis else batch
            self.labels = labels[chosen]
            optimiser.zero_grad()
            loss = self.loss()
            loss.backward()
            optimiser.step()
            return float(loss.detach())

        return step

    def gradients(self) -> dict[str, Array]:
        """See `Contender`."""
        found = {n: p.grad for n, p in self.net.named_parameters() if p.requires_grad}
        if self.input.requires_grad:
            found["current"] = self.input.grad
        return {n: g.numpy() for n, g in found.items() if g is not None}

    def rates(self) -> list[float]:
        """See `Contender`."""
        spiking = self.stages if self.work.kind == "neurons" else self.stages[:-1]
        totals = [Total(neurons) for _, neurons in spiking]
        with torch.no_grad():
            self.loss()
        return [total.mean() for total in totals]

    def recurrent_stage(self, connection: nn.Module, weight: Tensor) -> Stage:
        """A connection and the neurons behind it that are connected to themselves."""
        return connection, self.neurons((len(weight),), weight)

    def _stages(self, weights: list[Tensor], recurrent: Tensor | None) -> Iterator[Stage]:
        work, last = self.work, len(weights) - 1
        if not weights:
            yield nn.Identity(), self.neurons(work.shape, None)
        for place, weight in enumerate(weights):
            connection = connected(work, place, weight)
            if place == last:
                yield connection, self.readout(len(weight))
            elif recurrent is not None:
                yield self.recurrent_stage(connection, recurrent)
            else:
                yield connection, self.neurons(work.hidden[place], None)


class Total:
    """Counts what a module puts out, call by call."""

    def __init__(self, module: nn.Module) -> None:
        self.sum, self.size = 0.0, 0
        self.handle = module.register_forward_hook(self)

    def __call__(self, module: nn.Module, inputs: tuple, output: Tensor | tuple) -> None:
        """Add one call."""
        spikes = output[0] if isinstance(output, tuple) else output
        self.sum += float(spikes.sum())
        self.size += spikes.numel()

    def mean(self) -> float:
        """The mean, and stop counting."""
        self.handle.remove()
        return self.sum / max(self.size, 1)


def mean(values: Tensor) -> Tensor:
    """The mean, with a gradient that holds no memory: that of `Tensor.mean` fills as much anew."""
    return values.sum() / values.numel()


def connected(work: Workload, place: int, weight: Tensor) -> nn.Module:
    """The modules with these weights, without a bias."""
    if weight.dim() == 2:
        layer: nn.Module = nn.Linear(weight.shape[1], len(weight), bias=False)
    else:
        layer = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2], bias=False)
    layer.weight = nn.Parameter(weight)
    if work.kind == "layers" or not place:
        return layer
    flat = [nn.Flatten()] if weight.dim() == 2 else []
    return nn.Sequential(nn.MaxPool2d(POOL), *flat, layer)


def each_step(connection: nn.Module, values: Tensor) -> Tensor:
    """A connection over both leading axes; a linear layer takes them as they are."""
    if isinstance(connection, nn.Linear | nn.Identity):
        return connection(values)
    return connection(values.flatten(0, 1)).unflatten(0, values.shape[:2])


def over_time(neurons: nn.Module, values: Tensor) -> Tensor:
    """What neurons put out, without the state that some libraries hand back too."""
    output = neurons(values)
    if isinstance(output, list):
        return torch.stack(output)
    return output[0] if isinstance(output, tuple) else output
