"""Feedback alignment, direct and layer by layer: back-propagation through other matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from surgrad.connections import weighted
from surgrad.errors import RuleError
from surgrad.events import SpikeTrain
from surgrad.learning.base import EVERYTHING, Batch, Need, Result, Rule, evaluate
from surgrad.learning.cells import like_weights
from surgrad.learning.feedback import fixed, matrix
from surgrad.network import Sequential, Stage, each_step
from surgrad.objectives import Loss, Objective, as_objective
from surgrad.objectives.checks import one_of


@dataclass(frozen=True)
class FeedbackAlignment(Rule):
    r"""Back-propagation through time whose way down the layers goes through fixed matrices.

    .. math:: \delta^l = h(v^l) \odot B^{l+1\top} \delta^{l+1} \quad \text{instead of} \quad
        h(v^l) \odot W^{l+1\top} \delta^{l+1}

    A layer's own dynamics and its recurrent weights are differentiated as they are.

    Args:
        feedback: "random" (`B` is fixed), "sign" (:math:`B = W \odot \lfloor \xi \rfloor_+`
            with fixed :math:`\xi \sim N(1, 1/4)`, so that no sign is wrong) or "symmetric"
            (`B = W`).
        seed: of the matrices, which depend on it and on their shapes only.

    References: Lillicrap et al. 2016; Neftci, Mostafa & Zenke 2019, section V-A; the
    sign-concordant matrix is that of their tutorial on local learning.
    """

    feedback: Literal["random", "sign", "symmetric"] = "random"
    seed: int = 0

    exact = "surrogate"
    exact_when = "feedback is symmetric"

    def __post_init__(self) -> None:
        one_of(self, "feedback", "random", "sign", "symmetric")

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return EVERYTHING - {"weight transport"} if self.feedback == "random" else EVERYTHING

    def gradients(self, net: Sequential, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        values, counts = _dense(net, full), []
        for index, stage in enumerate(net.stages):
            values = self._connect(index, stage.connection, values)
            values = stage.neuron.run(values, lengths=full.lengths).output
            counts += [values.sum(0)] if stage.neuron.spiking else []
        output = self._connect(len(net.stages), net.tail, values)
        value, penalty = evaluate(net, full, objective, output, counts)
        (value + penalty).backward()
        return Result.of(value, output, counts, penalty)

    def _connect(self, index: int, connection: nn.Sequential, values: Tensor) -> Tensor:
        if not values.requires_grad or self.feedback == "symmetric":
            return each_step(connection, values)
        for module in connection:
            if getattr(module, "weight", None) is None:
                values = each_step(module, values)
            else:
                values = self._aligned(index, module, values)
        return values

    def _aligned(self, index: int, module: nn.Module, values: Tensor) -> Tensor:
        """The module forward, another one backward."""
        weight = module.get_parameter("weight")
        B = fixed(
            (len(weight), weight[0].numel()), seed=self.seed, layer=index, like=weight
        ).view_as(weight)
        if self.feedback == "sign":
            # N(1, 1/4) from the normal numbers of variance 1/n
            B = weight.detach() * (1 + 0.5 * B * weight[0].numel() ** 0.5).relu()
        flat = values.flatten(0, 1)
        back = functional_call(module, {**_none_of(module), "weight": B}, flat)
        total = module(flat.detach()) + (back - back.detach())
        return total.unflatten(0, values.shape[:2])


@dataclass(frozen=True)
class DirectFeedbackAlignment(Rule):
    r"""The error at the last layer's current, sent to every hidden layer through one matrix each.

    .. math:: \frac{\partial L}{\partial S^l[n]} :=
        B^l\, \frac{\partial L}{\partial i^{\mathrm{last}}[n]}

    In time each layer is differentiated as it is, and between layers not at all. With one
    hidden layer and `B` the transposed weights behind it, this is BPTT.

    Args:
        feedback: "random", or "symmetric": the transposed product of the weights in between.
        seed: of the matrices.

    References: Nøkland 2016; Samadi, Lillicrap & Tweed 2017 for spiking networks; Neftci,
    Mostafa & Zenke 2019, section V-A.
    """

    feedback: Literal["random", "symmetric"] = "random"
    seed: int = 0

    exact = "surrogate"
    exact_when = "one hidden layer and symmetric feedback"

    def __post_init__(self) -> None:
        one_of(self, "feedback", "random", "symmetric")

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return (
            EVERYTHING
            - {"other layers"}
            - (frozenset({"weight transport"}) if self.feedback == "random" else frozenset())
        )

    def gradients(self, net: Sequential, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        *below, last = net.stages
        if weighted(net.tail) is not None:
            raise RuleError(
                "modules behind the last neurons under DirectFeedbackAlignment",
                got=" → ".join(type(module).__name__ for module in net.tail),
                expected="none with weights: the error is taken at the last neurons' current",
                fix="put a read-out neuron (LI) behind them",
            )
        values, spikes = _dense(net, full), []
        for stage in below:
            current = each_step(stage.connection, values)
            spikes.append(stage.neuron.run(current, lengths=full.lengths).output)
            values = spikes[-1].detach().requires_grad_()
        current = each_step(last.connection, values)
        result = last.neuron.run(current, lengths=full.lengths)
        output = each_step(net.tail, result.output)
        layers = [*spikes, result.output]
        counts = [
            s.sum(0) for s, stage in zip(layers, net.stages, strict=True) if stage.neuron.spiking
        ]
        value, penalty = evaluate(net, full, objective, output, counts)
        (error,) = torch.autograd.grad(value, current, retain_graph=True)
        reached = [
            (s, e)
            for s, e in zip(spikes, self._signals(error, spikes, below, last), strict=True)
            if s.requires_grad
        ]
        torch.autograd.backward(
            [value + penalty, *(s for s, _ in reached)], [None, *(e for _, e in reached)]
        )
        return Result.of(value, output, counts, penalty)

    def _signals(
        self, error: Tensor, spikes: list[Tensor], below: list[Stage], last: Stage
    ) -> list[Tensor]:
        """The learning signal of each hidden layer, of the shape of its spikes."""
        signals: list[Tensor] = []
        if self.feedback == "random":
            flat = error.flatten(2)
            for index, s in enumerate(spikes):
                B = matrix(s[0, 0].numel(), flat.shape[2], "random", self.seed, index, flat)
                signals.append((flat @ B.T).view_as(s))
            return signals
        behind = [*below[1:], last]
        for s, stage in zip(reversed(spikes), reversed(behind), strict=True):
            leaf = s.detach().requires_grad_()
            (error,) = torch.autograd.grad(each_step(stage.connection, leaf), leaf, error)
            signals.insert(0, error)
        return signals


def _dense(net: Sequential, batch: Batch) -> Tensor:
    inputs = batch.inputs
    return inputs.to_dense(like_weights(net).dtype) if isinstance(inputs, SpikeTrain) else inputs


def _none_of(module: nn.Module) -> dict[str, Tensor]:
    """Zeros in place of all parameters."""
    return {name: torch.zeros_like(p) for name, p in module.named_parameters()}
