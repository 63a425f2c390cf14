r"""The online rules in chunks of time: the same gradients from whole-layer operations.

With :math:`L[n]` the learning signal, exchanging the sums of
:math:`\sum_n L[n] h(v[n])\, c \cdot G[n]` gives the layer's own adjoint of `L`, gathered at the
presynaptic spikes. Within a chunk that is a backward pass of the layer alone, cut off from the
others; what came before the chunk enters by the traces at its start,

.. math:: \sum_k \frac{\partial}{\partial x_k[a]} \otimes G_k[a],

so that memory grows with the chunk, not with time. `surgrad.learning.forward` has the definition,
step by step; both give the same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState
from surgrad.learning.base import Batch
from surgrad.learning.cells import Cell
from surgrad.learning.errors import Errors
from surgrad.learning.traces import add_gradient, collapses
from surgrad.learning.windows import window
from surgrad.network import Sequential, by_events
from surgrad.neurons import Neuron
from surgrad.spikes import Surrogate

STEPS = 100


class Ahead(NamedTuple):
    """What a learning signal may look at.

    Attributes:
        start: the first step of the chunk.
        steps: how many there are.
        error: the gradient at the output of all steps, `(time, batch, *features)`.
        filtered: the same through the rule's filter.
        spikes: of each layer in the chunk, `(steps, batch, *features)`.
        potentials: `c · x` of each layer in the chunk.
        later: `c · x` of each layer in some steps behind it.
    """

    start: int
    steps: int
    error: Tensor
    filtered: Tensor
    spikes: list[Tensor]
    potentials: list[Tensor]
    later: list[Tensor]


class ChunkSignal(Protocol):
    """The learning signals of a chunk, one for each layer."""

    def __call__(self, at: Ahead) -> list[Tensor | None]:
        """The gradient at each layer's output, `(steps, batch, *features)`."""
        ...


def shifted(errors: Tensor, start: int, steps: int) -> Tensor:
    """The errors of some steps; zero behind the end."""
    piece = errors[start : start + steps]
    missing = steps - len(piece)
    return torch.cat([piece, piece.new_zeros(missing, *errors.shape[1:])]) if missing else piece


def weights_of(cell: Cell) -> Tensor:
    """The weights in front of a layer, without a graph."""
    return cast(nn.Linear, cell.linear).weight.detach()


def hindrance(net: Sequential, cells: list[Cell], batch: Batch, *, through: bool) -> str | None:
    """Why a network cannot be run in chunks; None where it can."""
    asked = engine.obstacle(None, torch.zeros(()))
    if asked is not None:
        return asked
    if cells[0].like.device.type != "cpu":
        return "chunks are for the CPU"
    if len(net.tail):
        return "there are modules behind the last neurons"
    for cell in cells:
        if len(cell.front) or not isinstance(cell.linear, nn.Linear):
            return f"{cell.stage.name} is not behind one Linear"
        if cell.recurrent is not None:
            return f"{cell.stage.name} is recurrent"
        if type(cell.stage.neuron).run is not Neuron.run:
            return f"{cell.stage.name} has dynamics of its own"
        if cell.spiking and not isinstance(cell.stage.neuron.layer().spike, Surrogate):
            return f"the spikes of {cell.stage.name} have no surrogate derivative"
        if batch.time > STEPS:
            if not collapses(cell.tableau, through_spikes=through):
                return f"{cell.stage.name} needs a trace for each synapse"
            if any(c.learn for c in cell.stage.neuron.constants.values()):
                return f"{cell.stage.name} learns constants over more than one chunk"
    return None


class _Ran(NamedTuple):
    """A layer over a chunk: its graph goes to its own parameters and to `begin`."""

    begin: NeuronState | None
    output: Tensor
    potentials: Tensor
    counts: Tensor | None
    after: NeuronState
    values: SpikeTrain | Tensor


class _Past:
    """The presynaptic traces of one layer at the start of a chunk."""

    def __init__(self, cell: Cell) -> None:
        self.cell, self.tableau = cell, cell.tableau.map(Tensor.mean)
        self.delay, self.order = self.tableau.delay, self.tableau.order
        rows = [[float(entry) for entry in row] for row in self.tableau.A]
        self.A = torch.tensor(rows, dtype=torch.float64)
        self.traces: Tensor | None = None
        self.pending: Tensor | None = None
        self.bias = torch.zeros(self.order, dtype=torch.float64)

    def write(self, begin: NeuronState) -> None:
        """Add what the weights did before the chunk to their gradient."""
        linear, traces, late = self.cell.linear, self.traces, self.pending
        if linear is None or traces is None or begin.x.grad is None:
            return
        weight, bias = linear.get_parameter("weight"), linear.bias
        back = begin.x.grad
        if weight.requires_grad:
            found = back.flatten(0, 1).T @ traces.flatten(0, 1)
            if self.delay and late is not None and begin.i.grad is not None:
                found = found + begin.i.grad.T @ late
            add_gradient(weight, found)
        if isinstance(bias, nn.Parameter) and bias.requires_grad:
            total = torch.einsum("kbi,k->i", back, self.bias.to(back))
            if self.delay and begin.i.grad is not None:
                total = total + begin.i.grad.sum(0)
            add_gradient(bias, total)

    def advance(self, values: SpikeTrain | Tensor) -> None:
        """Through one chunk of presynaptic values."""
        steps, samples, units = values.shape
        like = self.cell.like
        kernel = self.tableau.response(steps).flip(0).T
        jump = torch.linalg.matrix_power(self.A, steps)
        first = self.traces is None
        old = like.new_zeros(self.order, samples, units) if first else self.traces
        new = torch.tensordot(jump.to(like), old, 1)
        acting = kernel
        if self.delay:
            # the last value acts in the next chunk
            acting = torch.cat([kernel[:, 1:], kernel.new_zeros(self.order, 1)], 1)
            if self.pending is not None:
                new += kernel[:, 0].to(like).view(-1, 1, 1) * self.pending
        self.traces = _gather(new, acting.to(like), values)
        started = kernel.sum(1) - (kernel[:, 0] if first and self.delay else 0.0)
        self.bias = jump @ self.bias + started
        last = values[steps - 1 : steps]
        self.pending = (last.to_dense(like.dtype) if isinstance(last, SpikeTrain) else last)[0]


def _gather(into: Tensor, kernel: Tensor, values: SpikeTrain | Tensor) -> Tensor:
    """`into[k] + Σ_n kernel[k, n] values[n]`."""
    if not isinstance(values, SpikeTrain):
        return into + torch.tensordot(kernel, values.to(into), 1)
    steps, samples, units = values.shape
    row = torch.repeat_interleave(torch.arange(samples * steps), values.indptr.diff())
    place = row // steps * units + values.indices
    for flat, weights in zip(into.view(len(into), -1), kernel, strict=True):
        flat.index_add_(0, place, weights[row % steps])
    return into


class Chunks:
    """A network over a batch, a chunk at a time, every layer with a graph of its own.

    Args:
        net: the network.
        cells: its stages, taken apart.
        batch: the batch.
        through: whether a weight acts through its neuron's own spikes.
    """

    def __init__(self, net: Sequential, cells: list[Cell], batch: Batch, *, through: bool) -> None:
        self.net, self.cells, self.batch, self.through = net, cells, batch, through
        self.stages = net.stages
        self.kept: list[tuple[int, list[_Ran]]] | None = None

    def forward(self) -> tuple[Tensor, list[Tensor]]:
        """The output of all steps, and the spike counts of the layers that spike."""
        single = self.batch.time <= STEPS
        outputs, counts = [], []
        for start, ran in self.run(graph=single):
            # what fits one chunk need not be run again
            self.kept = [(start, ran)] if single else None
            outputs.append(ran[-1].output.detach())
            counts.append([r.counts for r, c in zip(ran, self.cells, strict=True) if c.spiking])
        return torch.cat(outputs), [torch.stack(c).sum(0) for c in zip(*counts, strict=True)]

    def run(self, *, graph: bool) -> Iterator[tuple[int, list[_Ran]]]:
        """The start and the layers of one chunk after the other."""
        states: list[NeuronState | None] = [None] * len(self.cells)
        for start in range(0, self.batch.time, STEPS):
            ran = self.piece(start, STEPS, states, graph=graph)
            yield start, ran
            states = [layer.after.detach() for layer in ran]

    def piece(
        self, start: int, steps: int, states: list[NeuronState | None], *, graph: bool
    ) -> list[_Ran]:
        """All layers over some steps."""
        values, left = window(self.batch, start, steps)
        if not isinstance(values, SpikeTrain):
            values = values.to(self.cells[0].like)
        events = engine.Events.of(values) if isinstance(values, SpikeTrain) else None
        if isinstance(values, SpikeTrain) and not engine.sparse(values):
            events = None
        found: list[_Ran] = []
        for index, before in enumerate(states):
            begin = _leaf(before) if graph and before is not None else before
            with torch.set_grad_enabled(graph):
                outcome = self._layer(index, values, events, begin, left)
            out, v, after = outcome.scan
            counts = outcome.counts if outcome.counts is not None else out.detach().sum(0)
            found.append(_Ran(begin, out, v.detach(), counts.detach(), after, values))
            values, events = out.detach(), outcome.events
            events = None if events is None else events._replace(carrier=None)
        return found

    def _layer(
        self,
        index: int,
        values: SpikeTrain | Tensor,
        events: engine.Events | None,
        begin: NeuronState | None,
        left: Tensor | None,
    ) -> engine.Outcome:
        stage, layer = self.stages[index], self.stages[index].neuron.layer()
        if not self.through:
            tableau = layer.tableau
            layer = layer._replace(tableau=tableau._replace(detached=(True,) * tableau.order))
        onward = None
        if index + 1 < len(self.stages):
            following = by_events(self.stages[index + 1], self.sizes(index))
            onward = None if following is None else following.weight.detach()
        shown = engine.Shown(True, True, onward)
        linear = cast(nn.Linear, self.cells[index].linear)
        if events is not None and by_events(stage, values.shape[2:]) is not None:
            return engine.connected(layer, events, linear.weight, linear.bias, begin, left, shown)
        if isinstance(values, SpikeTrain):
            values = values.to_dense(self.cells[index].like.dtype)
        return engine.driven(layer, linear(values), begin, left, shown)

    def sizes(self, index: int) -> tuple[int, ...]:
        """The features of a layer."""
        return (cast(nn.Linear, self.cells[index].linear).out_features,)

    def learn(self, signal: ChunkSignal, errors: Errors, look: int) -> None:
        """Add the gradients of all layers.

        Args:
            signal: the learning signals.
            errors: the errors of all steps.
            look: how many steps behind a chunk the signal looks at.
        """
        past = [_Past(cell) for cell in self.cells]
        single = self.batch.time <= STEPS
        for start, ran in self.kept or self.run(graph=True):
            self._learn(start, ran, signal, errors, look)
            for held, layer in zip(past, ran, strict=True):
                if layer.begin is not None:
                    held.write(layer.begin)
                if not single:
                    held.advance(layer.values)
        for p in self.net.parameters():
            if p.requires_grad and p.grad is None:
                p.grad = torch.zeros_like(p)

    def _learn(
        self, start: int, ran: list[_Ran], signal: ChunkSignal, errors: Errors, look: int
    ) -> None:
        steps, stop = len(ran[0].output), start + len(ran[0].output)
        later: list[Tensor] = []
        if look and stop < self.batch.time:
            states: list[NeuronState | None] = [layer.after.detach() for layer in ran]
            later = [layer.potentials for layer in self.piece(stop, look, states, graph=False)]
        filtered = errors.output if errors.filtered is None else errors.filtered
        spikes = [layer.output.detach() for layer in ran]
        at = Ahead(start, steps, errors.output, filtered, spikes,
                   [layer.potentials for layer in ran], later)  # fmt: skip
        signals = signal(at)
        spiking = [i for i, cell in enumerate(self.cells) if cell.spiking]
        for i, price in zip(spiking, errors.counts, strict=False):
            own = signals[i]
            signals[i] = price.expand(steps, *price.shape) if own is None else own + price
        pairs = zip(ran, signals, strict=True)
        reached = [(r.output, s) for r, s in pairs if s is not None and r.output.requires_grad]
        if reached:
            torch.autograd.backward([out for out, _ in reached], [own for _, own in reached])


def _leaf(state: NeuronState) -> NeuronState:
    return state._replace(x=state.x.requires_grad_(), i=state.i.requires_grad_())
