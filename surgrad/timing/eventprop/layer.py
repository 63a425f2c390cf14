"""One layer of a network under EventProp: its spikes, its adjoint, and what it asks below."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from surgrad.kernels import blocks
from surgrad.kernels.first_spike.op import SpikeTimeWarning
from surgrad.learning.forward.traces import add_gradient
from surgrad.network import Stage
from surgrad.tableau import Entry
from surgrad.timing.eventprop import grid
from surgrad.timing.eventprop.sources import Rows, Source


class Upward(NamedTuple):
    """What a layer is told from above.

    Attributes:
        error: the gradient with respect to its potential, `(time, batch, *features)`.
        price: that of moving each of its spikes by a step, `(time, batch, *features)`.
        moves: the same before the next layer's weights, `(batch, time, next)`.
        weights: these, a row for each neuron of the layer.
        jumps: whether the loss adds up the potential over time.
    """

    error: Tensor | None = None
    price: Tensor | None = None
    moves: Tensor | None = None
    weights: Tensor | None = None
    jumps: bool = False


class Layer:
    """A layer as it ran, with one over the slope at each of its spikes.

    Args:
        stage: the neurons.
        record: of a run, `"s"` and `"v"`.
        lengths: the valid steps of each sample.
        longest: the bound of the threshold over the slope, in seconds.
    """

    def __init__(
        self, stage: Stage, record: dict[str, Tensor], lengths: Tensor, longest: float
    ) -> None:
        self.neuron, self.name, self.tableau = stage.neuron, stage.name, stage.neuron.tableau()
        self.features, self.order = record["v"].shape[2:], self.tableau.order
        self.potentials = record["v"].flatten(2).contiguous()
        self.time, self.batch, self.size = self.potentials.shape
        self.lengths = lengths.clamp(0, self.time).contiguous()
        self.spikes = record["s"].flatten(2).contiguous()
        recurrent = getattr(self.neuron, "recurrent", None)
        self.recurrent: Tensor | None = None if recurrent is None else recurrent.weight
        self.starts = torch.zeros(self.batch * self.time + 1, dtype=torch.int64)
        self.units = torch.zeros(0, dtype=torch.int32)
        self.gains = self._new(0)
        if self.neuron.spiking:
            self._collect(longest)

    def _new(self, *sizes: int) -> Tensor:
        return self.potentials.new_zeros(sizes)

    def _rows(self, *entries: Entry) -> Tensor:
        """Coefficients of all neurons, `(entries, size)`."""
        values = [torch.as_tensor(entry).detach().to(self.potentials) for entry in entries]
        flat = [v.reshape(-1) if v.numel() > 1 else v.reshape(1).expand(self.size) for v in values]
        return torch.stack(flat)

    def _collect(self, longest: float) -> None:
        counts = (self.spikes != 0).sum(-1).t().reshape(-1)
        torch.cumsum(counts, 0, out=self.starts[1:])
        self.units = torch.zeros(int(self.starts[-1]), dtype=torch.int32)
        self.gains = self._new(len(self.units))
        tableau = self.tableau
        reset = self._rows(tableau.r[-1], float(not tableau.zeroed[-1]), tableau.theta)
        floor = self._rows(tableau.theta)[0] * (self.neuron.step / longest)
        arrays = (self.spikes, self.potentials, reset, floor, self.starts, self.units, self.gains)
        self._each_block(grid.collect, lambda _: _arrays(arrays))
        self._warn(1 / floor)

    def _warn(self, bound: Tensor) -> None:
        if not len(self.units):
            text = f"{self.name} has no spike in this batch: no gradient passes through it"
            warnings.warn(text, SpikeTimeWarning, stacklevel=2)
            return
        if bool((self.gains >= bound[self.units.long()]).any()):
            text = (
                f"spikes of {self.name} only just reach the threshold: their gradient is cut to "
                "that of longest_rise"
            )
            warnings.warn(text, SpikeTimeWarning, stacklevel=2)

    def _each_block(self, kernel: Any, arguments: Callable[[int], tuple]) -> None:
        order, lengths = (0,) * self.order, self.lengths.numpy()

        def work(block: int, first: int, last: int) -> None:
            kernel(order, first, last, lengths, *arguments(block))

        blocks.run(blocks.bounds(self.batch), work)

    def backwards(self, upward: Upward, source: Source, below: Layer | None) -> Upward:
        """Add the gradients of all parameters to `p.grad`; what to tell the layer below.

        Args:
            upward: what the layer above or the loss says.
            source: what drove the layer.
            below: the layer of neurons below, None where that is the data.
        """
        prices = self._prices(upward.price)
        inputs = source.rows or Rows(
            *((below.starts, below.units) if below else (self.starts, self.units))
        )
        dense, nothing = (self.batch, self.time, self.size), (0, 0, 0)
        errors = self._new(*(dense if source.linear is None else nothing))
        moves = self._new(*(dense if below is not None else nothing))
        grads, coefficients = self._memory(source), self._coefficients(upward.jumps)
        error = self._new(*nothing) if upward.error is None else upward.error.flatten(2)
        shared = _arrays((
            coefficients, error.contiguous(), (self.starts, self.units, self.gains, prices),
            (self._new(*nothing) if upward.moves is None else upward.moves,
             self._new(0, 0) if upward.weights is None else upward.weights),
            self._pre_rows(self.recurrent), tuple(inputs), self._states(source, inputs),
        ))  # fmt: skip

        def arguments(block: int) -> tuple:
            work = self._new(2 * self.order + 2, self.size)
            own = _arrays((work, tuple(part[block] for part in grads), (errors, moves)))
            return (shared[0], self.tableau.delay, *shared[1:], *own)

        self._each_block(grid.adjoint, arguments)
        self._deliver([part.sum(0) for part in grads], prices, source, errors)
        if below is None:
            return Upward()
        if source.linear is not None:
            return Upward(moves=moves, weights=self._pre_rows(source.linear.weight))
        return Upward(price=_through(source, moves, self.features))

    def _prices(self, dense: Tensor | None) -> Tensor:
        """The price of each spike, of those of all sites."""
        if dense is None:
            return self._new(len(self.units))
        row = torch.repeat_interleave(self.starts.diff())
        return dense.flatten(2)[row % self.time, row // self.time, self.units.long()].contiguous()

    def _pre_rows(self, weight: Tensor | None) -> Tensor:
        """Weights, post × pre, as a row for each presynaptic unit."""
        return self._new(0, 0) if weight is None else weight.detach().t().contiguous()

    @property
    def _learned(self) -> bool:
        """Whether a coefficient is a function of something that is trained."""
        found = [*(e for row in self.tableau.A for e in row), self.tableau.theta]
        return any(isinstance(e, Tensor) and e.requires_grad for e in found)

    def _matrix(self) -> Tensor:
        return torch.stack([self._rows(*row) for row in self.tableau.A])

    def _coefficients(self, jumps: bool) -> tuple[Tensor, ...]:
        A, b, c = self._matrix(), self._rows(*self.tableau.b), self._rows(*self.tableau.c)
        r = self._impulse()
        b_moved = b - torch.einsum("kji,ji->ki", A, b)
        r_moved = r - torch.einsum("kji,ji->ki", A, r)
        return A, b, b_moved, c, r_moved, (b * c).sum(0) * float(jumps)

    def _impulse(self) -> Tensor:
        """What a spike does to the state: at the threshold, to set to zero is to subtract."""
        r, theta = self._rows(*self.tableau.r), self._rows(self.tableau.theta)[0]
        for k, zeroed in enumerate(self.tableau.zeroed):
            if zeroed:
                r[k] -= theta
        return r

    def _states(self, source: Source, inputs: Rows) -> Tensor:
        """The state components `(K, time, batch, size)`, where their gradient is needed."""
        if not self._learned:
            return self._new(0, 0, 0, 0)
        x = self._new(self.order, self.time, self.batch, self.size)
        tableau, linear, current = self.tableau, source.linear, self._new(0, 0, 0)
        left = self._rows(*(float(not zeroed) for zeroed in tableau.zeroed))
        P = self._matrix(), self._rows(*tableau.b), self._rows(*tableau.r), left
        weights = bias = None
        if linear is not None:
            weights, bias = linear.weight, linear.bias
        elif source.current is not None:
            current = source.current.detach().flatten(2).contiguous()
        bias = self._new(0) if bias is None else bias.detach()
        shared = _arrays((P, (current, self._pre_rows(weights), bias, *inputs),
                          self._pre_rows(self.recurrent), self.spikes))  # fmt: skip
        results = _arrays((x,))

        def arguments(_: int) -> tuple:
            work = _arrays((self._new(2, self.size),))
            return (shared[0], tableau.delay, *shared[1:], *work, *results)

        self._each_block(grid.states, arguments)
        return x

    def _memory(self, source: Source) -> list[Tensor]:
        """Zeros for the gradients of weights, bias, recurrent weights, A and r, a part a block."""
        parts, size, K = len(blocks.bounds(self.batch)), self.size, self.order
        linear = source.linear
        weights = linear is not None and linear.weight.requires_grad
        bias = linear is not None and linear.bias is not None and linear.bias.requires_grad
        own = self.recurrent is not None and self.recurrent.requires_grad
        return [
            self._new(parts, *((linear.in_features, size) if linear and weights else (0, 0))),
            self._new(parts, size if bias else 0),
            self._new(parts, *((size, size) if own else (0, 0))),
            self._new(parts, *((K, K, size) if self._learned else (0, 0, 0))),
            self._new(parts, *((K, size) if self._learned else (0, 0))),
        ]

    def _deliver(self, grads: list[Tensor], jumps: Tensor, source: Source, errors: Tensor) -> None:
        weights, bias, recurrent, A, r = grads
        if source.linear is not None:
            if weights.numel():
                add_gradient(source.linear.get_parameter("weight"), weights.t().contiguous())
            if bias.numel():
                add_gradient(source.linear.get_parameter("bias"), bias)
        elif source.current is not None and source.current.requires_grad:
            _learn(source, errors, self.features)
        if recurrent.numel():
            add_gradient(self.neuron.get_parameter("recurrent.weight"), recurrent.t().contiguous())
        if A.numel():
            self._deliver_coefficients(A, r, jumps)

    def _deliver_coefficients(self, A: Tensor, r: Tensor, jumps: Tensor) -> None:
        """From the gradients of the tableau to those of what it is made of."""
        # the threshold: where the potential crosses it, and what the reset takes
        theta = -torch.zeros(self.size, dtype=jumps.dtype).index_add_(0, self.units.long(), jumps)
        for k, zeroed in enumerate(self.tableau.zeroed):
            if zeroed:
                theta -= r[k]
        pairs = [(self.tableau.theta, theta)]
        pairs += [(entry, r[k]) for k, entry in enumerate(self.tableau.r)]
        pairs += [(e, A[k, j]) for k, row in enumerate(self.tableau.A) for j, e in enumerate(row)]
        moved = [(e, g) for e, g in pairs if isinstance(e, Tensor) and e.requires_grad]
        torch.autograd.backward(
            [entry for entry, _ in moved],
            [(g.sum() if e.numel() == 1 else g).reshape(e.shape).to(e) for e, g in moved],
        )


def _arrays(tensors: Any) -> Any:
    """The same tuples with arrays in the place of tensors."""
    if isinstance(tensors, tuple):
        return tuple(_arrays(part) for part in tensors)
    return tensors.detach().numpy()


def _in_time(values: Tensor, features: torch.Size) -> Tensor:
    return values.transpose(0, 1).unflatten(2, features)


def _learn(source: Source, errors: Tensor, features: torch.Size) -> None:
    """The gradients of a connection that is no plain dense layer."""
    current = source.current
    if current is None:
        return
    leaf = source.values
    torch.autograd.backward(current, _in_time(errors, features), retain_graph=True)
    if leaf is not None:
        leaf.grad = None


def _through(source: Source, moves: Tensor, features: torch.Size) -> Tensor:
    """The price of moving each spike below, through a connection that is no plain dense layer."""
    if source.current is None or source.values is None:
        return moves
    (price,) = torch.autograd.grad(source.current, source.values, _in_time(moves, features))
    return price
