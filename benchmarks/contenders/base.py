"""What the worker asks of every contender, and how it says that it cannot."""

from __future__ import annotations

from typing import ClassVar, Protocol

from benchmarks.workloads import Array, Data, Model, Workload


class UnsupportedError(Exception):
    """This contender has no such network; the message says what is missing."""


class Contender(Protocol):
    """A network that is ready to compute the gradient of its weights for one batch.

    Attributes:
        model: its neurons.
    """

    model: ClassVar[Model]

    def __init__(self, work: Workload, data: Data) -> None: ...

    def step(self) -> None:
        """Forward pass, loss, gradients of all weights; done when this returns."""
        ...

    def gradients(self) -> dict[str, Array]:
        """Those of the last step."""
        ...

    def rates(self) -> list[float]:
        """Spikes per neuron and step of each layer that spikes."""
        ...


class Limit:
    """A part of the work that others cannot avoid: no spikes, and no gradients of a network."""

    model: ClassVar[Model] = "CuBa"

    def gradients(self) -> dict[str, Array]:
        """None to verify."""
        return {}

    def rates(self) -> list[float]:
        """None."""
        return []
