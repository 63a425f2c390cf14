"""What rules for networks that spike by chance share: the score of what happened."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from surgrad.errors import RuleError
from surgrad.learning.base import Batch
from surgrad.learning.forward import Deltas, ForwardRule, Layers, Setting, Signal
from surgrad.learning.forward.cells import Fire, known, spike_of
from surgrad.learning.forward.errors import Errors
from surgrad.learning.forward.filters import backwards, linear
from surgrad.learning.samples import loss_terms
from surgrad.network import Sequential, Stage
from surgrad.spikes import Stochastic

Baseline = Literal["none", "others"]


@dataclass(frozen=True)
class ScoreRule(ForwardRule):
    r"""A rule whose eligibility is the score of what happened.

    .. math:: e_{ij}[n] = \frac{\partial}{\partial W_{ij}} \log P(S_i[n] \mid \text{past}) =
        \frac{(S_i - p_i)\, p_i'}{p_i (1 - p_i)}\, \epsilon_j[n]

    Given the spikes, what they do later is no function of the weights, so that a presynaptic trace
    is all that a neuron needs, and the score is exact for recurrent layers and any reset.
    """

    stochastic = True

    def fire(self, stage: Stage, net: Sequential, batch: Batch) -> Fire | None:
        """See `ForwardRule.fire`: by chance, with the score in place of the slope."""
        return score_fire(stage, self.name) if stage.neuron.spiking else None

    def check(self, on: Setting) -> None:
        """Refuse penalties: they are no part of the reward."""
        if on.objective.penalties:
            raise RuleError(
                f"penalties under {self.name}",
                got=", ".join(type(penalty).__name__ for penalty in on.objective.penalties),
                expected="none: a penalty is no loss of one sample",
                fix="use StraightThrough, or leave them out",
            )

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`: the advantage for neurons that spike, else the error."""

        def advantage(n: int, error: Tensor, filtered: Tensor, at: Layers) -> Deltas:
            deltas: Deltas = []
            for i, (cell, here) in enumerate(zip(on.cells, at, strict=True)):
                delta = None
                if here is not None and cell.spiking:
                    slope = here.traces.slope
                    due = filtered * (n < on.batch.valid)
                    delta = due.view(-1, *(1,) * (slope.dim() - 1)) * slope
                elif here is not None and i == len(at) - 1:
                    delta = error
                deltas.append(delta)
            return deltas

        return advantage

    @abstractmethod
    def decay(self, dt: float) -> float:
        """How much of a trace is left after a step."""

    def known_errors(
        self, on: Setting, output: Tensor, counts: list[Tensor], seen: Tensor | None
    ) -> Errors:
        """See `ForwardRule.known_errors`: `filtered` is the cost that is yet to come."""
        errors = super().known_errors(on, output, counts, seen)
        terms = loss_terms(on.objective.loss, output, on.batch)
        keep = linear(((self.decay(on.net.dt),),), (1.0,), (1.0,))
        return errors._replace(filtered=self.centred(backwards(keep, terms)))

    def centred(self, cost: Tensor) -> Tensor:
        """The costs `(..., batch)` less a baseline."""
        return cost


def less_others(cost: Tensor, group: int) -> Tensor:
    """Costs `(..., batch)` less the mean of the others in each group of `group` samples."""
    if group < 2:
        return cost
    parts = cost.unflatten(-1, (-1, group))
    others = (parts.sum(-1, keepdim=True) - parts) / (group - 1)
    return (parts - others).flatten(-2)


def stochastic(stage: Stage, rule: str) -> Stochastic:
    """The spike function of neurons that spike by chance.

    Raises:
        RuleError: if they do not.
    """
    spike = spike_of(stage)
    if not isinstance(spike, Stochastic) or not known(stage.neuron):
        raise RuleError(
            f"{stage.name} under {rule}",
            got=f"{type(stage.neuron).__name__}, {type(spike).__name__}: spikes of no probability",
            expected="neurons that spike by chance",
            fix="give the network spike=Stochastic(SigmoidEscape(10), generator), or use BPTT",
        )
    return spike


def score_fire(stage: Stage, rule: str) -> Fire:
    """Spikes by chance and their score."""
    spike = stochastic(stage, rule)

    def fire(v: Tensor, n: int) -> tuple[Tensor, Tensor]:
        s = spike(v)
        return s, spike.escape.score(v, s)

    return fire
