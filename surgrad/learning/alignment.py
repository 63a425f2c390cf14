"""Feedback alignment, direct and layer by layer: back-propagation through other matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, cast

import torch
from torch import Tensor, nn

from surgrad.connections import OtherWayBack, each_step, weighted
from surgrad.errors import RuleError
from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState
from surgrad.learning.base import EVERYTHING, Need, Result, Rule, stepped
from surgrad.learning.bptt import BPTT
from surgrad.learning.forward.feedback import fixed, matrix
from surgrad.network import Network, Sequential, State, Values, by_events
from surgrad.neurons import Neuron
from surgrad.objectives import Loss, Objective
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

    Example:
        >>> sorted(FeedbackAlignment("symmetric").needs - FeedbackAlignment("random").needs)
        ['weight transport']

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

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        return BPTT().gradients(self._aligned(stepped(net, self)), batch, loss)

    def _aligned(self, net: Sequential) -> Sequential:
        """The network with other ways back, which shares all parameters."""
        modules: list[nn.Module] = []
        behind = 0
        for module in net:
            weight = getattr(module, "weight", None)
            if behind and isinstance(weight, nn.Parameter):
                module = OtherWayBack(module, self._matrix(behind, weight))
            modules.append(module)
            behind += isinstance(module, Neuron)
        return Sequential(*modules, input_rate=None, batch_first=net.batch_first)

    def _matrix(self, layer: int, weight: Tensor) -> Tensor:
        if self.feedback == "symmetric":
            return weight
        shape = len(weight), weight[0].numel()
        B = fixed(shape, seed=self.seed, layer=layer, like=weight).view_as(weight)
        if self.feedback == "random":
            return B
        # N(1, 1/4) from the normal numbers of variance 1/n
        return weight.detach() * (1 + 0.5 * B * shape[1] ** 0.5).relu()


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

    Example:
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> net = Sequential(nn.Linear(3, 8), LIF(8), nn.Linear(8, 2), LI(2), dt=1e-3)
        >>> batch = torch.ones(10, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = DirectFeedbackAlignment(seed=1).gradients(net, batch, losses.max_over_time)
        >>> all(p.grad is not None for p in net.parameters())
        True

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

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        net = stepped(net, self)
        if weighted(net.tail) is not None:
            raise RuleError(
                "modules behind the last neurons under DirectFeedbackAlignment",
                got=" → ".join(type(module).__name__ for module in net.tail),
                expected="none with weights: the error is taken at the last neurons' current",
                fix="put a read-out neuron (LI) behind them",
            )
        return BPTT().gradients(_Direct(net, self), batch, loss)


class _Direct(Sequential):
    """A network with the same numbers, whose last current sends its gradient to all layers.

    Args:
        net: the network, with which all parameters are shared.
        rule: how it gets there.
    """

    def __init__(self, net: Sequential, rule: DirectFeedbackAlignment) -> None:
        super().__init__(*net, input_rate=None, batch_first=net.batch_first)
        self.rule = rule

    def _results(
        self,
        values: Values,
        state: State | None,
        lengths: Tensor | None,
        fields: Sequence[str],
    ) -> Iterator[engine.Outcome]:
        """As that of `Sequential`; no gradient comes back from the stage above."""
        stages, below = self.stages, []
        before = [None] * len(stages) if state is None else state
        for stage, held, way in zip(stages[:-1], before[:-1], self._matrices(), strict=True):
            shown = engine.Shown(way is None or "s" in fields, "v" in fields, way)
            result = self._stage(stage, values, held, lengths, shown)
            below.append(result)
            scan, events = result.scan, result.events
            values = scan.output.detach() if events is None else events._replace(carrier=None)
            yield result
        shown = engine.Shown(potentials="v" in fields)
        yield self._last(values, below, before[-1], lengths, shown)

    def _last(
        self,
        values: Values,
        below: list[engine.Outcome],
        state: NeuronState | None,
        lengths: Tensor | None,
        shown: engine.Shown,
    ) -> engine.Outcome:
        """The last stage; the gradient of its current goes to all `below`."""
        last = self.stages[-1]
        if isinstance(values, engine.Events):
            carriers = [r.events.carrier for r in below if r.events is not None]
            found = [carrier for carrier in carriers if carrier is not None]
            values = values._replace(carrier=sum(found[1:], found[0]) if found else None)
        if not below or isinstance(values, engine.Events):
            return self._stage(last, values, state, lengths, shown)
        current = each_step(last.connection, cast(Tensor, values))
        spikes = [result.scan.output for result in below]
        current = current + self._ways(spikes, current)
        return engine.Outcome(last.neuron.run(current, state, lengths=lengths), None, None)

    def _matrices(self) -> Sequence[Tensor | None]:
        """`Bᵀ` of each hidden layer, `(outputs, neurons)`, where events drive all behind it."""
        below, units = self.stages[:-1], None
        linears = []
        for stage in self.stages:
            linear = None if units is None else by_events(stage, units)
            linears.append(linear)
            first = weighted(stage.connection)
            size = (first.out_features,) if isinstance(first, nn.Linear) else None
            units = stage.neuron.size or size
        if None in linears[1:]:
            return [None] * len(below)
        weights = [linear.weight.detach() for linear in linears if linear is not None]
        if self.rule.feedback == "symmetric":
            return list(accumulate(reversed(weights), torch.mm))[::-1]
        sizes = [weight.shape[1] for weight in weights]
        return [self._random(i, n, len(weights[-1]), weights[-1]).T for i, n in enumerate(sizes)]

    def _ways(self, spikes: list[Tensor], current: Tensor) -> Tensor:
        """Zeros of the shape of the last current, whose gradient goes to the spikes."""
        total = torch.zeros_like(current)
        if self.rule.feedback == "symmetric":
            carry: Tensor | float = 0.0
            for s, stage in zip(spikes, self.stages[1:], strict=True):
                carry = total = _Through.apply(s + carry, stage.connection)
            return total
        flat = current.flatten(2)
        for index, s in enumerate(spikes):
            back = s.flatten(2) @ self._random(index, s[0, 0].numel(), flat.shape[2], flat)
            total = total + (back - back.detach()).view_as(current)
        return total

    def _random(self, layer: int, neurons: int, outputs: int, like: Tensor) -> Tensor:
        return matrix(neurons, outputs, "random", self.rule.seed, layer, like)


class _Through(torch.autograd.Function):
    """Zeros whose gradient goes through a connection to what came in, and not to its weights."""

    @staticmethod
    def forward(ctx, values: Tensor, connection: nn.Sequential) -> Tensor:
        ctx.save_for_backward(values)
        ctx.connection = connection
        return torch.zeros_like(each_step(connection, values))

    @staticmethod
    def backward(ctx, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            reached = each_step(ctx.connection, leaf)
            return torch.autograd.grad(reached, leaf, grad_outputs)[0], None
