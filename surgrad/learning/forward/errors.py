"""The errors that online rules learn from: the loss's gradient with respect to the output."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from surgrad.errors import RuleError
from surgrad.learning.base import Batch
from surgrad.network import Network
from surgrad.objectives import Objective
from surgrad.objectives.base import StepLoss


class ErrorSource(Protocol):
    """Gives the error of one step after the other."""

    @property
    def counts(self) -> list[Tensor]:
        """The gradient of the penalties with respect to each spiking layer's counts."""
        ...

    def at(self, n: int, output: Tensor) -> tuple[Tensor, Tensor | None]:
        """The error of a step, and the filtered one if that is known."""
        ...


class Errors(NamedTuple):
    """Errors that are known before the traces run.

    Attributes:
        output: the gradient with respect to the output, `(time, batch, *features)`.
        counts: that of the penalties with respect to the spike counts of each spiking layer.
        filtered: `output` through a rule's filter, backwards in time; None without one.
    """

    output: Tensor
    counts: list[Tensor]
    filtered: Tensor | None = None

    def at(self, n: int, output: Tensor) -> tuple[Tensor, Tensor | None]:
        """The error of a step, and the filtered one."""
        return self.output[n], None if self.filtered is None else self.filtered[n]


class OnlineErrors:
    """Errors that are known as soon as a step is over, of an additive loss.

    Args:
        objective: a loss and no penalties.
        batch: targets and lengths.
    """

    def __init__(self, objective: Objective, batch: Batch) -> None:
        self.loss, self.batch = objective.loss, batch
        self.counts: list[Tensor] = []
        self.wanted: Tensor | None = None
        self.weights: Tensor | None = None

    def at(self, n: int, output: Tensor) -> tuple[Tensor, None]:
        """The error of a step."""
        with torch.enable_grad():
            leaf = output.detach().requires_grad_()
            (error,) = torch.autograd.grad(self.terms(n, leaf).sum(), leaf)
        return error, None

    def terms(self, n: int, output: Tensor) -> Tensor:
        """What a step adds to the loss, `(batch,)`."""
        loss = self.loss
        if not isinstance(loss, StepLoss):
            raise RuleError(
                f"loss {loss.kind}",
                got="one that is no sum over steps",
                expected="an additive loss (every_step, mean_squared_error, last_step)",
            )
        if self.wanted is None or self.weights is None:
            # only its shape matters here
            whole = output.detach().expand(self.batch.time, *output.shape)
            self.wanted = loss.spread(self.batch.targets, whole, self.batch.valid)
            self.weights = loss.weights(self.wanted, self.batch.valid).to(output)
        return self.weights[n] * loss.terms(output.flatten(1), self.wanted[n])


def errors_of(
    objective: Objective, batch: Batch, net: Network, output: Tensor, counts: list[Tensor]
) -> Errors:
    """The errors of any differentiable objective, from the whole output."""
    error = objective.loss.step_error(output, batch.targets, batch.lengths)
    if not objective.penalties:
        return Errors(error, [])
    with torch.enable_grad():
        leaves = [layer.detach().requires_grad_() for layer in counts]
        penalty = objective.penalty(leaves, batch.valid, net.dt)
        prices = torch.autograd.grad(penalty, leaves, allow_unused=True)
    return Errors(
        error,
        [
            torch.zeros_like(leaf) if price is None else price
            for leaf, price in zip(leaves, prices, strict=True)
        ],
    )
