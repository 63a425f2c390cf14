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

from surgrad.connections import each_step
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState
from surgrad.learning.base import Batch
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.errors import Errors
from surgrad.learning.forward.past import Past
from surgrad.learning.forward.traces import collapses
from surgrad.learning.windows import window
from surgrad.network import Sequential, by_events
from surgrad.neurons import Neuron
from surgrad.spikes import Surrogate
from surgrad.tableau import Tableau

STEPS = 100
AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
# what may be between spikes and a linear map: nothing that is drawn by chance
FRONTS = (nn.Flatten, *AVERAGES, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
States = list[NeuronState | None]


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


def matrix_of(cell: Cell) -> Tensor | None:
    """The weights in front of a layer, where they are all that is there."""
    plain = all(type(module) is nn.Flatten for module in cell.front)
    return cell.linear.weight.detach() if plain and isinstance(cell.linear, nn.Linear) else None


def carries_back(cell: Cell) -> bool:
    """Whether `back` knows the way: what comes in has no part in it."""
    return all(type(module) in (nn.Flatten, *AVERAGES) for module in cell.front)


def back(cell: Cell, errors: Tensor, like: Tensor) -> Tensor:
    """Errors at the current of a layer, to what comes in.

    Args:
        cell: the layer.
        errors: `(steps, batch, *features)`.
        like: gives the shape of what comes in behind its first axis.
    """
    matrix = matrix_of(cell)
    if matrix is not None:
        return (errors @ matrix).view(*errors.shape[:2], *like.shape[2:])
    with torch.enable_grad():
        into = errors.new_zeros(*errors.shape[:2], *like.shape[2:]).requires_grad_()
        return torch.autograd.grad(each_step(cell.stage.connection, into), into, errors)[0]


def slope(cell: Cell, v: Tensor) -> Tensor:
    """The factor of the eligibility at membrane potentials, 1 for a read-out."""
    return torch.ones_like(v) if cell.fire is None else cell.fire(v - cell.tableau.theta, 0)[1]


def hindrance(net: Sequential, cells: list[Cell]) -> str | None:
    """Why a network cannot be run in chunks; None where it can."""
    asked = engine.obstacle(None, torch.zeros(()))
    if asked is not None:
        return asked
    if cells[0].like.device.type != "cpu":
        return "chunks are for the CPU"
    if len(net.tail):
        return "there are modules behind the last neurons"
    for cell in cells:
        if cell.linear is None or any(type(module) not in FRONTS for module in cell.front):
            return f"{cell.stage.name} is not behind a linear map, or pooling and one"
        if type(cell.stage.neuron).run is not Neuron.run:
            return f"{cell.stage.name} has dynamics of its own"
        if cell.spiking and not isinstance(cell.stage.neuron.layer().spike, Surrogate):
            return f"the spikes of {cell.stage.name} have no surrogate derivative"
    return None


class _Ran(NamedTuple):
    """A layer over a chunk.

    The graph of `learns`, which the signals are the gradients of, goes to the layer's own
    parameters and to `begin`.
    """

    begin: NeuronState | None
    learns: Tensor
    output: Tensor
    potentials: Tensor
    counts: Tensor
    after: NeuronState
    came: SpikeTrain | Tensor


class Chunks:
    """A network over a batch, a chunk at a time, every layer with a graph of its own.

    Args:
        net: the network.
        cells: its stages, taken apart.
        batch: the batch.
        through: whether a weight acts through its neuron's own spikes.
        memories: the tableau of each layer's traces where that is not the neuron's; then signals
            are gradients at the membrane potential, else at the output.
    """

    def __init__(
        self,
        net: Sequential,
        cells: list[Cell],
        batch: Batch,
        *,
        through: bool,
        memories: list[Tableau] | None = None,
    ) -> None:
        self.net, self.cells, self.batch, self.through = net, cells, batch, through
        self.memories = memories
        self.stages = net.stages
        self.single = batch.time <= STEPS
        # one trace a presynaptic unit is all that there is to the past
        self.traced = memories is not None or all(
            collapses(cell.tableau, through_spikes=through)
            and not any(constant.learn for constant in cell.stage.neuron.constants.values())
            for cell in cells
        )
        self.kept: list[tuple[int, list[_Ran]]] = []
        self.begun: list[tuple[int, States]] = []

    def forward(self) -> tuple[Tensor, list[Tensor]]:
        """The output of all steps, and the spike counts of the layers that spike."""
        output: Tensor | None = None
        counts: list[Tensor] = []
        for start, ran in self.run(graph=self.single):
            if self.single:
                # what fits one chunk need not be run again
                self.kept.append((start, ran))
            piece = ran[-1].output.detach()
            if output is None:
                output = piece.new_empty(self.batch.time, *piece.shape[1:])
            output[start : start + len(piece)] = piece
            new = [r.counts for r, c in zip(ran, self.cells, strict=True) if c.spiking]
            counts = [a + b for a, b in zip(counts, new, strict=True)] if counts else new
        return cast(Tensor, output), counts

    def run(self, *, graph: bool) -> Iterator[tuple[int, list[_Ran]]]:
        """The start and the layers of one chunk after the other."""
        states: States = [None] * len(self.cells)
        for start in range(0, self.batch.time, STEPS):
            if not self.traced:
                self.begun.append((start, states))
            ran = self.piece(start, STEPS, states, graph=graph)
            yield start, ran
            states = [layer.after.detach() for layer in ran]

    def piece(self, start: int, steps: int, states: States, *, graph: bool) -> list[_Ran]:
        """All layers over some steps."""
        values, left = window(self.batch, start, steps)
        if not isinstance(values, SpikeTrain):
            values = values.to(self.cells[0].like)
        events = engine.Events.of(values) if isinstance(values, SpikeTrain) else None
        if isinstance(values, SpikeTrain) and not engine.sparse(values):
            events = None
        found: list[_Ran] = []
        for index, before in enumerate(states):
            apart = self.memories is not None
            begin = _leaf(before) if graph and before is not None and not apart else before
            with torch.set_grad_enabled(graph and not apart):
                shown = engine.Shown(True, True, self._onward(index))
                run = index, values, events, left
                came, outcome = self._layer(self._neurons(index), shown, begin, *run)
            out, v, after = outcome.scan
            learns = out
            if graph and self.memories is not None:
                # the filter is linear, so that its gradient does not depend on where it begins
                order = self.memories[index].order
                nothing = NeuronState(*(torch.zeros_like(part) for part in after))
                begin = _leaf(nothing._replace(x=nothing.s.expand(order, *nothing.s.shape)))
                remembering = engine.Layer(self.memories[index], None)
                with torch.enable_grad():
                    learns = self._layer(remembering, engine.Shown(), begin, *run)[1].scan.v
            counts = outcome.counts if outcome.counts is not None else out.detach().sum(0)
            found.append(_Ran(begin, learns, out, v.detach(), counts.detach(), after, came))
            values, events = out.detach(), outcome.events
            events = None if events is None else events._replace(carrier=None)
        return found

    def _neurons(self, index: int) -> engine.Layer:
        """The neurons, cut off from each other."""
        layer = self.stages[index].neuron.layer()._replace(local=True)
        if self.through:
            return layer
        tableau = layer.tableau
        return layer._replace(tableau=tableau._replace(detached=(True,) * tableau.order))

    def _layer(
        self,
        layer: engine.Layer,
        shown: engine.Shown,
        begin: NeuronState | None,
        index: int,
        values: SpikeTrain | Tensor,
        events: engine.Events | None,
        left: Tensor | None,
    ) -> tuple[SpikeTrain | Tensor, engine.Outcome]:
        """What came into the linear map, and what the neurons behind it did."""
        stage, cell = self.stages[index], self.cells[index]
        linear = by_events(stage, values.shape[2:])
        if events is not None and linear is not None:
            weights = linear.weight, linear.bias
            return values, engine.connected(layer, events, *weights, begin, left, shown)
        if isinstance(values, SpikeTrain):
            values = values.to_dense(cell.like.dtype)
        came = each_step(cell.front, values)
        current = each_step(cast(nn.Module, cell.linear), came)
        return came.detach(), engine.driven(layer, current, begin, left, shown)

    def _onward(self, index: int) -> Tensor | None:
        """The weights of the next connection, if events drive it."""
        linear, neuron = self.cells[index].linear, self.stages[index].neuron
        units = (linear.out_features,) if isinstance(linear, nn.Linear) else neuron.size
        if index + 1 == len(self.stages) or units is None:
            return None
        following = by_events(self.stages[index + 1], units)
        return None if following is None else following.weight.detach()

    def learn(self, signal: ChunkSignal, errors: Errors, look: int) -> None:
        """Add the gradients of all layers.

        Args:
            signal: the learning signals.
            errors: the errors of all steps.
            look: how many steps behind a chunk the signal looks at.
        """
        if self.traced and not self.single:
            memories = self.memories or [cell.tableau for cell in self.cells]
            past = [Past(*pair) for pair in zip(self.cells, memories, strict=True)]
            for start, ran in self.run(graph=True):
                self._learn(start, ran, signal, errors, look)
                for held, layer in zip(past, ran, strict=True):
                    if layer.begin is not None:
                        held.write(layer.begin)
                    held.advance(layer.came, layer.output.detach())
        else:
            self._backwards(signal, errors, look)
        for p in self.net.parameters():
            if p.requires_grad and p.grad is None:
                p.grad = torch.zeros_like(p)

    def _backwards(self, signal: ChunkSignal, errors: Errors, look: int) -> None:
        """From the last chunk to the first, where the state at the start of each was kept."""
        later: list[NeuronState | None] | None = None
        kept = dict(self.kept)
        rest: States = [None] * len(self.cells)
        for start, states in reversed(self.begun or [(0, rest)]):
            ran = kept.get(start) or self.piece(start, STEPS, states, graph=True)
            self._learn(start, ran, signal, errors, look, later)
            later = [layer.begin for layer in ran]

    def _learn(
        self,
        start: int,
        ran: list[_Ran],
        signal: ChunkSignal,
        errors: Errors,
        look: int,
        following: States | None = None,
    ) -> None:
        """Add the gradients of a chunk; `following` are the states that the next one began with."""
        steps, stop = len(ran[0].output), start + len(ran[0].output)
        later: list[Tensor] = []
        if look and stop < self.batch.time:
            states: States = [layer.after.detach() for layer in ran]
            later = [layer.potentials for layer in self.piece(stop, look, states, graph=False)]
        filtered = errors.output if errors.filtered is None else errors.filtered
        spikes = [layer.output.detach() for layer in ran]
        at = Ahead(start, steps, errors.output, filtered, spikes,
                   [layer.potentials for layer in ran], later)  # fmt: skip
        signals = signal(at)
        spiking = [i for i, cell in enumerate(self.cells) if cell.spiking]
        for i, price in zip(spiking, errors.counts, strict=False):
            own, due = signals[i], price.expand(steps, *price.shape)
            if self.memories is not None:
                due = due * slope(self.cells[i], ran[i].potentials)
            signals[i] = due if own is None else own + due
        pairs = [(r.learns, s) for r, s in zip(ran, signals, strict=True) if s is not None]
        for layer, begin in zip(ran, following or [], strict=False):
            if begin is not None:
                parts = zip(layer.after, begin, strict=True)
                pairs += [(value, leaf.grad) for value, leaf in parts if leaf.grad is not None]
        reached = [(value, error) for value, error in pairs if value.requires_grad]
        if reached:
            torch.autograd.backward([v for v, _ in reached], [e for _, e in reached])


def _leaf(state: NeuronState) -> NeuronState:
    x, s, i = (part.detach().requires_grad_() for part in state[:3])
    return state._replace(x=x, s=s, i=i)
