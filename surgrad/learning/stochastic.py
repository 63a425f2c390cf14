"""Rules for networks that spike by chance: score function, likelihood, straight-through, reward."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from surgrad.errors import ArgumentError, RuleError
from surgrad.events import SpikeTrain
from surgrad.learning.base import EVERYTHING, Batch, Need, Result, Rule, stepped
from surgrad.learning.bptt import BPTT
from surgrad.learning.cells import Cell, Fire, known, spike_of
from surgrad.learning.errors import Errors, ErrorSource, OnlineErrors
from surgrad.learning.filters import backwards, linear
from surgrad.learning.forward import Deltas, ForwardRule, Layers, Moment, Setting, Signal, inside
from surgrad.learning.samples import chosen, loss_terms
from surgrad.network import Network, Sequential, Stage
from surgrad.objectives import Loss, Objective
from surgrad.objectives.checks import one_of, positive
from surgrad.objectives.losses import VanRossum
from surgrad.spikes import Stochastic
from surgrad.tableau import Tableau

Baseline = Literal["none", "others"]


@dataclass(frozen=True)
class _Chance(ForwardRule):
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


@dataclass(frozen=True)
class Score(_Chance):
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
        """See `_Chance.decay`."""
        return 1.0

    def centred(self, cost: Tensor) -> Tensor:
        """See `_Chance.centred`."""
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


@dataclass(frozen=True)
class RewardModulated(_Chance):
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
        """See `_Chance.decay`."""
        return math.exp(-dt / self.tau)

    def centred(self, cost: Tensor) -> Tensor:
        """See `_Chance.centred`."""
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


@dataclass(frozen=True)
class Likelihood(_Chance):
    r"""Maximum likelihood of target spike trains.

    .. math:: \nabla \log P(S^*) = \sum_n \frac{(S_i^* - p_i)\, p_i'}{p_i (1 - p_i)}\,
        \epsilon_j[n]

    The last layer is given its target spikes, in its resets and recurrent weights too, and learns
    to find them likely. With hidden layers, which spike by chance, it is a lower bound that grows,
    :math:`\mathrm{E}_{h}[\log P(S^* \mid h)] \le \log P(S^*)`, by the score of the hidden spikes.

    The loss must be `van_rossum`, which says that the targets are spikes; what is reported is
    the negative log-likelihood (of a sample, in nats).

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
        """See `_Chance.decay`."""
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


@dataclass(frozen=True)
class StraightThrough(Rule):
    r"""Back-propagation through time through spikes drawn by chance, as if each were its mean.

    .. math:: \frac{\partial S}{\partial v} := p'(v)

    Biased but for linear losses of one layer, of low variance; with the escape function's
    derivative it is what a surrogate gradient is in a network without noise.

    References: Bengio, Léonard & Courville 2013; Gygax & Zenke 2025.
    """

    stochastic = True
    exact_when = "never; in expectation for a loss linear in the spikes of one layer"

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return EVERYTHING

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        for stage in stepped(net, self).stages:
            if stage.neuron.spiking:
                stochastic(stage, type(self).__name__)
        return BPTT().gradients(net, batch, loss)


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


def _samples(batch: Batch) -> int:
    return max(int((batch.valid > 0).sum()), 1)
