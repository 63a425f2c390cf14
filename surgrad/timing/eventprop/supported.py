"""What EventProp has an adjoint for, and what to do about the rest."""

from __future__ import annotations

from torch import nn

from surgrad.errors import RuleError
from surgrad.network import Sequential, Stage
from surgrad.neurons import LI, AlphaLIF, CuBaLI, CuBaLIF, SpikingNeuron
from surgrad.objectives import Loss, Objective
from surgrad.objectives.losses import (
    FirstSpikeLatency,
    LastStep,
    MeanOverTime,
    SpikeCount,
    SpikeCountError,
    SpikeRate,
    SumOverTime,
    VanRossum,
)
from surgrad.spikes import Surrogate

SMOOTH = "CuBaLIF or AlphaLIF"
LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Flatten, nn.Dropout, nn.AvgPool2d, nn.Identity)
# scores that add up the potential of each step, so that a jump of it has its price
SUMS = (SumOverTime, MeanOverTime)
COUNTS = (SpikeCount, SpikeCountError, SpikeRate)


def refuse(what: str, got: str, expected: str, fix: str) -> RuleError:
    """The error for what has no adjoint."""
    return RuleError(f"{what} under EventProp", got=got, expected=expected, fix=fix)


def check(net: Sequential, objective: Objective) -> None:
    """Refuse what the adjoint does not hold for.

    Raises:
        RuleError: for neurons, connections, losses and penalties that it does not cover.
    """
    for stage in net.stages:
        _check_neuron(stage)
        for module in stage.connection.modules():
            if not isinstance(module, (nn.Sequential, *LINEAR)):
                raise refuse(
                    f"connection of {stage.name}",
                    type(module).__name__,
                    "a linear map of spikes: "
                    + ", ".join(kind.__name__ for kind in LINEAR if kind is not nn.Identity),
                    "leave it out, or use BPTT",
                )
    if objective.penalties:
        raise refuse(
            "penalties",
            ", ".join(type(penalty).__name__ for penalty in objective.penalties),
            "none: a count does not change when a spike moves",
            "leave them out, or use BPTT",
        )
    _check_loss(net.stages[-1], objective.loss)
    if net.stages[-1].neuron.spiking and len(net.tail):
        raise refuse(
            "the last module", type(net.tail[-1]).__name__, "neurons", "put it before the neurons"
        )


def _check_neuron(stage: Stage) -> None:
    neuron, name = stage.neuron, f"{type(stage.neuron).__name__} of {stage.name}"
    if not isinstance(neuron, SpikingNeuron):
        if type(neuron) in (LI, CuBaLI):
            return
        raise refuse(name, "a read-out without an adjoint", "LI or CuBaLI", "use BPTT")
    if type(neuron) not in (CuBaLIF, AlphaLIF):
        raise refuse(
            name,
            "a membrane that jumps with its input, and so fires when an input does, whatever "
            "the weights, or that has no adjoint written",
            f"a neuron whose membrane is continuous: {SMOOTH}",
            "take neuron = 'cuba_lif', or use BPTT",
        )
    for holds, got, expected, fix in _obstacles(neuron):
        if not holds:
            raise refuse(name, got, expected, fix)


def _obstacles(neuron: SpikingNeuron) -> list[tuple[bool, str, str, str]]:
    return [
        (
            neuron.reset != "none",
            "reset = 'none', with which the number of spikes grows as steps shrink",
            "a reset",
            "take reset = 'subtract' or 'zero'",
        ),
        (
            neuron.refractory == 0,
            f"a refractory period of {neuron.refractory:g} s, whose end can set a spike's time",
            "none",
            "take refractory = 0, or use BPTT",
        ),
        (
            isinstance(neuron.spike, Surrogate | None),
            f"spikes that are {type(neuron.spike).__name__}",
            "spikes when the threshold is crossed: Surrogate, whose derivative is not used",
            "take spike = Surrogate(), or another rule",
        ),
    ]


def _check_loss(last: Stage, loss: Loss) -> None:
    name = f"loss {loss.kind}"
    if not loss.differentiable or isinstance(loss, COUNTS):
        raise refuse(
            name,
            "a number of spikes" if isinstance(loss, COUNTS) else "no gradient",
            "a loss that changes when a spike moves",
            "take van_rossum, first_spike_latency, or a read-out and its potential",
        )
    if last.neuron.spiking and not isinstance(loss, VanRossum | FirstSpikeLatency):
        raise refuse(
            name,
            "spikes as output",
            "van_rossum or first_spike_latency",
            "take one of them, or end in CuBaLI",
        )
    jumps = type(last.neuron) is LI
    if jumps and not isinstance(loss, (*SUMS, LastStep)):
        raise refuse(
            name,
            "the read-out LI, whose potential jumps with each spike, so that the loss at one "
            "time does not change smoothly when a spike moves",
            "a sum of the potential over time, or a read-out that is continuous",
            "take the read-out CuBaLI (neuron = 'cuba_li'), or the loss mean_over_time",
        )
