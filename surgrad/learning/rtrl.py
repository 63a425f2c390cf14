"""Real-time recurrent learning: the sensitivity of the state to every weight, carried along."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vmap

from surgrad.connections import each_step, weighted
from surgrad.errors import ArgumentError
from surgrad.kernels.scan import NeuronState, rest
from surgrad.learning.base import Batch, Need, Result, Rule, evaluate, stepped
from surgrad.learning.eprop import EProp
from surgrad.learning.forward import frames, inside
from surgrad.learning.forward.cells import known, like_weights
from surgrad.learning.forward.errors import ErrorSource, OnlineErrors, errors_of
from surgrad.learning.forward.traces import add_gradient
from surgrad.learning.reach import reach
from surgrad.network import Network, Sequential, Stage
from surgrad.neurons import Neuron, SpikingNeuron
from surgrad.objectives import Loss, Objective, as_objective

Pieces = tuple[Tensor, ...]


@dataclass(frozen=True)
class RTRL(Rule):
    r"""Real-time recurrent learning: the gradient of BPTT, forward in time.

    With the state `x` of the whole network and all its parameters `θ`,

    .. math::
        P[n] = \frac{\partial x[n]}{\partial x[n-1]} P[n-1] + \frac{\partial x[n]}{\partial \theta},
        \qquad \frac{\partial L}{\partial \theta} = \sum_n \frac{\partial L}{\partial y[n]}
        \frac{\partial y[n]}{\partial x[n]} P[n]

    in forward mode through the network itself, so that biases, recurrent weights, time constants,
    thresholds and any reset are in it. `P` has O(N³) numbers for a recurrent layer of N neurons and
    does not grow with time; a step takes O(N⁴) operations. For small networks.

    With an additive loss and no penalties there is one pass; else a first pass computes the errors.
    Random modules (dropout) must draw the same in both.

    Where one layer without recurrent weights feeds a read-out, or nothing, a weight reaches its own
    neuron only and `P` collapses to the eligibility traces of `EProp`: O(N) numbers if the reset is
    detached. These are carried then, in the two passes of `EProp`, with the same result.

    Args:
        chunk: how many parameters are carried at a time within a step.
        collapse: whether to carry traces where `P` collapses; else it is carried whole.

    Example:
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> net = Sequential(nn.Linear(2, 3), LIF(3), nn.Linear(3, 2), LI(2), dt=1e-3)
        >>> batch = torch.ones(8, 2, 2), torch.tensor([0, 1])
        >>> result = RTRL().gradients(net, batch, losses.every_step)
        >>> all(p.grad is not None for p in net.parameters())
        True

    References: Williams & Zipser 1989; Neftci, Mostafa & Zenke 2019, section III.
    """

    chunk: int = 256
    collapse: bool = True

    exact = "surrogate"
    exact_when = "always"

    def __post_init__(self) -> None:
        if self.chunk < 1:
            raise ArgumentError("chunk of a rule", got=self.chunk, expected="1 or more parameters")

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return frozenset({"other layers", "weight transport"})

    def mask(self, stage: Stage) -> Tensor | None:
        """Which neurons' sensitivity to which of the stage's parameters is kept; None for all."""
        return None

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        net = stepped(net, self)
        if self.collapse and collapses(net):
            return EProp().gradients(net, batch, loss)
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        with torch.no_grad(), warnings.catch_warnings():
            # PyTorch's forward mode uses what PyTorch deprecates
            warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
            return self._run(net, full, objective)

    def _run(self, net: Sequential, batch: Batch, objective: Objective) -> Result:
        errors: ErrorSource = OnlineErrors(objective, batch)
        if objective.penalties or not objective.loss.additive:
            random = torch.get_rng_state()
            first = _gather(net, batch, _states(_units(net), net, batch))
            errors = errors_of(objective, batch, net, *first)
            torch.set_rng_state(random)
        units = _units(net)
        influence = _Influence(units, [self.mask(stage) for stage in net.stages], self.chunk)
        steps = _states(units, net, batch, influence)
        output, counts = _gather(net, batch, _learning(steps, influence, errors, batch, net))
        influence.write()
        value, penalty = evaluate(net, batch, objective, output, counts)
        return Result.of(value, output, counts, penalty)


@dataclass(frozen=True)
class SnAp(RTRL):
    r"""RTRL with a sparse sensitivity: only what a weight reaches within a few steps is kept.

    A weight first changes its own neuron, a step later the neurons that this one projects to by
    recurrent weights, and so on. With `order=1` the sensitivity of a recurrent layer to its own
    weights is diagonal; each further order adds a step. The layers behind get what is kept. Whether
    a recurrent weight exists is read from the weights: those that are zero do not count.

    The sparse numbers are computed densely here, as the definition: memory and time are those
    of `RTRL`. `EProp` is the order 1 of one recurrent layer at a fraction of the cost.

    Args:
        chunk: as in `RTRL`.
        collapse: as in `RTRL`.
        order: the steps, 1 or more.

    Example:
        >>> from surgrad.neurons import LIF
        >>> net = Sequential(nn.Linear(1, 3, bias=False), LIF(3, recurrent=True), dt=1e-3)
        >>> net[1].recurrent.weight.data = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        >>> SnAp(order=2).mask(net.stages[0])[0]  # of the weight onto the first of a chain
        tensor([ True,  True, False])

    References: Menick et al. 2021, sections 3.1 and 3.2.
    """

    order: int = 1

    exact_when = "no layer is recurrent, or the order reaches every neuron"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order < 1:
            raise ArgumentError("order of SnAp", got=self.order, expected="1 or more steps")

    def mask(self, stage: Stage) -> Tensor | None:
        """See `RTRL.mask`."""
        return reach(stage, self.order)


def collapses(net: Sequential) -> bool:
    """Whether a weight reaches no neuron but its own, and from there at most a read-out."""
    first, *rest = net.stages
    spiking = isinstance(first.neuron, SpikingNeuron) and first.neuron.recurrent is None
    read_out = len(rest) == 1 and not rest[0].neuron.spiking and not len(net.tail)
    plain = all(isinstance(weighted(s.connection), nn.Linear) for s in net.stages)
    usual = all(known(s.neuron) for s in net.stages)
    return spiking and usual and plain and (read_out or not rest)


class _Unit(nn.Module):
    """A stage as a function of one step, or the modules behind the last one."""

    neuron: Neuron | None

    def __init__(self, connection: nn.Sequential, neuron: Neuron | None) -> None:
        super().__init__()
        self.connection, self.neuron = connection, neuron

    def forward(self, values: Tensor, *state: Tensor) -> Pieces:
        current = each_step(self.connection, values.unsqueeze(0))
        if self.neuron is None:
            return (current[0],)
        result = self.neuron.run(current, NeuronState(*state))
        return (result.output[0], *result.state)


class _Step(NamedTuple):
    """One step: what came into each unit and its state before, and what came out."""

    n: int
    values: list[Tensor]
    before: list[Pieces]
    out: list[Tensor]


class _Influence:
    """`∂/∂θ` of the state and the output of each unit, one block for each unit of parameters."""

    def __init__(self, units: list[_Unit], masks: list[Tensor | None], chunk: int) -> None:
        self.units, self.masks, self.chunk = units, masks, chunk
        self.parameters = [
            {name: p for name, p in unit.named_parameters() if p.requires_grad} for unit in units
        ]
        self.sizes = [sum(p.numel() for p in group.values()) for group in self.parameters]
        self.states: dict[tuple[int, int], Pieces] = {}
        self.outputs: dict[tuple[int, int], Tensor] = {}
        self.gradients = [torch.zeros(size, dtype=torch.float64) for size in self.sizes]

    def advance(self, index: int, values: Tensor, state: Pieces) -> None:
        """Carry all blocks through a unit."""
        for owner in range(index + 1):
            if self.sizes[owner]:
                pieces = self._push(owner, index, values, state)
                self.outputs[owner, index], self.states[owner, index] = pieces[0], pieces[1:]

    def _push(self, owner: int, index: int, values: Tensor, state: Pieces) -> Pieces:
        unit, group, own = self.units[index], self.parameters[index], owner == index
        flat = torch.cat([p.detach().double().flatten() for p in group.values()] or [values[:0]])

        def run(flat: Tensor, values: Tensor, *state: Tensor) -> Pieces:
            return functional_call(unit, _unflatten(flat, group), (values, *state))

        size = self.sizes[owner]
        axes: list[int | None] = [0 if own else None, None if own else 0]
        moved: list[Tensor] = [
            torch.eye(size, dtype=flat.dtype) if own else torch.zeros_like(flat),
            torch.zeros_like(values) if own else self.outputs[owner, index - 1],
        ]
        held = self.states.get((owner, index))
        moved += held if held is not None else [torch.zeros_like(part) for part in state]
        axes += [None if held is None else 0] * len(state)

        def push(*tangents: Tensor) -> Pieces:
            return jvp(run, (flat, values, *state), tangents)[1]

        many = vmap(push, tuple(axes), randomness="same", chunk_size=self.chunk)
        pieces = many(*moved)
        mask = self.masks[index] if own and index < len(self.masks) else None
        return pieces if mask is None else tuple(_kept(piece, mask) for piece in pieces)

    def learn(self, index: int, error: Tensor) -> None:
        """Add the gradient of an error at the output of a unit."""
        for owner in range(index + 1):
            if self.sizes[owner]:
                flat = self.outputs[owner, index].flatten(1).double()
                self.gradients[owner] += flat @ error.flatten().double()

    def write(self) -> None:
        """Add all gradients to `p.grad`."""
        for gradient, group in zip(self.gradients, self.parameters, strict=True):
            for name, piece in _unflatten(gradient, group).items():
                add_gradient(group[name], piece)


def _units(net: Sequential) -> list[_Unit]:
    units = [_Unit(stage.connection, stage.neuron) for stage in net.stages]
    return [*units, _Unit(net.tail, None)] if len(net.tail) else units


def _states(
    units: list[_Unit], net: Sequential, batch: Batch, influence: _Influence | None = None
) -> Iterator[_Step]:
    """Run the units step by step."""
    states: list[Pieces | None] = [None] * len(units)
    for n, values in enumerate(frames(batch, like_weights(net))):
        step = _Step(n, [], [], [])
        for index, unit in enumerate(units):
            before = states[index] or _start(unit, values)
            random = torch.get_rng_state()
            pieces = unit(values, *before)
            if influence is not None:
                torch.set_rng_state(random)
                influence.advance(index, values, before)
            step.values.append(values)
            step.before.append(before)
            values, states[index] = pieces[0], pieces[1:]
            if index == len(net.stages) - 1:
                values = torch.where(inside(n, batch.valid, values), values, 0.0)
            step.out.append(values)
        yield step


def _start(unit: _Unit, values: Tensor) -> Pieces:
    if unit.neuron is None:
        return ()
    like = each_step(unit.connection, values.unsqueeze(0))[0]
    return tuple(rest(unit.neuron.dynamics(), like))


def _learning(
    steps: Iterator[_Step],
    influence: _Influence,
    errors: ErrorSource,
    batch: Batch,
    net: Sequential,
) -> Iterator[_Step]:
    spiking = [index for index, neuron in enumerate(net.neurons) if neuron.spiking]
    for step in steps:
        error, _ = errors.at(step.n, step.out[-1])
        influence.learn(len(step.out) - 1, error)
        for index, price in zip(spiking, errors.counts, strict=False):
            influence.learn(index, price * inside(step.n, batch.valid, price))
        yield step


def _gather(net: Sequential, batch: Batch, steps: Iterator[_Step]) -> tuple[Tensor, list[Tensor]]:
    """The output and the spike counts of a run."""
    spiking = [index for index, neuron in enumerate(net.neurons) if neuron.spiking]
    outputs, counts = [], [torch.zeros(())] * len(spiking)
    for step in steps:
        outputs.append(step.out[-1])
        spikes = [step.out[i] * inside(step.n, batch.valid, step.out[i]) for i in spiking]
        counts = [a + b for a, b in zip(counts, spikes, strict=True)]
    return torch.stack(outputs), counts


def _unflatten(flat: Tensor, group: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    pieces = flat.split([p.numel() for p in group.values()])
    return {
        name: piece.view(p.shape).to(p.dtype)
        for (name, p), piece in zip(group.items(), pieces, strict=True)
    }


def _kept(piece: Tensor, mask: Tensor) -> Tensor:
    """Zero out what is not kept; `piece` is `(parameters, ..., features)`."""
    return piece * mask.view(len(mask), *(1,) * (piece.dim() - 2), -1).to(piece)
