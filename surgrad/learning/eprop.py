"""e-prop, and online training through time: eligibility traces and errors that go straight back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from surgrad.errors import ArgumentError, RuleError
from surgrad.learning.base import Need
from surgrad.learning.forward import ForwardRule, Setting, Signal, delays
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.chunks import Ahead, ChunkSignal, back, carries_back, shifted, slope
from surgrad.learning.forward.feedback import Broadcast, Follower, matrix, through_layers
from surgrad.objectives import Objective
from surgrad.objectives.checks import one_of
from surgrad.tableau import Tableau


@dataclass(frozen=True)
class EProp(ForwardRule):
    r"""Eligibility propagation: a synapse's trace times an error that is broadcast to its neuron.

    .. math::
        \frac{dE}{dW_{ji}} \approx \sum_n L_j[n]\, \bar e_{ji}[n], \qquad
        e_{ji}[n] = h(v_j[n])\, c \cdot G_{ji}[n], \qquad
        L_j[n] = \sum_k B_{jk} \frac{\partial E}{\partial y_k[n]}

    `G` is the neuron's own sensitivity, see `surgrad.learning.forward.traces`: for `LIF` a low-pass
    filter of the presynaptic spikes, for `ALIF` with a slow second component. The bar is the
    read-out's filter `κ`. What is left out is what the neuron's spikes do to it by way of other
    neurons.
    Time constants and thresholds that are learnable have traces of their own.

    Rates are regularised by the penalties of the objective, whose gradient at the spike counts is a
    further learning signal.

    Args:
        feedback: "symmetric" (`B` is the transposed read-out; through the product of the weights in
            between for layers further down, without their slopes, so that the alignment is weak
            there), "random", or "adaptive": random at first, and for the layer in front of the
            read-out `B` goes along with the read-out's updates, see `Follower`. Then a rule belongs
            to one network, and `state_dict` is part of its checkpoint.
        kappa: "readout" filters the eligibility with the read-out's own dynamics, "none" does not.
        online: one pass, with a filtered trace for each synapse, where the loss is additive and
            there are no penalties. Else two passes with errors that are filtered backwards: the
            same gradient, one trace a presynaptic unit and the errors of all steps in memory.
        seed: of random feedback.
        decay: of adaptive feedback, in an update: what the optimiser takes off the read-out
            (`lr · weight_decay` of AdamW and SGD). More would need to know the read-out's weights.

    Example:
        >>> import torch
        >>> from surgrad.network import Sequential
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> net = Sequential(torch.nn.Linear(3, 8), LIF(8), torch.nn.Linear(8, 2), LI(2), dt=1e-3)
        >>> batch = torch.ones(10, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = EProp(feedback="random").gradients(net, batch, losses.every_step)
        >>> all(p.grad is not None for p in net.parameters())
        True

    References: Bellec et al. 2020, "Mathematical basis for e-prop" and its methods. They leave the
    reset out of `G`; here it is as the neuron's `detach_reset` says. The filter is exact for any
    read-out, where theirs is an exponential.
    """

    feedback: Literal["symmetric", "random", "adaptive"] = "symmetric"
    kappa: Literal["readout", "none"] = "readout"
    online: bool = False
    seed: int = 0
    decay: float = 0.0
    follower: Follower = field(default_factory=Follower, init=False, repr=False, compare=False)

    through_spikes = True
    exact = "surrogate"
    exact_when = (
        "one spiking layer without recurrent weights, behind it nothing or a read-out with "
        "symmetric feedback and its filter"
    )

    def __post_init__(self) -> None:
        one_of(self, "feedback", "symmetric", "random", "adaptive")
        one_of(self, "kappa", "readout", "none")
        if not 0 <= self.decay < 1:
            raise ArgumentError("decay of EProp", got=self.decay, expected="in [0, 1)")

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return frozenset({"weight transport"} if self.feedback == "symmetric" else ())

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`."""
        return self._way(on.cells)

    def chunk_signal(self, on: Setting) -> ChunkSignal | None:
        """See `ForwardRule.chunk_signal`."""
        if self.feedback == "symmetric" and not all(map(carries_back, on.cells[1:])):
            return None
        way, lags = self._way(on.cells), self.lags(on.cells)
        return lambda at: way.over(at, lags)

    def state_dict(self) -> dict[str, Tensor]:
        """See `Rule.state_dict`."""
        return self.follower.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """See `Rule.load_state_dict`."""
        self.follower.load_state_dict(state)

    def _way(self, cells: list[Cell]) -> Broadcast:
        way, last = Broadcast(cells, self.feedback, self.seed), len(cells) - 1
        if self.feedback != "adaptive" or not last:
            return way
        linear, size = cells[last].linear, cells[last - 1].stage.neuron.size
        neurons = linear.in_features if isinstance(linear, nn.Linear) else 0
        if not isinstance(linear, nn.Linear) or (size and math.prod(size) != neurons):
            raise RuleError(
                "read-out under EProp with adaptive feedback",
                got=str(linear),
                expected="a Linear from all neurons of the layer in front of it",
                fix="set feedback='random' or 'symmetric'",
            )
        weight = linear.weight.detach()
        start = matrix(neurons, len(weight), "random", self.seed, last - 1, weight)
        way.matrices[last - 1] = self.follower.look(weight, start.T, decay=self.decay).T
        return way

    def filter_of(self, on: Setting) -> Tableau | None:
        """See `ForwardRule.filter_of`."""
        last = on.cells[-1]
        return None if last.spiking or self.kappa == "none" else last.tableau

    def lags(self, cells: list[Cell]) -> list[int]:
        """See `ForwardRule.lags`."""
        filtered = not cells[-1].spiking and self.kappa == "readout"
        return delays(cells, skip_last=filtered)

    def two_passes(self, objective: Objective) -> bool:
        """See `ForwardRule.two_passes`."""
        return super().two_passes(objective) or (self.kappa == "readout" and not self.online)


@dataclass(frozen=True)
class OTTT(ForwardRule):
    r"""Online training through time: presynaptic traces, and back-propagation within each step.

    .. math::
        \frac{dE}{dW^l_{ji}} \approx \sum_n \delta^l_j[n]\, \epsilon_i[n], \qquad
        \delta^l[n] = h(v^l[n]) \odot W^{l+1\top} \delta^{l+1}[n]

    with :math:`\epsilon` the tableau's response to the presynaptic spikes. Between layers only the
    first effect of a spike counts: where it comes `d` steps later, the trace waits for the error.
    Memory does not grow with time.

    Example:
        >>> sorted(OTTT().needs)  # and nothing of the future
        ['other layers', 'weight transport']

    References: Xiao et al. 2022, section 4 (their neurons are LIF with d = 0); Bohnstingl et al.
    2023 for the spatial part (OSTL without its residual).
    """

    exact = "surrogate"
    exact_when = (
        "one spiking layer without recurrent weights and with a detached reset, no read-out"
    )

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return frozenset({"other layers", "weight transport"})

    def lags(self, cells: list[Cell]) -> list[int]:
        """See `ForwardRule.lags`."""
        return delays(cells)

    def chunk_signal(self, on: Setting) -> ChunkSignal | None:
        """See `ForwardRule.chunk_signal`."""
        cells, lags = on.cells, self.lags(on.cells)
        if any(cell.refractory or not carries_back(cell) for cell in cells[1:]):
            return None

        def spatial(at: Ahead) -> list[Tensor | None]:
            steps = [cell.response()[0] for cell in cells]
            gains = [cell.response()[1] for cell in cells]
            # from the last layer on, over all the steps that layers below look at
            reached = shifted(at.error, at.start + lags[-1], at.steps + lags[0] - lags[-1])
            found: list[Tensor | None] = [None] * len(cells)
            for i in reversed(range(len(cells))):
                if i + 1 < len(cells):
                    v = torch.cat([at.potentials[i + 1], *at.later[i + 1 : i + 2]])
                    ahead = reached[: len(v)] * slope(cells[i + 1], v)[: len(reached)]
                    below = at.spikes[i]
                    reached = back(cells[i + 1], ahead * gains[i + 1], below)[steps[i + 1] :]
                found[i] = shifted(reached, 0, at.steps)
            return found

        return spatial

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`."""
        gains = [cell.response()[1] for cell in on.cells]
        return through_layers(on.cells, lambda i, n: gains[i], lambda cell, slope: slope)
