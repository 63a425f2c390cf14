"""How the next state of each neuron changes with its state, its input and its own constants."""

from __future__ import annotations

from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from surgrad.learning.forward.cells import Cell, CellState
from surgrad.neurons import SpikingNeuron
from surgrad.neurons.nonlinear import NonlinearNeuron, Steps, forward_mode
from surgrad.tableau import Entry, Tableau, combine


class Slopes(NamedTuple):
    """The derivatives of the state of one step, K components of it, each neuron for itself.

    Attributes:
        state: K rows of K entries, with the state of the step before; with what the neuron's own
            spike did in between, where that counts.
        drive: K entries, with what arrives.
        constants: K entries, with each constant that is learned.
    """

    state: list[list[Entry]]
    drive: list[Entry]
    constants: dict[str, list[Tensor]]


class Local(Protocol):
    """Where a layer's derivatives come from."""

    c: tuple[Entry, ...]

    def slopes(self, before: CellState, drive: Tensor) -> Slopes:
        """Those of a step.

        Args:
            before: the layer one step ago.
            drive: the current that acts in this step.
        """
        ...

    def shift(self, name: str, at: CellState) -> Tensor:
        """What a change of a constant does to `v` beside the state."""
        ...


def local_of(
    cell: Cell, dynamics: Tableau | Steps, constants: dict[str, nn.Parameter], *, through: bool
) -> Local:
    """The derivatives of a layer.

    Args:
        cell: the layer.
        dynamics: those of the traces, which are the neuron's or a rule's.
        constants: the constants that are learned, by name.
        through: whether what a neuron's own spike does to it counts.
    """
    if isinstance(dynamics, Tableau):
        return _OfTableau(cell, dynamics, constants, through=through)
    return _OfSteps(cell, dynamics, constants, through=through)


class _OfTableau:
    r"""From the coefficients.

    .. math::
        J[n] = m[n] \odot A + \big(r - z \odot (A x[n-1] + b\, i)\big)\, h(v[n-1])\, c^\top

    with `z` the components that a spike sets to zero.
    """

    def __init__(
        self, cell: Cell, tableau: Tableau, constants: dict[str, nn.Parameter], *, through: bool
    ) -> None:
        self.tableau, self.through, self.c = tableau, through, tableau.c
        self.moved = {name: tangent(_graph(cell), p).to(cell.like) for name, p in constants.items()}

    def slopes(self, before: CellState, drive: Tensor) -> Slopes:
        """See `Local.slopes`."""
        tableau = self.tableau
        gains: list[Tensor | None] = [None] * tableau.order
        if self.through:
            gains = _spike_gains(tableau, before, drive)
        inputs = [
            _times(b, _kept(zeroed, before.s))
            for b, zeroed in zip(tableau.b, tableau.zeroed, strict=True)
        ]
        explicit = {
            name: _explicit(moved, tableau, before, drive, gains)
            for name, moved in self.moved.items()
        }
        return Slopes(_jacobian(tableau, before, gains), inputs, explicit)

    def shift(self, name: str, at: CellState) -> Tensor:
        """See `Local.shift`."""
        return _shift(self.moved[name], at)


class _Advance(nn.Module):
    """A neuron's step as a function of its parameters."""

    def __init__(self, neuron: NonlinearNeuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: list[Tensor], drive: Tensor, s: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.neuron.advance(x, drive, s))


class _OfSteps:
    """From forward mode through the step of a neuron without a tableau."""

    def __init__(
        self, cell: Cell, steps: Steps, constants: dict[str, nn.Parameter], *, through: bool
    ) -> None:
        self.steps, self.through = steps, through
        self.c: tuple[Entry, ...] = (1.0, *(0.0,) * (steps.order - 1))
        neuron = cast(NonlinearNeuron, cell.stage.neuron)
        self.module = _Advance(neuron)
        self.raw = {name: p.detach() for name, p in constants.items()}
        self.thresholds = {
            name: _of_threshold(neuron, p).to(cell.like) for name, p in constants.items()
        }

    def slopes(self, before: CellState, drive: Tensor) -> Slopes:
        """See `Local.slopes`."""
        found = self.steps.jacobian(before.x, drive, before.s)
        gains = [spike * before.slope for spike in found.spikes]
        rows: list[list[Entry]] = [[*row] for row in found.state]
        explicit = {name: self._explicit(name, before, drive) for name in self.raw}
        if self.through:
            rows = [[row[0] + gain, *row[1:]] for row, gain in zip(rows, gains, strict=True)]
            explicit = {
                name: [
                    part + gain * self.shift(name, before)
                    for part, gain in zip(parts, gains, strict=True)
                ]
                for name, parts in explicit.items()
            }
        return Slopes(rows, [*found.drive], explicit)

    def shift(self, name: str, at: CellState) -> Tensor:
        """See `Local.shift`."""
        return -self.thresholds[name].expand_as(at.s)

    def _explicit(self, name: str, before: CellState, drive: Tensor) -> list[Tensor]:
        key = f"neuron.{name}.raw"

        def step(raw: Tensor) -> tuple[Tensor, ...]:
            return functional_call(self.module, {key: raw}, (before.x, drive, before.s))

        raw = self.raw[name]
        # each neuron has an element of its own, or all share one: ones move each by its own
        return list(forward_mode(step, (raw,), (torch.ones_like(raw),)))


def _of_threshold(neuron: SpikingNeuron, parameter: nn.Parameter) -> Tensor:
    """How the threshold of each neuron changes with its element of a parameter."""
    with torch.enable_grad():
        theta = neuron.threshold()
        if not theta.requires_grad:
            return torch.zeros_like(parameter)
        (found,) = torch.autograd.grad(theta.sum(), parameter, allow_unused=True)
    return torch.zeros_like(parameter) if found is None else found


def _jacobian(tableau: Tableau, before: CellState, gains: list[Tensor | None]) -> list[list[Entry]]:
    """`∂x[n]/∂x[n-1]` of each neuron alone, K rows of K entries that broadcast with the features.

    Args:
        tableau: the neuron.
        before: the layer one step ago.
        gains: see `_spike_gains`.
    """
    rows: list[list[Entry]] = []
    for row, zeroed, gain in zip(tableau.A, tableau.zeroed, gains, strict=True):
        kept = _kept(zeroed, before.s)
        entries = [_times(entry, kept) for entry in row]
        if gain is not None:
            entries = [
                entry if isinstance(c, float) and c == 0.0 else entry + gain * c
                for entry, c in zip(entries, tableau.c, strict=True)
            ]
        rows.append(entries)
    return rows


def _spike_gains(tableau: Tableau, before: CellState, drive: Tensor) -> list[Tensor | None]:
    """`∂x[n]/∂v[n-1]` by way of the neuron's own spike, where it is not detached.

    Args:
        tableau: the neuron.
        before: the layer one step ago.
        drive: the current that acts in this step.
    """
    gains: list[Tensor | None] = []
    for k, (r, zeroed) in enumerate(zip(tableau.r, tableau.zeroed, strict=True)):
        gain = None
        if not tableau.detached[k] and not (isinstance(r, float) and r == 0.0):
            gain = r * before.slope
        if zeroed and not tableau.detached[k]:
            dropped = combine((*tableau.A[k], tableau.b[k]), (*before.x, drive))
            gain = (0.0 if gain is None else gain) - dropped * before.slope
        gains.append(gain)
    return gains


def tangent(tableau: Tableau, parameter: Tensor) -> Tableau:
    """How each coefficient changes with a parameter of which each neuron has its own element."""

    def one(entry: Entry) -> Entry:
        if not isinstance(entry, Tensor) or not entry.requires_grad:
            return 0.0
        # forward mode as the transpose of reverse mode
        probe = torch.zeros_like(entry, requires_grad=True)
        (back,) = torch.autograd.grad(entry, parameter, probe, create_graph=True, allow_unused=True)
        if back is None:
            return 0.0
        return torch.autograd.grad(back.sum(), probe, retain_graph=True)[0]

    with torch.enable_grad():
        return tableau._replace(
            A=tuple(tuple(map(one, row)) for row in tableau.A),
            b=tuple(map(one, tableau.b)),
            r=tuple(map(one, tableau.r)),
            c=tuple(map(one, tableau.c)),
            theta=one(tableau.theta),
        )


def _explicit(
    moved: Tableau,
    tableau: Tableau,
    before: CellState,
    drive: Tensor,
    gains: list[Tensor | None],
) -> list[Tensor]:
    """What a change of the coefficients does to the state in one step."""
    values, shift = (*before.x, drive), _shift(moved, before)
    found = []
    for k, gain in enumerate(gains):
        part = combine((*moved.A[k], moved.b[k]), values) * _kept(tableau.zeroed[k], before.s)
        part = part + combine((moved.r[k],), (before.s,))
        found.append(part if gain is None else part + gain * shift)
    return found


def _shift(moved: Tableau, at: CellState) -> Tensor:
    """What a change of the coefficients does to `v` beside the state."""
    return combine(moved.c, at.x) - moved.theta


def _kept(zeroed: bool, s: Tensor) -> Entry:
    return 1 - s if zeroed else 1.0


def _times(entry: Entry, kept: Entry) -> Entry:
    if isinstance(kept, float) or (isinstance(entry, float) and entry == 0.0):
        return entry
    return entry * kept


def _graph(cell: Cell) -> Tableau:
    """The tableau with its graph to the parameters of the neuron."""
    with torch.enable_grad():
        return cell.stage.neuron.tableau()
