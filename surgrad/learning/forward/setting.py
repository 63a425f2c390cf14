"""What a rule that runs forward in time is used on, and where its credit comes from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from surgrad.learning.base import Batch
from surgrad.learning.forward.cells import Cell, CellState
from surgrad.learning.forward.traces import Eligibility
from surgrad.network import Sequential
from surgrad.objectives import Objective


class Moment(NamedTuple):
    """A network in one step.

    Attributes:
        n: the step.
        before: the layers one step ago, None at the start.
        after: the layers now.
        end: what goes into the modules behind the last neurons, a leaf.
        output: the network's output, with a graph to `end` where there are such modules.
    """

    n: int
    before: list[CellState | None]
    after: list[CellState]
    end: Tensor
    output: Tensor


class Setting(NamedTuple):
    """What a rule is used on."""

    net: Sequential
    cells: list[Cell]
    batch: Batch
    objective: Objective


class Here(NamedTuple):
    """A layer in the step that an error is about.

    Attributes:
        traces: its traces.
        next: the layer behind it in that step, which got its spikes; None for the last.
    """

    traces: Eligibility
    next: CellState | None


Layers = list[Here | None]
Deltas = list[Tensor | None]


class Signal(Protocol):
    """Where a rule's credit comes from, for one batch."""

    def __call__(self, n: int, error: Tensor, filtered: Tensor, at: Layers) -> Deltas:
        """The gradient with respect to each layer's membrane potential.

        Args:
            n: the step of the error.
            error: the gradient at the output of the last neurons in this step.
            filtered: the same through the rule's filter where it is applied to errors.
            at: each layer's traces in the step that this error is about, None if before the
                start; and the layer behind it in that step.
        """
        ...
