"""What a network is to rules, training and reports, and what can be kept of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState
from surgrad.neurons import Neuron, Population

State = tuple[NeuronState, ...]
"""One `NeuronState` for each layer of neurons, in order."""

FIELDS = ("s", "v", "counts")


class Stage(NamedTuple):
    """A connection and the neurons behind it.

    Attributes:
        name: "hidden 1", "hidden 2", …, "read-out".
        connection: the modules between the last neurons and these; may be empty.
        neuron: the neurons.
    """

    name: str
    connection: nn.Sequential
    neuron: Neuron


class Record:
    """What to keep of each layer of neurons; filled by the network that it is handed to.

    Args:
        fields: any of `"s"` (output spikes), `"v"` (membrane potential `c · x`), both
            `(time, batch, *features)`, and `"counts"` (spikes over time, `(batch, *features)`).

    Example:
        >>> import torch
        >>> from surgrad.network import Sequential
        >>> from surgrad.neurons import LIF
        >>> record = Record("v")
        >>> _ = Sequential(nn.Linear(3, 4), LIF(4), dt=1e-3)(torch.zeros(5, 1, 3), record=record)
        >>> record[0]["v"].shape
        torch.Size([5, 1, 4])
    """

    def __init__(self, *fields: str) -> None:
        for name in fields:
            if name not in FIELDS:
                raise ArgumentError(
                    "field of a Record", got=repr(name), expected="one of " + ", ".join(FIELDS)
                )
        self.fields = fields
        self.layers: list[dict[str, Tensor]] = []

    def __getitem__(self, layer: int) -> dict[str, Tensor]:
        return self.layers[layer]

    def __len__(self) -> int:
        return len(self.layers)

    def add(self, result: engine.Outcome) -> None:
        """Keep of one layer what was asked for."""
        kept = {"s": result.scan.output, "v": result.scan.v, "counts": result.counts}
        if result.counts is None and "counts" in self.fields:
            kept["counts"] = result.scan.output.sum(0)
        self.layers.append({name: kept[name] for name in self.fields})


class Network(nn.Module, ABC):
    """Layers of neurons that run over a sequence: what rules, training and reports take.

    `Sequential` goes in time steps, `surgrad.timing.SpikeTimes` from spike to spike.

    Attributes:
        batch_first: whether dense inputs and outputs are `(batch, time, *features)`.
    """

    batch_first: bool = False

    @property
    @abstractmethod
    def dt(self) -> float:
        """The width of a time step in seconds."""

    @property
    @abstractmethod
    def neurons(self) -> Sequence[Population]:
        """The layers of neurons, in order."""

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Their names: "hidden 1", "hidden 2", …, "read-out"."""

    @property
    def parts(self) -> dict[str, list[nn.Module]]:
        """All modules by the name of the layer that they belong to."""
        return {name: [layer] for name, layer in zip(self.names, self.neurons, strict=True)}

    @property
    def weights(self) -> list[Tensor] | None:
        """The weights onto each layer, where penalties may be on them."""
        return None

    @abstractmethod
    def run(
        self,
        inputs: SpikeTrain | Tensor,
        state: State | None = None,
        *,
        lengths: Tensor | None = None,
        record: Record | None = None,
    ) -> tuple[Tensor, State]:
        """Run the network over a sequence, time first whatever `batch_first` says.

        Args:
            inputs: spikes or currents, `(time, batch, *features)`.
            state: where to begin, as returned by an earlier call; None for rest.
            lengths: the valid steps of each sample, `(batch,)`; those of a `SpikeTrain` by default.
            record: what to keep of each layer.

        Returns:
            the output, `(time, batch, *features)`, and the state after the last valid step.
        """
