"""What a learning rule is: it fills the gradients of a network for a batch and a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from surgrad.errors import RuleError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.network import Network, Record, Sequential
from surgrad.objectives import Loss, Objective

Need = Literal["future", "other layers", "weight transport"]
EVERYTHING: frozenset[Need] = frozenset({"future", "other layers", "weight transport"})


class Batch(NamedTuple):
    """Inputs and what is wanted of them.

    Attributes:
        inputs: spikes or currents, `(time, batch, *features)`.
        targets: whatever the loss takes.
        lengths: the valid steps of each sample, `(batch,)`, or None where all are valid.

    Example:
        >>> batch = Batch(torch.zeros(10, 2, 3), torch.tensor([0, 1]), torch.tensor([10, 7]))
        >>> batch.time, batch.valid
        (10, tensor([10,  7]))
    """

    inputs: SpikeTrain | Tensor
    targets: Tensor | SpikeTrain
    lengths: Tensor | None = None

    @classmethod
    def of(cls, batch: tuple, net: Network) -> Batch:
        """From `(inputs, targets)` or `(inputs, targets, lengths)`, as `net` takes them."""
        if len(batch) not in (2, 3):
            raise ShapeError(
                "batch", got=f"{len(batch)} elements", expected="(inputs, targets[, lengths])"
            )
        full = cls(*batch)
        if isinstance(full.inputs, SpikeTrain):
            known = full.inputs.lengths if full.lengths is None else full.lengths
            return full._replace(lengths=known)
        return full._replace(inputs=full.inputs.transpose(0, 1)) if net.batch_first else full

    @property
    def time(self) -> int:
        """The number of steps."""
        return self.inputs.shape[0]

    @property
    def valid(self) -> Tensor:
        """The valid steps of each sample, `(batch,)`."""
        if self.lengths is not None:
            return self.lengths
        samples = self.inputs.shape[1]
        return torch.full((samples,), self.time, dtype=torch.long, device=self.inputs.device)


@dataclass(frozen=True)
class Result:
    """What a rule saw while it computed gradients.

    Attributes:
        loss: the loss without penalties, a scalar.
        output: the network's output, `(time, batch, *features)`, detached.
        counts: the spikes of each spiking layer over time, `(batch, *features)`, detached.
        penalty: the sum of the penalties, a scalar.
    """

    loss: Tensor
    output: Tensor
    counts: list[Tensor]
    penalty: Tensor

    @classmethod
    def of(cls, loss: Tensor, output: Tensor, counts: list[Tensor], penalty: Tensor) -> Result:
        """The same values without their graph."""
        return cls(loss.detach(), output.detach(), [c.detach() for c in counts], penalty.detach())


def evaluate(
    net: Network, batch: Batch, objective: Objective, output: Tensor, counts: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """The loss and the penalty of a batch, both scalars.

    Args:
        net: for the width of its time step, and its weights if penalties may be on them.
        batch: targets and lengths.
        objective: what to compute.
        output: the network's output, `(time, batch, *features)`.
        counts: the spikes of each spiking layer, `(batch, *features)`.
    """
    loss = objective.data(output, batch.targets, batch.lengths)
    return loss, objective.penalty(counts, batch.valid, net.dt, net.weights)


def spiking_counts(net: Network, record: Record) -> list[Tensor]:
    """The recorded spike counts of the layers that spike."""
    pairs = zip(net.neurons, record.layers, strict=True)
    return [layer["counts"] for neuron, layer in pairs if neuron.spiking]


class Rule(ABC):
    """A way of assigning credit.

    A subclass writes `gradients`; `surgrad.testing.check_rule` checks what it promises.

    Attributes:
        exact: of what it gives the exact gradient: of the network with the surrogate derivative
            ("surrogate"), of the spike times ("event"), of the expected loss or the likelihood of a
            stochastic network ("expectation"), or of nothing (None).
        exact_when: where that holds, in a few words.
        stochastic: whether all its neurons must spike by chance.
    """

    exact: ClassVar[Literal["surrogate", "event", "expectation"] | None] = None
    exact_when: ClassVar[str] = "never"
    stochastic: ClassVar[bool] = False

    @property
    def needs(self) -> frozenset[Need]:
        """What the rule needs at a synapse beyond its own layer's present and past.

        "future": what happens later; "other layers": their state, beyond a broadcast error;
        "weight transport": the forward weights on the way back.
        """
        return frozenset()

    def state_dict(self) -> dict[str, Tensor]:
        """What the rule has to remember from batch to batch; most remember nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        if state:
            raise RuleError(
                f"state of {type(self).__name__}",
                got=f"entries {', '.join(state)}",
                expected="nothing: this rule remembers nothing from batch to batch",
                fix="take the rule that saved it",
            )

    @abstractmethod
    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """Add the gradient of a batch to `p.grad` of all the network's parameters.

        Args:
            net: the network.
            batch: `(inputs, targets)` or `(inputs, targets, lengths)`.
            loss: a loss, or an objective that adds penalties to one.

        Returns:
            the loss and what is needed to report on the batch.

        Raises:
            RuleError: if the rule's mathematics does not hold for the network or the loss.
        """


def stepped(net: Network, rule: Rule) -> Sequential:
    """The network, for rules that need its time steps.

    Raises:
        RuleError: if it has none.
    """
    if isinstance(net, Sequential):
        return net
    raise RuleError(
        f"network under {type(rule).__name__}",
        got=f"{type(net).__name__}, which has no time steps",
        expected="a Sequential",
        fix="use BPTT, which is exact for spike times",
    )
