"""Maximum likelihood of target spike trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from surgrad.errors import RuleError
from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch, Need
from surgrad.learning.forward import Deltas, Layers, Moment, Setting, Signal, inside
from surgrad.learning.forward.cells import Fire
from surgrad.learning.forward.errors import Errors
from surgrad.learning.forward.filters import backwards, linear
from surgrad.learning.stochastic.base import ScoreRule, less_others, stochastic
from surgrad.network import Sequential, Stage
from surgrad.objectives import Objective
from surgrad.objectives.losses import VanRossum


@dataclass(frozen=True)
class Likelihood(ScoreRule):
    r"""Maximum likelihood of target spike trains.

    .. math:: \nabla \log P(S^*) = \sum_n \frac{(S_i^* - p_i)\, p_i'}{p_i (1 - p_i)}\,
        \epsilon_j[n]

    The last layer is given its target spikes, in its resets and recurrent weights too, and learns
    to find them likely. With hidden layers, which spike by chance, it is a lower bound that grows,
    :math:`\mathrm{E}_{h}[\log P(S^* \mid h)] \le \log P(S^*)`, by the score of the hidden spikes.

    The loss must be `van_rossum`, which says that the targets are spikes; what is reported is
    the negative log-likelihood (of a sample, in nats).

    Example:
        >>> from surgrad.network import Sequential
        >>> from surgrad.neurons import LIF
        >>> from surgrad.objectives import losses
        >>> from surgrad.spikes import SigmoidEscape, Stochastic
        >>> spike = Stochastic(SigmoidEscape(10), torch.Generator().manual_seed(0))
        >>> net = Sequential(torch.nn.Linear(3, 2), LIF(2), dt=1e-3, spike=spike)
        >>> net[0].weight.data.zero_().sum()
        tensor(0.)
        >>> silence = torch.zeros(10, 4, 2)
        >>> result = Likelihood().gradients(net, (torch.ones(10, 4, 3), silence), losses.van_rossum)
        >>> each = torch.log1p(torch.exp(torch.tensor(-10.0)))  # -log(1 - σ(-10)) of a step
        >>> torch.allclose(result.loss, 10 * 2 * each)
        True

    References: Pfister, Toyoizumi, Barber & Gerstner 2006; Jimenez
    Rezende & Gerstner 2014 for the bound, here with the network itself as the posterior; Brea, Senn
    & Pfister 2013.
    """

    exact = "expectation"
    exact_when = "there is one layer (of the likelihood), or several (of its lower bound)"

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return frozenset()

    def fire(self, stage: Stage, net: Sequential, batch: Batch) -> Fire | None:
        """See `ForwardRule.fire`: the last layer is given its target spikes."""
        free = super().fire(stage, net, batch)
        if stage.neuron is not net.neurons[-1] or not stage.neuron.spiking:
            return free
        targets = batch.targets
        given = targets.to_dense() if isinstance(targets, SpikeTrain) else targets
        escape = stochastic(stage, self.name).escape

        def forced(v: Tensor, n: int) -> tuple[Tensor, Tensor]:
            return given[n].to(v), escape.score(v, given[n].to(v))

        return forced

    def check(self, on: Setting) -> None:
        """Refuse networks without visible spikes, and losses that are about something else."""
        super().check(on)
        last, targets = on.cells[-1], on.batch.targets
        fits = last.spiking and not len(on.net.tail) and not last.refractory
        if not fits or not isinstance(on.objective.loss, VanRossum):
            raise RuleError(
                f"{last.stage.name} with the loss {on.objective.loss.kind} under Likelihood",
                got="no spikes whose likelihood is defined",
                expected="a network that ends in stochastic neurons without a refractory time, "
                "target spike trains, and the loss van_rossum",
                fix="use Score or StraightThrough for other losses",
            )
        values = targets.to_dense() if isinstance(targets, SpikeTrain) else targets
        if values.dim() < 3 or not ((values == 0) | (values == 1)).all():
            raise RuleError(
                "targets under Likelihood",
                got=f"shape {tuple(values.shape)}",
                expected="spikes, 0 or 1, (time, batch, *features)",
            )

    def two_passes(self, objective: Objective) -> bool:
        """Always: hidden spikes are judged by what follows."""
        return True

    def decay(self, dt: float) -> float:
        """See `ScoreRule.decay`."""
        return 1.0

    def observe(self, on: Setting, moment: Moment) -> Tensor:
        """Minus the log-likelihood of the target's step, `(batch,)`."""
        cell, after = on.cells[-1], moment.after[-1]
        v = cell.dynamics.membrane(after.x) - cell.dynamics.theta
        own = stochastic(cell.stage, self.name).escape.log_likelihood(v, after.s)
        return -own.flatten(1).sum(1) * (moment.n < on.batch.valid)

    def known_errors(
        self, on: Setting, output: Tensor, counts: list[Tensor], seen: Tensor | None
    ) -> Errors:
        """See `ForwardRule.known_errors`."""
        cost = cast(Tensor, seen) / _samples(on.batch)
        following = backwards(linear(((1.0,),), (1.0,), (1.0,)), cost)
        return Errors(torch.zeros_like(output), [], less_others(following, cost.shape[-1]))

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`: the last layer is certain of its spikes."""
        hidden, share = super().signal(on), 1.0 / _samples(on.batch)

        def given(n: int, error: Tensor, filtered: Tensor, at: Layers) -> Deltas:
            deltas, here = hidden(n, error, filtered, at), at[-1]
            if here is not None:
                slope = here.traces.slope
                deltas[-1] = -share * slope * inside(n, on.batch.valid, slope)
            return deltas

        return given

    def value(
        self, on: Setting, output: Tensor, counts: list[Tensor], seen: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """See `ForwardRule.value`."""
        return cast(Tensor, seen).sum() / _samples(on.batch), output.new_zeros(())


def _samples(batch: Batch) -> int:
    return max(int((batch.valid > 0).sum()), 1)
