r"""Filters between eligibility and error: the read-out's decay, or SuperSpike's double exponential.

With the filter's impulse response `κ`, the gradient
:math:`\sum_m \mathrm{err}[m] \sum_{n \le m} κ[m-n]\, e[n]` can be gathered forward in time, with
one filtered trace a synapse, or from errors that are filtered backwards, with the same result.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from surgrad.errors import RuleError
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.traces import SYNAPTIC, Eligibility
from surgrad.tableau import Entry, Tableau, combine


def double_exponential(tau: float, rise: float, dt: float) -> Tableau:
    r"""A filter :math:`κ(t) \propto e^{-t/τ} - e^{-t/τ_r}` with :math:`\sum_n κ[n] = 1`.

    Args:
        tau: the decay in seconds.
        rise: the rise in seconds, shorter.
        dt: the width of a step in seconds.

    Example:
        >>> kernel = double_exponential(10e-3, 5e-3, 1e-3).kernel(400)
        >>> round(float(kernel.sum()), 6), int(kernel.argmax())
        (1.0, 7)
    """
    slow, fast = math.exp(-dt / tau), math.exp(-dt / rise)
    area = 1 / (1 - slow) - 1 / (1 - fast)
    return linear(((slow, 0.0), (0.0, fast)), (1.0, 1.0), (1 / area, -1 / area))


def exponential(tau: float, dt: float) -> Tableau:
    r"""A filter :math:`κ(t) \propto e^{-t/τ}` with :math:`\sum_n κ[n] = 1`."""
    slow = math.exp(-dt / tau)
    return linear(((slow,),), (1.0,), (1 - slow,))


def linear(A: tuple[tuple[Entry, ...], ...], b: tuple[Entry, ...], c: tuple[Entry, ...]) -> Tableau:
    """A filter as a tableau without spikes: what comes in acts in its own step."""
    still = (False,) * len(b)
    return Tableau(A, b, (0.0,) * len(b), c, 0.0, 0, still, still)


def backwards(tableau: Tableau, errors: Tensor) -> Tensor:
    """Errors `(time, ...)` through the transpose of a filter, from the last step to the first."""
    order, steps = tableau.order, len(errors)
    columns = [tuple(tableau.A[j][k] for j in range(order)) for k in range(order)]
    adjoint = [torch.zeros_like(errors[0])] * order
    found = torch.zeros_like(errors)
    for n in reversed(range(steps)):
        adjoint = [
            combine((*column, c), (*adjoint, errors[n]))
            for column, c in zip(columns, tableau.c, strict=True)
        ]
        if n >= tableau.delay:
            found[n - tableau.delay] = combine(tableau.b, adjoint)
    return found


class Filtered:
    """The filtered eligibilities of a layer, one for each synapse, constant and neuron.

    Args:
        tableau: the filter.
        rule: the name of the rule, for errors.
        cell: the layer.

    Raises:
        RuleError: if the layer is a convolution.
    """

    def __init__(self, tableau: Tableau, rule: str, cell: Cell) -> None:
        if not isinstance(cell.linear, nn.Linear | None):
            raise RuleError(
                f"{cell.stage.name} under {rule} in one pass",
                got=f"a filtered trace for each synapse of a {type(cell.linear).__name__}",
                expected="a Linear",
                fix="set online=False: two passes give the same gradient from filtered errors",
            )
        self.tableau = tableau.map(Tensor.mean).to(cell.like)
        self.parts: dict[str, list[Tensor]] = {}
        self.pending: dict[str, Tensor] = {}

    def update(self, now: Eligibility) -> Eligibility:
        """One step later; the result has the slope in its traces."""
        found = {}
        for name, trace in now.parts.items():
            e = _own(now, name, trace)
            acting = self.pending.get(name, torch.zeros_like(e)) if self.tableau.delay else e
            self.pending[name] = e
            held = self.parts.get(name, [torch.zeros_like(e)] * self.tableau.order)
            self.parts[name] = [
                combine((*row, b), (*held, acting))
                for row, b in zip(self.tableau.A, self.tableau.b, strict=True)
            ]
            found[name] = combine(self.tableau.c, self.parts[name])
        return Eligibility(torch.ones_like(now.slope), found, now.state, shared=False)


def _own(now: Eligibility, name: str, trace: Tensor) -> Tensor:
    """The eligibility of each synapse, or of each neuron for its constants."""
    if name not in SYNAPTIC:
        return now.slope * trace
    if now.shared and trace.dim():
        trace = trace.unsqueeze(-2)
    return now.slope.unsqueeze(-1) * trace
