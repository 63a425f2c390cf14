r"""What came before a chunk of time, as the traces at its start.

.. math:: \sum_k \frac{\partial}{\partial x_k[a]} \otimes G_k[a], \qquad
    G[a] = \sum_n A^{a-n-d}\, b\, \mathrm{pre}[n]
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surgrad.events import SpikeTrain
from surgrad.kernels.scan import NeuronState
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.traces import add_gradient, outer
from surgrad.tableau import Tableau


class Trace:
    """The traces of presynaptic units, through one chunk after the other.

    Args:
        tableau: of the neurons; all have the same.
        delay: the steps after which a value acts.
        like: gives the dtype.
    """

    def __init__(self, tableau: Tableau, delay: int, like: Tensor) -> None:
        self.tableau, self.delay, self.like = tableau.map(Tensor.mean), delay, like
        rows = [[float(entry) for entry in row] for row in self.tableau.A]
        self.A = torch.tensor(rows, dtype=torch.float64)
        self.now: Tensor | None = None
        self.pending: Tensor | None = None
        # that of a unit that is always one
        self.constant = torch.zeros(tableau.order, dtype=torch.float64)

    def advance(self, values: SpikeTrain | Tensor) -> None:
        """Through one chunk of presynaptic values."""
        steps, samples, *shape = values.shape
        kernel = self.tableau.response(steps).flip(0).T
        jump = torch.linalg.matrix_power(self.A, steps)
        first = self.now is None
        order = self.tableau.order
        old = self.like.new_zeros(order, samples, *shape) if self.now is None else self.now
        new = torch.tensordot(jump.to(self.like), old, 1)
        acting = kernel
        if self.delay:
            # the last value acts in the next chunk
            acting = torch.cat([kernel[:, 1:], kernel.new_zeros(order, 1)], 1)
            if self.pending is not None:
                first_response = kernel[:, 0].to(self.like)
                new += torch.tensordot(first_response, self.pending, 0)
        self.now = _gather(new, acting.to(self.like), values)
        started = kernel.sum(1) - (kernel[:, 0] if first and self.delay else 0.0)
        self.constant = jump @ self.constant + started
        last = values[steps - 1 : steps]
        dense = last.to_dense(self.like.dtype) if isinstance(last, SpikeTrain) else last
        self.pending = dense[0].to(self.like)


class Past:
    """The traces of one layer: of what came in, and of its own spikes where it is recurrent."""

    def __init__(self, cell: Cell, memory: Tableau) -> None:
        self.cell = cell
        self.came = Trace(memory, memory.delay, cell.like)
        self.own = None if cell.recurrent is None else Trace(memory, 1, cell.like)

    def write(self, begin: NeuronState) -> None:
        """Add what the weights did before the chunk to their gradient."""
        linear, late = self.cell.linear, begin.i.grad
        back = torch.zeros_like(begin.x) if begin.x.grad is None else begin.x.grad
        traces, pending = self.came.now, self.came.pending
        if linear is None or traces is None:
            return
        waits = bool(self.came.delay) and late is not None
        weight, bias = linear.get_parameter("weight"), linear.bias
        if weight.requires_grad:
            found = outer(self.cell, back.flatten(0, 1), traces.flatten(0, 1))
            if waits and late is not None and pending is not None:
                found = found + outer(self.cell, late, pending)
            add_gradient(weight, found)
        if isinstance(bias, nn.Parameter) and bias.requires_grad:
            total = torch.einsum("k...,k->...", back, self.came.constant.to(back))
            total = total + late if waits and late is not None else total
            kept = total.dim() - 1 if isinstance(linear, nn.Linear) else 1
            add_gradient(bias, total.sum([a for a in range(total.dim()) if a != kept]))
        if self.own is not None and self.own.now is not None:
            # the chunk itself has what its first step gets from the spikes before
            recurrent = self.cell.stage.neuron.get_parameter("recurrent.weight")
            if recurrent.requires_grad:
                found = back.flatten(0, 1).T @ self.own.now.flatten(0, 1)
                add_gradient(recurrent, found)

    def advance(self, came: SpikeTrain | Tensor, spikes: Tensor) -> None:
        """Through one chunk."""
        self.came.advance(came)
        if self.own is not None:
            self.own.advance(spikes)


def _gather(into: Tensor, kernel: Tensor, values: SpikeTrain | Tensor) -> Tensor:
    """`into[k] + Σ_n kernel[k, n] values[n]`."""
    if not isinstance(values, SpikeTrain):
        return into + torch.tensordot(kernel, values.to(into), 1)
    steps, samples = values.time, values.batch
    row = torch.repeat_interleave(torch.arange(samples * steps), values.indptr.diff())
    place = row // steps * values.units + values.indices
    for flat, weights in zip(into.view(len(into), -1), kernel, strict=True):
        flat.index_add_(0, place, weights[row % steps])
    return into
