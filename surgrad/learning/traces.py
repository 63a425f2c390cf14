r"""Eligibility traces: what a weight has done to its neuron's membrane, from the tableau.

.. math::
    G[n] = J[n]\, G[n-1] + m[n] \odot b\, \mathrm{pre}[n-d], \qquad
    J[n] = m[n] \odot A + \big(r - z \odot (A x[n-1] + b\, i)\big)\, h(v[n-1])\, c^\top

`G = ∂x/∂W` of a neuron and its own weight; the eligibility is `h(v[n]) c·G[n]`. The spike terms of
`J` are left out where the tableau says so or the rule does (`z` marks the components that a spike
sets to zero). Without them, with one tableau for all neurons, `G` is the same for all postsynaptic
neurons: one trace a presynaptic unit, O(N) numbers (the collapse of section III of Neftci, Mostafa
& Zenke 2019), else one a synapse.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from surgrad.errors import RuleError
from surgrad.learning.cells import Cell, CellState
from surgrad.tableau import Entry, Tableau, combine

Parts = dict[str, list[Tensor]]
"""Of the weight, bias, recurrent weights and each constant, K components of `∂x`."""

SYNAPTIC = ("weight", "bias", "recurrent")
"""The parameters that have a trace for each presynaptic unit; the others are the neurons' own."""


class Eligibility(NamedTuple):
    """The traces of a layer in one step.

    Attributes:
        slope: `h(v)`, `(batch, *features)`.
        parts: `∂v` of each parameter: of synapses `(batch, *presynaptic)` where all neurons share
            it and else `(batch, post, pre)`, of constants `(batch, *features)`.
        state: the layer in that step.
        shared: whether all postsynaptic neurons share the traces of their synapses.
    """

    slope: Tensor
    parts: dict[str, Tensor]
    state: CellState
    shared: bool


def collapses(tableau: Tableau, *, through_spikes: bool) -> bool:
    """Whether one trace a presynaptic unit is exact for the layer's own dynamics."""
    entries = [*(entry for row in tableau.A for entry in row), *tableau.b, *tableau.c]
    shared = all(not isinstance(entry, Tensor) or entry.numel() == 1 for entry in entries)
    silent = all(
        detached or (isinstance(r, float) and r == 0.0)
        for r, detached in zip(tableau.r, tableau.detached, strict=True)
    )
    return shared and not any(tableau.zeroed) and (silent or not through_spikes)


class Traces:
    """The traces of one layer while it runs, and the gradients that they have been turned into.

    Args:
        cell: the layer.
        tableau: that of the traces, which is the neuron's or a rule's.
        rule: the name of the rule, for errors.
        through_spikes: whether a weight's effect on the neuron's later state through the neuron's
            own spikes counts, as far as the tableau does not detach it.

    Raises:
        RuleError: if a trace is needed for each synapse of a convolution.
    """

    def __init__(self, cell: Cell, tableau: Tableau, rule: str, *, through_spikes: bool) -> None:
        self.cell, self.tableau, self.through_spikes = cell, tableau, through_spikes
        self.shared = collapses(tableau, through_spikes=through_spikes)
        if not self.shared and not isinstance(cell.linear, nn.Linear | None):
            raise RuleError(
                f"{cell.stage.name} under {rule}",
                got=f"{type(cell.linear).__name__} in front of neurons whose traces differ",
                expected="a Linear, or neurons with one tableau, no reset to zero and no gradient "
                "through their own spikes",
                fix="set reset='subtract' and detach_reset=True without per_neuron constants, or "
                "use BPTT",
            )
        self.parameters = _parameters(cell)
        self.tangents = {
            name: tangent(_graph(cell), p).to(cell.like)
            for name, p in self.parameters.items()
            if name not in SYNAPTIC
        }
        if self.tangents and tableau is not cell.tableau:
            raise RuleError(
                f"{cell.stage.name} under {rule}",
                got="learnable " + ", ".join(self.tangents),
                expected="weights only: the rule has no trace of the neuron's dynamics",
                fix="leave out learn=..., or use EProp, OTTT or BPTT",
            )
        self.gradients = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.parts: Parts = {}

    def update(self, before: CellState | None, after: CellState) -> Eligibility:
        """Advance the traces by one step, from the layer before and after it."""
        if before is None:
            before = after._replace(
                x=[torch.zeros_like(part) for part in after.x],
                s=torch.zeros_like(after.s),
                slope=torch.zeros_like(after.slope),
            )
        tableau = self.tableau
        gains: list[Tensor | None] = [None] * tableau.order
        if self.through_spikes:
            gains = spike_gains(tableau, before, after.drive)
        rows = jacobian(tableau, before, gains)
        wide = rows if self.shared else [[_column(entry) for entry in row] for row in rows]
        for name in self.parameters:
            synaptic = name not in self.tangents
            injected = (
                self._arriving(name, before, after)
                if synaptic
                else _explicit(self.tangents[name], tableau, before, after.drive, gains)
            )
            held = self.parts.get(name, [0.0 * part for part in injected])
            carry = wide if synaptic else rows
            self.parts[name] = [
                combine((*row, 1.0), (*held, part))
                for row, part in zip(carry, injected, strict=True)
            ]
        return Eligibility(after.slope, self._membrane(after), after, self.shared)

    def add(self, delta: Tensor, of: Eligibility) -> None:
        """Add the gradient of a step.

        Args:
            delta: the gradient with respect to the membrane potential, `(batch, *features)`.
            of: the traces of that step.
        """
        for name, trace in of.parts.items():
            self.gradients[name] += self._contract(name, delta, trace, shared=of.shared)

    def write(self) -> None:
        """Add what was gathered to `p.grad`."""
        for name, parameter in self.parameters.items():
            add_gradient(parameter, self.gradients[name])

    def _arriving(self, name: str, before: CellState, after: CellState) -> list[Tensor]:
        tableau = self.tableau
        if name == "recurrent":
            pre = before.s
        elif after.acting is None:
            pre = torch.zeros_like(after.pre if name == "weight" else after.s[:1, ..., :1])
        elif name == "bias":
            pre = torch.ones_like(after.s[:1, ..., :1])
        else:
            pre = after.acting
        if name == "bias" and self.shared:
            pre = pre.flatten()[0]
        if self.shared:
            return [combine((b,), (pre,)) for b in tableau.b]
        pre = pre.unsqueeze(-2)
        return [
            combine((_column(b),), (pre,)) * _column(_kept(flag, before.s))
            for b, flag in zip(tableau.b, tableau.zeroed, strict=True)
        ]

    def _membrane(self, after: CellState) -> dict[str, Tensor]:
        tableau, found = self.tableau, {}
        for name, parts in self.parts.items():
            wide = self.shared or name in self.tangents
            c = tableau.c if wide else tuple(map(_column, tableau.c))
            found[name] = combine(c, parts)
            if name in self.tangents:
                found[name] = found[name] + _shift(self.tangents[name], after)
        return found

    def _contract(self, name: str, delta: Tensor, trace: Tensor, *, shared: bool) -> Tensor:
        parameter = self.parameters[name]
        if name in self.tangents:
            return (delta * trace).sum(0).sum_to_size(parameter.shape)
        if not shared:
            total = torch.einsum("bi,bij->ij", delta, trace.expand(*delta.shape, -1))
            return total.view(parameter.shape)
        if name == "bias":
            kept = delta.dim() - 1 if self._dense else 1
            return (delta * trace).sum([axis for axis in range(delta.dim()) if axis != kept])
        if name == "weight":
            return outer(self.cell, delta, trace)
        return delta.flatten(0, -2).T @ trace.flatten(0, -2)

    @property
    def _dense(self) -> bool:
        return isinstance(self.cell.linear, nn.Linear)


def jacobian(tableau: Tableau, before: CellState, gains: list[Tensor | None]) -> list[list[Entry]]:
    """`∂x[n]/∂x[n-1]` of each neuron alone, K rows of K entries that broadcast with the features.

    Args:
        tableau: the neuron.
        before: the layer one step ago.
        gains: see `spike_gains`.
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


def spike_gains(tableau: Tableau, before: CellState, drive: Tensor) -> list[Tensor | None]:
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


def outer(cell: Cell, delta: Tensor, trace: Tensor) -> Tensor:
    """The gradient of a layer's weights.

    Args:
        cell: the layer.
        delta: the gradient at the current, `(rows, *features)`.
        trace: what comes in, `(rows, *presynaptic)`.
    """
    if isinstance(cell.linear, nn.Linear):
        return delta.flatten(0, -2).T @ trace.reshape(-1, cell.linear.in_features)
    module = cell.stage.connection[-1]
    with torch.enable_grad():
        return torch.autograd.grad(module(trace), module.get_parameter("weight"), delta)[0]


def add_gradient(parameter: nn.Parameter, gradient: Tensor) -> None:
    """Add to `p.grad`, as a backward pass does."""
    gradient = gradient.to(parameter.dtype)
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def _parameters(cell: Cell) -> dict[str, nn.Parameter]:
    found: dict[str, nn.Parameter] = {}
    if cell.linear is not None:
        found |= dict(cell.linear.named_parameters(recurse=False))
    if cell.recurrent is not None:
        found["recurrent"] = cell.stage.neuron.get_parameter("recurrent.weight")
    found |= {name: c.raw for name, c in cell.stage.neuron.constants.items() if c.learn}
    return {name: p for name, p in found.items() if p.requires_grad}


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


def _column(entry: Entry) -> Entry:
    """A coefficient of postsynaptic neurons beside an axis of presynaptic ones."""
    return entry.unsqueeze(-1) if isinstance(entry, Tensor) and entry.dim() else entry


def _graph(cell: Cell) -> Tableau:
    """The tableau with its graph to the parameters of the neuron."""
    with torch.enable_grad():
        return cell.stage.neuron.tableau()
