r"""Eligibility traces: what a weight has done to its neuron's membrane, step by step.

.. math::
    G[n] = J[n]\, G[n-1] + \frac{\partial x[n]}{\partial i}\, \mathrm{pre}[n-d], \qquad
    J[n] = \frac{\partial x[n]}{\partial x[n-1]} + \frac{\partial x[n]}{\partial s[n-1]}\,
    h(v[n-1])\, c^\top

`G = ∂x/∂W` of a neuron and its own weight; the eligibility is `h(v[n]) c·G[n]`. The derivatives
are those of `surgrad.learning.forward.local`, from the tableau or from forward mode. The spike
terms of `J` are left out where the neuron says so or the rule does. Without them, with one tableau
for all neurons, `G` is the same for all postsynaptic neurons: one trace a presynaptic unit, O(N)
numbers (the collapse of section III of Neftci, Mostafa & Zenke 2019), else one a synapse.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from surgrad.errors import RuleError
from surgrad.learning.forward.cells import Cell, CellState
from surgrad.learning.forward.local import local_of
from surgrad.neurons.nonlinear import Steps
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


def collapses(tableau: Tableau | Steps, *, through_spikes: bool) -> bool:
    """Whether one trace a presynaptic unit is exact for the layer's own dynamics."""
    if not isinstance(tableau, Tableau):
        return False
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
        dynamics: those of the traces, which are the neuron's or a rule's.
        rule: the name of the rule, for errors.
        through_spikes: whether a weight's effect on the neuron's later state through the neuron's
            own spikes counts, as far as the neuron does not detach it.

    Raises:
        RuleError: if a trace is needed for each synapse of a convolution.
    """

    def __init__(
        self, cell: Cell, dynamics: Tableau | Steps, rule: str, *, through_spikes: bool
    ) -> None:
        self.cell = cell
        self.shared = collapses(dynamics, through_spikes=through_spikes)
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
        constants = {name: p for name, p in self.parameters.items() if name not in SYNAPTIC}
        if constants and dynamics is not cell.dynamics:
            raise RuleError(
                f"{cell.stage.name} under {rule}",
                got="learnable " + ", ".join(constants),
                expected="weights only: the rule has no trace of the neuron's dynamics",
                fix="leave out learn=..., or use EProp, OTTT or BPTT",
            )
        self.constants = frozenset(constants)
        self.local = local_of(cell, dynamics, constants, through=through_spikes)
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
        slopes = self.local.slopes(before, after.drive)
        rows, inputs = slopes.state, slopes.drive
        wide = rows
        if not self.shared:
            wide = [[_column(entry) for entry in row] for row in rows]
            inputs = [_column(entry) for entry in inputs]
        for name in self.parameters:
            synaptic = name not in self.constants
            injected = slopes.constants.get(name) or self._arriving(name, before, after, inputs)
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

    def _arriving(
        self, name: str, before: CellState, after: CellState, inputs: list[Entry]
    ) -> list[Tensor]:
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
        pre = pre if self.shared else pre.unsqueeze(-2)
        return [combine((entry,), (pre,)) for entry in inputs]

    def _membrane(self, after: CellState) -> dict[str, Tensor]:
        c, found = self.local.c, {}
        for name, parts in self.parts.items():
            narrow = self.shared or name in self.constants
            found[name] = combine(c if narrow else tuple(map(_column, c)), parts)
            if name in self.constants:
                found[name] = found[name] + self.local.shift(name, after)
        return found

    def _contract(self, name: str, delta: Tensor, trace: Tensor, *, shared: bool) -> Tensor:
        parameter = self.parameters[name]
        if name in self.constants:
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


def _column(entry: Entry) -> Entry:
    """A coefficient of postsynaptic neurons beside an axis of presynaptic ones."""
    return entry.unsqueeze(-1) if isinstance(entry, Tensor) and entry.dim() else entry
