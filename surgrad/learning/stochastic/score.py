"""The score function: the loss that follows, times the score of what happened."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.learning.base import Batch, Need, Result
from surgrad.learning.samples import chosen
from surgrad.learning.stochastic.base import Baseline, ScoreRule, less_others
from surgrad.network import Network
from surgrad.objectives import Loss, Objective
from surgrad.objectives.checks import one_of


@dataclass(frozen=True)
class Score(ScoreRule):
    r"""The score function (REINFORCE): the loss that follows, times the score of what happened.

    .. math:: \nabla\, \mathrm{E}[L] = \mathrm{E}\Big[ \sum_n (R[n] - b)\,
        \nabla \log P(S[n] \mid \text{past}) \Big] + \mathrm{E}[\nabla_{\text{read-out}} L]

    `R[n]` is the part of the sample's loss that comes at or after step n (the whole loss, unless it
    is additive). A read-out is differentiated as it is. Unbiased for any loss and any depth,
    and noisy: the more so the more neurons there are.

    Args:
        baseline: "others" is the mean of the other draws of the sample, or with one draw of the
            other samples of the batch, which leaves the gradient unbiased; or "none".
        draws: how often each sample is run.

    Example:
        >>> from surgrad.network import Sequential
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> from surgrad.spikes import SigmoidEscape, Stochastic
        >>> spike = Stochastic(SigmoidEscape(10), torch.Generator().manual_seed(0))
        >>> layers = torch.nn.Linear(3, 8), LIF(8), torch.nn.Linear(8, 2), LI(2)
        >>> net = Sequential(*layers, dt=1e-3, spike=spike)
        >>> batch = torch.ones(10, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = Score(draws=16).gradients(net, batch, losses.max_over_time)
        >>> result.output.shape  # that of the first draw
        torch.Size([10, 4, 2])

    References: Williams 1992; Weaver & Tao 2001 for the baseline; Neftci, Mostafa & Zenke
    2019, section IV-A2.
    """

    baseline: Baseline = "others"
    draws: int = 1

    exact = "expectation"
    exact_when = "all spiking neurons are stochastic"

    def __post_init__(self) -> None:
        one_of(self, "baseline", "none", "others")
        if self.draws < 1:
            raise ArgumentError("draws of Score", got=self.draws, expected="1 or more")

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return frozenset({"future"})

    def two_passes(self, objective: Objective) -> bool:
        """Always: what follows must be known."""
        return True

    def decay(self, dt: float) -> float:
        """See `ScoreRule.decay`."""
        return 1.0

    def centred(self, cost: Tensor) -> Tensor:
        """See `ScoreRule.centred`."""
        if self.baseline == "none":
            return cost
        return less_others(cost, self.draws if self.draws > 1 else cost.shape[-1])

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`; the result has the first draw of each sample."""
        if self.draws == 1:
            return super().gradients(net, batch, loss)
        full = Batch.of(batch, net)
        samples = torch.arange(len(full.valid), device=full.valid.device)
        many = chosen(full, samples.repeat_interleave(self.draws))
        if net.batch_first and isinstance(many.inputs, Tensor):
            many = many._replace(inputs=many.inputs.transpose(0, 1))
        result = super().gradients(net, many, loss)
        counts = [layer[:: self.draws] for layer in result.counts]
        return Result(result.loss, result.output[:, :: self.draws], counts, result.penalty)
