"""An objective: a loss and penalties on the activity, what a learning rule takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import Module

from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.objectives.base import Loss
from surgrad.objectives.losses import EveryStep, MeanOverTime
from surgrad.objectives.regularisers import Regulariser
from surgrad.objectives.weights import WeightRegulariser


@dataclass(frozen=True)
class FunctionLoss(Loss):
    """A user's function as a loss.

    Args:
        function: takes `(output, targets)`, and `lengths` if it has a parameter of that name.
    """

    function: Callable[..., Tensor]

    kind: ClassVar[str] = "function"

    def __call__(
        self,
        output: Tensor | SpikeTrain,
        targets: Tensor | SpikeTrain,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """The function's value."""
        called = self.function.forward if isinstance(self.function, Module) else self.function
        if "lengths" in inspect.signature(called).parameters:
            return self.function(output, targets, lengths=lengths)
        if lengths is not None:
            raise ArgumentError(
                f"loss {getattr(self.function, '__name__', type(self.function).__name__)}",
                got="samples of unequal length",
                expected="a function with a parameter `lengths`, or padding would count",
                fix="give it one, or use one of surgrad.losses",
            )
        return self.function(output, targets)

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        return self(output, targets, lengths)


@dataclass(frozen=True)
class Objective:
    """A loss on the output and penalties on the spikes of the layers.

    Args:
        loss: a loss of `surgrad.losses`, or a function.
        penalties: regularisers, each applied to every spiking layer.

    Example:
        >>> from surgrad.objectives import RateBound, losses
        >>> objective = Objective(losses.max_over_time, [RateBound(upper=50)])
        >>> objective.data(torch.zeros(10, 1, 4), torch.tensor([0]))
        tensor(1.3863)
        >>> objective.penalty([torch.tensor([[6.0]])], torch.tensor([100]), dt=1e-3)
        tensor(100.)
    """

    loss: Loss
    penalties: Sequence[Regulariser] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", as_loss(self.loss))
        object.__setattr__(self, "penalties", tuple(self.penalties))

    def data(
        self,
        output: Tensor | SpikeTrain,
        targets: Tensor | SpikeTrain,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """The loss of the output; see `Loss.__call__`."""
        return self.loss(output, targets, lengths)

    def penalty(
        self,
        counts: Sequence[Tensor],
        steps: Tensor,
        dt: float,
        weights: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """The sum of all penalties over all layers.

        Args:
            counts: of each spiking layer the spikes in the valid steps, `(batch, *features)`.
            steps: the number of valid steps, `(batch,)`.
            dt: the width of a step in seconds.
            weights: onto each spiking layer, for penalties on weights.

        Raises:
            ArgumentError: if there is a penalty on weights and a rule that does not know them.
        """
        total = torch.zeros((), device=steps.device)
        for layer in counts if self.penalties else ():
            if layer.shape[:1] != steps.shape:
                raise ShapeError(
                    "spike counts",
                    got=f"shape {tuple(layer.shape)}",
                    expected=f"({len(steps)}, *features)",
                )
            total = total + sum(penalty(layer, steps, dt) for penalty in self.penalties)
        for penalty in self.penalties:
            if isinstance(penalty, WeightRegulariser):
                if weights is None:
                    raise ArgumentError(
                        f"regulariser {penalty.kind}",
                        got="a rule that computes no gradient of weights by themselves",
                        expected="BPTT of a network of spike times",
                    )
                pairs = zip(weights, counts, strict=True)
                total = total + sum(penalty.of(*pair) for pair in pairs)
        return total

    def at(self, dt: float) -> Objective:
        """The same objective for steps of `dt` seconds, where that was left open."""
        return replace(self, loss=self.loss.at(dt))


def as_loss(loss: Loss | Callable[..., Tensor]) -> Loss:
    """A loss from a loss or a function."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type) or not callable(loss):
        raise ArgumentError(
            "loss",
            got=repr(loss),
            expected="a loss of surgrad.losses or a function of output and targets",
            fix="use surgrad.losses.max_over_time, or call the class to get a loss",
        )
    return FunctionLoss(loss)


def as_objective(
    loss: Objective | Loss | Callable[..., Tensor], dt: float | None = None
) -> Objective:
    """An objective from whatever a rule was given.

    Args:
        loss: an objective, a loss, or a function.
        dt: the width of a step in seconds, for losses that need it and do not know it.
    """
    objective = loss if isinstance(loss, Objective) else Objective(as_loss(loss))
    return objective if dt is None else objective.at(dt)


def predict(
    loss: Objective | Loss | Callable[..., Tensor],
    output: Tensor | SpikeTrain,
    lengths: Tensor | None = None,
    targets: Tensor | None = None,
) -> Tensor:
    """What the output says, by the reading that belongs to the loss.

    Args:
        loss: a loss, or an objective.
        output: of the network, `(time, batch, classes)`.
        lengths: the valid steps of each sample, `(batch,)`; by default all.
        targets: labels, only their shape matters: where there is one a sample, `every_step`
            predicts one a sample too, from the mean over time.

    Returns:
        Classes, int64 `(batch,)`; for `every_step` `(time, batch)`, with -1 in the padding.

    Raises:
        ArgumentError: if the loss is not about classes.
    """
    reader = as_objective(loss).loss
    if isinstance(reader, EveryStep) and targets is not None and targets.dim() == 1:
        reader = MeanOverTime()
    return reader.predict(output, lengths)
