"""EventProp as a learning rule on the time grid of an ordinary network."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from surgrad.errors import ArgumentError
from surgrad.learning.base import EVERYTHING, Batch, Need, Result, Rule, spiking_counts, stepped
from surgrad.network import Network, Record
from surgrad.objectives import Loss, Objective, as_objective
from surgrad.timing.eventprop.layer import Layer, Upward
from surgrad.timing.eventprop.prices import of_potential, of_spikes
from surgrad.timing.eventprop.sources import sources
from surgrad.timing.eventprop.supported import SUMS, check


@dataclass(frozen=True)
class EventProp(Rule):
    r"""EventProp: the exact gradient of spike times, here to first order in the time step.

    Between spikes the adjoint variables follow the linear dynamics of the neuron backwards; at a
    spike the one of the membrane jumps by

    .. math:: -\frac{1}{\dot V} \frac{\partial L}{\partial t}

    where the derivative with respect to the spike's time has a part from the loss, one from each
    synapse that the spike went to, and one from the reset. Nothing else crosses a neuron: no
    surrogate derivative is used, silent neurons have no gradient, and memory for the way back
    grows with the spikes.

    The slope :math:`\dot V` is the rise of the potential in the step of the spike. A neuron that
    barely reaches its threshold has a slope near zero, and one over it is cut so that
    :math:`\vartheta / \dot V` is at most `longest_rise`. A neuron that a reset leaves above its
    threshold spikes again at once, an artefact of wide steps; such a spike passes nothing on.
    As the time step shrinks the gradient converges to that of the event-driven network with an
    error of order one, that of the spike times themselves. `detach_reset` is about surrogate
    derivatives and not heeded. With `max_over_time` the step of the maximum is taken as fixed:
    right where the maximum is smooth, but where the arrival of an inhibitory spike ends the rise,
    the maximum moves with that spike, and this part is left out (`EventLI.maximum`, without a
    grid, has it).

    Covered are `CuBaLIF` and `AlphaLIF` that reset, recurrent or not, with the read-outs `CuBaLI`
    (any loss of its potential) and `LI` (sums over time, the last step), or spiking outputs under
    `van_rossum` and `first_spike_latency`; dense layers, convolutions, mean pooling and dropout.

    Args:
        longest_rise: the bound of :math:`\vartheta / \dot V`, in seconds.

    Raises:
        ArgumentError: if `longest_rise` is not positive.

    Example:
        >>> from torch import nn
        >>> from surgrad.network import Sequential
        >>> from surgrad.neurons import CuBaLI, CuBaLIF
        >>> from surgrad.objectives import losses
        >>> net = Sequential(nn.Linear(3, 8), CuBaLIF(8), nn.Linear(8, 2), CuBaLI(2), dt=1e-3)
        >>> batch = torch.ones(30, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = EventProp().gradients(net, batch, losses.max_over_time)
        >>> all(p.grad.isfinite().all() for p in net.parameters())
        True

    References: Wunderlich & Pehle 2021, equations 1 to 12. Mészáros, Knight, Wunderlich & Nowotny
    2025. Differs in the grid (the derivative of the network as it is run, step by step) and in
    that no term for losses with jumps is needed: those are refused.
    """

    longest_rise: float = 0.05

    exact = "event"
    exact_when = (
        "time steps are short, no spike is about to appear or vanish, and no maximum lies on a kink"
    )

    def __post_init__(self) -> None:
        if not 0 < self.longest_rise < float("inf"):
            raise ArgumentError(
                "longest_rise of EventProp",
                got=self.longest_rise,
                expected="seconds, more than 0",
            )

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return EVERYTHING

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`.

        Raises:
            RuleError: if a neuron, a connection or the loss has no adjoint, with what has one.
        """
        net = stepped(net, self)
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        check(net, objective)
        random, record = torch.get_rng_state(), Record("s", "v", "counts")
        with torch.no_grad():
            output, _ = net.run(full.inputs, lengths=full.lengths, record=record)
        driven = sources(net, full, record, random)
        layers = [
            Layer(stage, layer, full.valid, self.longest_rise)
            for stage, layer in zip(net.stages, record.layers, strict=True)
        ]
        if layers[-1].neuron.spiking:
            value, price = of_spikes(objective.loss, full, record[-1]["s"])
            upward = Upward(price=price)
        else:
            value, error = of_potential(net, objective.loss, full, record[-1]["v"])
            upward = Upward(error=error, jumps=isinstance(objective.loss, SUMS))
        for index in range(len(layers) - 1, -1, -1):
            below = layers[index - 1] if index else None
            upward = layers[index].backwards(upward, driven[index], below)
        counts = spiking_counts(net, record)
        return Result.of(value, output, counts, value.new_zeros(()))
