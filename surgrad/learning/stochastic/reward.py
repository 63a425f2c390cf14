"""Reward-modulated learning: a trace at each synapse, and one reward for all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from surgrad.learning.forward import Setting
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.errors import ErrorSource, OnlineErrors
from surgrad.learning.forward.filters import linear
from surgrad.learning.stochastic.base import Baseline, ScoreRule, less_others
from surgrad.objectives import Objective
from surgrad.objectives.checks import one_of, positive
from surgrad.tableau import Tableau


@dataclass(frozen=True)
class RewardModulated(ScoreRule):
    r"""Three factors: presynaptic trace, postsynaptic surprise, and a reward for all.

    .. math:: E_{ij}[n] = e^{-\Delta t / \tau} E_{ij}[n-1] + e_{ij}[n], \qquad
        \Delta W_{ij} \propto \sum_n (r[n] - b[n])\, E_{ij}[n]

    with `e` the score of the neuron's spike or silence and `r` minus the loss of the step (at
    the end of the sample where the loss is not additive). No error has a sign for a neuron, and
    no weight is known elsewhere. As `τ` grows this becomes `Score`.

    Args:
        tau: the trace's decay in seconds: how late a reward may come.
        baseline: "others" is the mean over the other samples of the batch, or "none".
        online: one pass, with one trace for each synapse and sample, for additive losses. Else
            two passes, with the same result.

    Example:
        >>> rule = RewardModulated(tau=50e-3)
        >>> sorted(rule.needs)  # its own layer's present and past, and one number for all
        []
        >>> round(rule.decay(1e-3), 4)
        0.9802

    References: Frémaux & Gerstner 2016, on R-max; Pfister et al. 2006; Xie & Seung 2004.
    """

    tau: float = 0.1
    baseline: Baseline = "others"
    online: bool = False

    def __post_init__(self) -> None:
        positive(self, "tau")
        one_of(self, "baseline", "none", "others")

    def two_passes(self, objective: Objective) -> bool:
        """See `ForwardRule.two_passes`."""
        return super().two_passes(objective) or not self.online

    def decay(self, dt: float) -> float:
        """See `ScoreRule.decay`."""
        return math.exp(-dt / self.tau)

    def centred(self, cost: Tensor) -> Tensor:
        """See `ScoreRule.centred`."""
        return cost if self.baseline == "none" else less_others(cost, cost.shape[-1])

    def filter_of(self, on: Setting) -> Tableau | None:
        """See `ForwardRule.filter_of`; in two passes the costs are filtered instead."""
        if self.two_passes(on.objective):
            return None
        return linear(((self.decay(on.net.dt),),), (1.0,), (1.0,))

    def filters(self, cells: list[Cell], index: int) -> bool:
        """See `ForwardRule.filters`."""
        return cells[index].spiking

    def online_errors(self, on: Setting) -> ErrorSource:
        """See `ForwardRule.online_errors`."""
        return _Rewards(self, on)


class _Rewards:
    """The error of each step, and its reward less the baseline."""

    def __init__(self, rule: RewardModulated, on: Setting) -> None:
        self.rule, self.errors, self.counts = rule, OnlineErrors(on.objective, on.batch), []

    def at(self, n: int, output: Tensor) -> tuple[Tensor, Tensor]:
        """See `ErrorSource.at`."""
        error, _ = self.errors.at(n, output)
        return error, self.rule.centred(self.errors.terms(n, output))
