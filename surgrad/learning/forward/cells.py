"""One layer of a network, one step at a time: what the rules that run forward in time share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from surgrad.connections import weighted
from surgrad.errors import RuleError
from surgrad.network import Sequential, Stage
from surgrad.neurons import Neuron, NonlinearNeuron, SpikingNeuron
from surgrad.neurons.nonlinear import Steps
from surgrad.spikes import SpikeFunction, Surrogate
from surgrad.tableau import Tableau, steps_of

Fire = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""From `v = U - ϑ` and the step, the spikes and the factor of the eligibility trace."""


class CellState(NamedTuple):
    """A layer after one step.

    Attributes:
        x: the state components, each `(batch, *features)`.
        s: the spikes, or the membrane potential of a read-out.
        slope: the surrogate derivative at this step, or what a rule has in its place.
        hold: the steps for which a neuron is still refractory.
        values: what came into the connection, `(batch, *presynaptic)`; a leaf of a graph.
        pre: the same at the linear map, behind pooling and dropout.
        current: the linear map's output, which acts in the next step where the delay is one.
        acting: the `pre` that acted on this state; None where nothing has arrived yet.
        drive: the current that acted, the recurrent one included.
    """

    x: list[Tensor]
    s: Tensor
    slope: Tensor
    hold: Tensor
    values: Tensor
    pre: Tensor
    current: Tensor
    acting: Tensor | None
    drive: Tensor


@dataclass(frozen=True)
class Cell:
    """A stage of a network, taken apart.

    Attributes:
        stage: where it comes from.
        front: the modules before the linear map, without parameters.
        linear: the linear map, or None.
        dynamics: the neuron, in the dtype of the network, without a graph.
        fire: spikes and their slope; None for a read-out.
        recurrent: the weights onto itself.
        refractory: steps after a spike.
        like: a scalar of the dtype and on the device of the network.
    """

    stage: Stage
    front: nn.Sequential
    linear: nn.Module | None
    dynamics: Tableau | Steps
    fire: Fire | None
    recurrent: Tensor | None
    refractory: int
    like: Tensor

    @property
    def spiking(self) -> bool:
        """Whether the neurons spike."""
        return self.fire is not None

    @property
    def tableau(self) -> Tableau:
        """The neuron as a linear system; a `RuleError` if it is none."""
        dynamics = self.dynamics
        return dynamics if isinstance(dynamics, Tableau) else self.stage.neuron.tableau()

    def step(self, before: CellState | None, values: Tensor, n: int) -> CellState:
        """The layer one step later; `values` is what comes in, `(batch, *presynaptic)`."""
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            pre = self.front(leaf) if len(self.front) else leaf
        current = pre.detach() if self.linear is None else self.linear(pre.detach())
        start = before is None
        before = before or self._rest(current, leaf, pre)
        late = bool(self.dynamics.delay)
        drive = before.current if late else current
        if self.recurrent is not None:
            drive = drive + before.s @ self.recurrent.T
        x = self.dynamics.advance(before.x, drive, before.s)
        s = self.dynamics.membrane(x)
        slope, hold = torch.ones_like(s), before.hold
        if self.fire is not None:
            s, slope = self.fire(s - self.dynamics.theta, n)
            if self.refractory:
                free = before.hold <= 0
                s, slope = s * free, slope * free
                hold = torch.where(s > 0.5, float(self.refractory), hold - 1)
        acting = (None if start else before.pre.detach()) if late else pre.detach()
        return CellState(x, s, slope, hold, leaf, pre, current, acting, drive)

    def _rest(self, current: Tensor, leaf: Tensor, pre: Tensor) -> CellState:
        zero = torch.zeros_like(current)
        return CellState(
            [zero] * self.dynamics.order, zero, zero, zero, leaf, pre, zero, None, zero
        )

    def back(self, signal: Tensor, at: CellState) -> Tensor:
        """Carry a gradient at the current of a step back to the values that came in.

        Args:
            signal: `(batch, *features)`.
            at: the layer in the step in which the values came in.
        """
        if self.linear is None:
            reached = signal
        else:
            with torch.enable_grad():
                into = at.pre.detach().requires_grad_()
                (reached,) = torch.autograd.grad(self.linear(into), into, signal)
        if not len(self.front):
            return reached
        return torch.autograd.grad(at.pre, at.values, reached, retain_graph=True)[0]

    def response(self) -> tuple[int, float]:
        """The steps until an incoming spike has an effect, and the size of that first effect."""
        steps = self.dynamics.order + 1
        kernel = self.stage.neuron.linearised().kernel(steps).reshape(steps, -1)
        first = int((kernel.abs().amax(1) > 0).nonzero()[0])
        return first + self.dynamics.delay, float(kernel[first].mean())


def surrogate_fire(spike: SpikeFunction) -> Fire:
    """Spikes and the derivative that the spike function has in a backward pass."""

    def fire(v: Tensor, n: int) -> tuple[Tensor, Tensor]:
        if isinstance(spike, Surrogate):
            return spike(v), spike.derivative.h(v)
        with torch.enable_grad():
            leaf = v.detach().requires_grad_()
            s = spike(leaf)
            (slope,) = torch.autograd.grad(s.sum(), leaf)
        return s.detach(), slope

    return fire


def cells_of(
    net: Sequential, rule: str, fire: Callable[[Stage], Fire | None] | None = None
) -> list[Cell]:
    """The stages of a network, taken apart.

    Args:
        net: the network.
        rule: the name of the rule, for errors.
        fire: how the neurons of a stage fire; None for their own spike function.

    Raises:
        RuleError: if a connection is not one linear map behind modules without parameters.
    """
    like = like_weights(net)

    def fires(stage: Stage) -> Fire:
        own = fire(stage) if fire else None
        return own or surrogate_fire(spike_of(stage))

    return [_cell(stage, rule, fires(stage), like) for stage in net.stages]


def like_weights(net: nn.Module) -> Tensor:
    """A scalar of the dtype and on the device of a network's weights."""
    # not those of any parameter: time constants are kept in float64
    weights = (p for name, p in net.named_parameters() if not name.endswith("raw"))
    return next(weights, torch.zeros(())).detach().new_zeros(())


def spike_of(stage: Stage) -> SpikeFunction:
    """The spike function of a stage's neurons."""
    neuron = stage.neuron
    return (isinstance(neuron, SpikingNeuron) and neuron.spike) or Surrogate()


def _cell(stage: Stage, rule: str, fire: Fire, like: Tensor) -> Cell:
    neuron, modules = stage.neuron, list(stage.connection)
    linear = weighted(stage.connection)
    front = modules if linear is None else modules[:-1]
    fits = linear is None or (
        modules[-1] is linear and isinstance(linear, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
    )
    if not fits or any(True for module in front for _ in module.parameters()):
        raise RuleError(
            f"connection of {stage.name} under {rule}",
            got=" → ".join(type(module).__name__ for module in modules),
            expected="one linear map (Linear, Conv1d, Conv2d, Conv3d), behind modules without "
            "parameters: its traces are those of the presynaptic spikes",
            fix="reorder the modules, or use BPTT or TruncatedBPTT",
        )
    spikes = isinstance(neuron, SpikingNeuron)
    recurrent = neuron.recurrent if spikes else None
    return Cell(
        stage,
        nn.Sequential(*front),
        linear,
        _dynamics(stage, rule).to(like),
        fire if spikes else None,
        None if recurrent is None else recurrent.weight.detach(),
        steps_of(neuron.refractory, neuron.step) if spikes and neuron.refractory else 0,
        like,
    )


def known(neuron: Neuron) -> bool:
    """Whether a neuron does what its tableau or its step says, and nothing else."""
    return isinstance(neuron, NonlinearNeuron) or type(neuron).run is Neuron.run


def _dynamics(stage: Stage, rule: str) -> Tableau | Steps:
    neuron = stage.neuron
    if not known(neuron):
        raise RuleError(
            f"{type(neuron).__name__} of {stage.name} under {rule}",
            got="neurons whose output is more than their spikes",
            expected="neurons that are their tableau, or a step",
            fix="use BPTT or TruncatedBPTT",
        )
    if isinstance(neuron, NonlinearNeuron):
        with torch.no_grad():
            return neuron.dynamics()
    return neuron.tableau().map(torch.Tensor.detach)


def delays(cells: list[Cell], *, skip_last: bool = False) -> list[int]:
    """The steps from each layer's spikes to their first effect on the output.

    Args:
        cells: the layers.
        skip_last: leave out the last layer, whose filter has its delay.
    """
    responses = [cell.response()[0] for cell in cells]
    if skip_last:
        responses[-1] = 0
    return [sum(responses[i + 1 :]) for i in range(len(cells))]
