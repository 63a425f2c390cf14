"""Spike-timing-dependent plasticity, alone and with a reward, as rules on ordinary networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from surgrad.connections import each_step
from surgrad.errors import ArgumentError, RuleError
from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch, Need, Result, Rule, evaluate, spiking_counts, stepped
from surgrad.learning.samples import loss_terms
from surgrad.network import Network, Record, Sequential, Stage
from surgrad.neurons import SpikingNeuron
from surgrad.objectives import Loss, Objective, as_objective, predict
from surgrad.objectives.checks import one_of, positive
from surgrad.plasticity.pairs import Amplitudes, Decays, sums
from surgrad.plasticity.taps import Taps


@dataclass(frozen=True)
class STDP(Rule):
    r"""Pairs and triplets of spikes change the weight between them; nobody asks for a loss.

    .. math::
        \Delta w_{ij} = f_+(w_{ij}) \sum_n S_i[n]\, r_j[n]\, (A_2^+ + A_3^+ o'_i[n])
        - f_-(w_{ij}) \sum_n S_j[n]\, o_i[n]\, (A_2^- + A_3^- r'_j[n])

    with the traces `r` and `o` of the pre- and the postsynaptic spikes, which decay with τ₊ and
    τ₋, and the slow ones `r'` and `o'` of the triplets. All are read before the spikes of the
    step are added, so that spikes at the same time change nothing; where an input acts in its
    own step (`delay=0`) they are a cause and its effect, and potentiate. For one pair this is
    the window :math:`A_2^+ e^{-\Delta t / \tau_+}` and :math:`-A_2^- e^{\Delta t / \tau_-}`.

    What is added to `p.grad` is minus the mean change over the samples: `torch.optim.SGD` with a
    learning rate of 1 makes it. The weights onto spiking layers change, recurrent ones too; that of
    a convolution by the sum over the synapses that share it. A read-out learns from the loss with
    its own gradient, no error passes below it; the rest stays.

    Args:
        a_plus: :math:`A_2^+`, in units of the weight, per pair.
        a_minus: :math:`A_2^-`.
        a_plus_triplet: :math:`A_3^+`, zero for pairs only.
        a_minus_triplet: :math:`A_3^-`.
        tau_plus: of the presynaptic trace, in seconds.
        tau_minus: of the postsynaptic trace.
        tau_plus_slow: of the slow presynaptic trace.
        tau_minus_slow: of the slow postsynaptic trace.
        pairing: whether a trace remembers "all" spikes or the "nearest".
        bounds: "hard" cuts weights at `w_min` and `w_max`; "soft" multiplies potentiation with
            the distance to `w_max` and depression with that to `w_min`; "none" is for weights of
            either sign.
        w_min: the smallest weight.
        w_max: the largest.
        target_rate: of a neuron in hertz, for synaptic scaling; None for none.
        scaling: by which share of themselves weights grow for each hertz that is missing.
        norm: the sum of the magnitudes of a neuron's input weights after the step; None leaves it
            free.

    Raises:
        ArgumentError: if a time constant is not positive, or the bounds are in the wrong order.

    References: Song, Miller & Abbott 2000 (hard bounds); van Rossum, Bi & Turrigiano 2000 (soft
    ones, scaling); Pfister & Gerstner 2006, for triplets, and their all-to-all and nearest-spike
    schemes; Morrison, Diesmann & Gerstner 2008, for the pairings; Kheradpisheh et al.
    2018, for convolutions, where a map learns at the place of its first spike only, here at all.
    Weights change between batches, not within.
    """

    a_plus: float = 0.01
    a_minus: float = 0.01
    a_plus_triplet: float = 0.0
    a_minus_triplet: float = 0.0
    tau_plus: float = 20e-3
    tau_minus: float = 20e-3
    tau_plus_slow: float = 100e-3
    tau_minus_slow: float = 125e-3
    pairing: Literal["all", "nearest"] = "all"
    bounds: Literal["none", "hard", "soft"] = "none"
    w_min: float = 0.0
    w_max: float = 1.0
    target_rate: float | None = None
    scaling: float = 0.0
    norm: float | None = None

    def __post_init__(self) -> None:
        positive(self, "tau_plus", "tau_minus", "tau_plus_slow", "tau_minus_slow")
        one_of(self, "pairing", "all", "nearest")
        one_of(self, "bounds", "none", "hard", "soft")
        if not self.w_min < self.w_max:
            raise ArgumentError("w_min", got=self.w_min, expected=f"below w_max = {self.w_max:g}")

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`: nothing beyond the two neurons."""
        return frozenset()

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        net = stepped(net, self)
        given, objective = Batch.of(batch, net), as_objective(loss, net.dt)
        record, stages = Record("s", "counts"), net.stages
        with torch.no_grad():
            output, _ = net.run(given.inputs, lengths=given.lengths, record=record)
            counts = spiking_counts(net, record)
            value, penalty = evaluate(net, given, objective, output, counts)
            gains = self.gains(net, given, objective, output)
            pre: SpikeTrain | Tensor = given.inputs
            for stage, layer in zip(stages, record.layers, strict=True):
                if isinstance(stage.neuron, SpikingNeuron):
                    *pools, module = _modules(stage, type(self).__name__)
                    pre, post = _pooled(pre, pools), _train(layer["s"], given)
                    before = _train(pre, given, stage.name)
                    self._learn(stage.neuron, module, before, post, gains, net.dt)
                    pre = layer["s"]
        if not stages[-1].neuron.spiking:
            _read(net, stages, pre, given, objective)
        for parameter in net.parameters():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return Result.of(value, output, counts, penalty)

    def gains(self, net: Sequential, batch: Batch, objective: Objective, output: Tensor) -> Tensor:
        """What a pair counts for that is complete in a step, `(batch, time)`."""
        steps = torch.arange(batch.time)
        return (steps < batch.valid.cpu()[:, None]).float()

    def _learn(
        self,
        neuron: SpikingNeuron,
        module: Any,
        pre: SpikeTrain,
        post: SpikeTrain,
        gains: Tensor,
        dt: float,
    ) -> None:
        """The changes of the weights onto one layer."""
        sources = [(module, pre, neuron.delay == 0)]
        if neuron.recurrent is not None:
            sources.append((neuron.recurrent, post, False))
        taus = (self.tau_plus, self.tau_minus, self.tau_plus_slow, self.tau_minus_slow)
        amplitudes = Amplitudes(
            self.a_plus, self.a_minus, self.a_plus_triplet, self.a_minus_triplet
        )
        for module, source, at_once in sources:
            weight = module.weight
            if not weight.requires_grad:
                continue
            up, down = sums(
                source,
                post,
                gains,
                amplitudes,
                Decays(*(math.exp(-dt / tau) for tau in taus)),
                taps=Taps.of(module, source.features),
                nearest=self.pairing == "nearest",
                at_once=at_once,
            )
            up, down = (part.reshape(weight.shape).to(weight) for part in (up, down))
            change = self._change(weight.detach(), up, down, post, dt)
            weight.grad = -change if weight.grad is None else weight.grad - change

    def _change(self, w: Tensor, up: Tensor, down: Tensor, post: SpikeTrain, dt: float) -> Tensor:
        """From the sums of pairs to the step of each weight."""
        if self.bounds == "soft":
            up, down = up * (self.w_max - w), down * (w - self.w_min)
        after = w + (up - down) / max(post.batch, 1)
        if self.target_rate is not None:
            seconds = float(post.valid.sum()) * dt
            # a map of neurons that share their weights has one rate
            counts = post.counts().sum(0).view(len(w), -1).to(w).mean(1)
            missing = self.target_rate - counts / max(seconds, dt)
            after = after + self.scaling * missing.view(-1, *(1,) * (w.dim() - 1)) * w
        if self.bounds != "none":
            after = after.clamp(self.w_min, self.w_max)
        if self.norm is not None:
            total = after.abs().sum([*range(1, w.dim())], keepdim=True)
            after = torch.where(total > 0, after * (self.norm / total), after)
        return after - w


@dataclass(frozen=True)
class RSTDP(STDP):
    r"""STDP with a third factor: pairs leave an eligibility, a later reward makes it a change.

    .. math::
        e_{ij}[n] = e^{-\Delta t/\tau_e} e_{ij}[n-1] + \mathrm{STDP}_{ij}[n], \qquad
        \Delta w_{ij} = \sum_n M[n]\, e_{ij}[n]

    The reward comes `delay` after the end of a sample. As all is linear, the sums are exchanged
    and no synapse needs a trace of its own here: a pair counts for what the reward will find of
    it.

    Args:
        tau_e: decay of the eligibility in seconds.
        delay: seconds from the end of a sample to its reward.
        reward: "right" is +1 for a right answer and -1 for a wrong one, "loss" is minus the
            sample's loss.
        baseline: what is taken from the reward, the mean over the "others" of the batch or "none".

    References: Izhikevich 2007; Florian 2007; Frémaux & Gerstner 2016.
    """

    tau_e: float = 0.5
    delay: float = 0.0
    reward: Literal["right", "loss"] = "right"
    baseline: Literal["others", "none"] = "others"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "tau_e")
        one_of(self, "reward", "right", "loss")
        one_of(self, "baseline", "others", "none")
        if self.delay < 0:
            raise ArgumentError("delay of RSTDP", got=self.delay, expected="seconds, 0 or more")

    def gains(self, net: Sequential, batch: Batch, objective: Objective, output: Tensor) -> Tensor:
        """See `STDP.gains`: the reward, as much as is left of the eligibility by then."""
        valid = batch.valid.cpu()
        left = valid[:, None] - 1 - torch.arange(batch.time)
        kept = torch.exp(-(left * net.dt + self.delay) / self.tau_e)
        reward = self._reward(batch, objective, output).cpu()
        if self.baseline == "others" and len(reward) > 1:
            reward = (reward - reward.mean()) * len(reward) / (len(reward) - 1)
        return torch.where(left >= 0, kept * reward[:, None].float(), 0.0)

    def _reward(self, batch: Batch, objective: Objective, output: Tensor) -> Tensor:
        if self.reward == "loss":
            return -loss_terms(objective.loss, output, batch).sum(0) * output.shape[1]
        targets = batch.targets
        if not isinstance(targets, Tensor) or targets.dim() != 1 or targets.is_floating_point():
            raise RuleError(
                "targets under RSTDP",
                got="no class for each sample",
                expected="classes (batch,)",
                fix='set reward = "loss"',
            )
        said = predict(objective, output, batch.lengths, targets)
        return 2.0 * (said == targets).float() - 1.0


def _train(values: SpikeTrain | Tensor, batch: Batch, place: str = "") -> SpikeTrain:
    """Spikes as events, without those in the padding."""
    if isinstance(values, SpikeTrain):
        return values
    spikes = values.detach().cpu()
    if batch.lengths is not None:
        inside = torch.arange(batch.time)[:, None] < batch.lengths.cpu()
        spikes = spikes * inside.view(*inside.shape, *(1,) * (spikes.dim() - 2))
    if not ((spikes == 0) | (spikes == 1)).all():
        raise RuleError(
            f"{f'the input of {place}' if place else 'the output of a layer'} under STDP",
            got="values that are no spikes",
            expected="spikes, 0 or 1",
            fix="encode the data as spikes, e.g. with surgrad.data.encoders.poisson"
            if place
            else "take spike=Surrogate(), and neurons whose output is their spikes",
        )
    return SpikeTrain.from_dense(spikes)


def _modules(stage: Stage, rule: str) -> list[nn.Module]:
    """Max pooling, if any, and the one module with weights onto a layer.

    Raises:
        RuleError: if there is something else.
    """
    modules = [m for m in stage.connection if not isinstance(m, nn.Flatten | nn.Dropout)]
    *pools, last = modules or [nn.Identity()]
    weighted = isinstance(last, nn.Linear | nn.Conv1d | nn.Conv2d)
    if not weighted or not all(isinstance(m, nn.MaxPool1d | nn.MaxPool2d) for m in pools):
        raise RuleError(
            f"{stage.name} under {rule}",
            got=", ".join(type(m).__name__ for m in modules) or "no weights",
            expected="one nn.Linear, nn.Conv1d or nn.Conv2d, behind max pooling or nothing",
            fix="what is no spike has no time: use a gradient rule for other modules",
        )
    return modules


def _pooled(values: SpikeTrain | Tensor, pools: list[nn.Module]) -> SpikeTrain | Tensor:
    """Spikes behind max pooling: one where there is any."""
    if pools:
        values = values.to_dense() if isinstance(values, SpikeTrain) else values
    for pool in pools:
        values = each_step(pool, cast(Tensor, values))
    return values


def _read(
    net: Sequential,
    stages: list[Stage],
    spikes: SpikeTrain | Tensor,
    batch: Batch,
    objective: Objective,
) -> None:
    """The gradient of the loss for the read-out alone."""
    last = stages[-1]
    values = spikes.to_dense(net._dtype) if isinstance(spikes, SpikeTrain) else spikes
    with torch.enable_grad():
        potential, _ = last.neuron(
            each_step(last.connection, values.detach()), lengths=batch.lengths
        )
        loss = objective.data(each_step(net.tail, potential), batch.targets, batch.lengths)
        parts = [last.connection, last.neuron, net.tail]
        wanted = [p for part in parts for p in part.parameters() if p.requires_grad]
        if not wanted:
            return
        found = torch.autograd.grad(loss, wanted, allow_unused=True)
    for parameter, gradient in zip(wanted, found, strict=True):
        if gradient is not None:
            old = parameter.grad
            parameter.grad = gradient if old is None else old + gradient
