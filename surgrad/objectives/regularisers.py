"""Regularisers of activity: they act on spike counts, so their memory does not grow with time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.objectives.checks import one_of, positive


class Regulariser(ABC):
    """Maps the spike counts of a layer to a penalty.

    Attributes:
        kind: the name in `REGULARISERS` and in experiment files.
        of_weights: whether it is a penalty on weights, see `surgrad.objectives.weights`.
    """

    kind: ClassVar[str]
    of_weights: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, counts: Tensor, steps: Tensor, dt: float) -> Tensor:
        """The penalty, a scalar.

        Args:
            counts: spikes of each unit in the valid steps, `(batch, *features)`.
            steps: the number of valid steps, `(batch,)`.
            dt: the width of a step in seconds.
        """


@dataclass(frozen=True)
class RateBound(Regulariser):
    r"""Keeps firing rates above a lower and below an upper bound.

    .. math:: R = \lambda \,\big\langle \lfloor z - z_{\mathrm{upper}} \rfloor_+^p
        + \lfloor z_{\mathrm{lower}} - z \rfloor_+^p \big\rangle

    where `z` are the rates (or counts) of each neuron in each sample, or their means over the
    neurons, over the samples, or both; the average is over what is left, so that the strength
    means the same for any size. Samples without a valid step do not count.

    Args:
        lower: the lower bound, in `unit`.
        upper: the upper bound, in `unit`.
        strength: `λ`.
        norm: "l1" for p = 1, "l2" for p = 2.
        over: whether each "neuron" is bound or the mean of the "population".
        per: whether that holds in each "sample" or for the mean of the "batch".
        unit: "hertz", or "spikes" in the whole sample.

    Raises:
        ArgumentError: if there is no bound, or the lower is above the upper.

    Example:
        >>> counts = torch.tensor([[0.0, 4.0]])
        >>> RateBound(upper=3, unit="spikes")(counts, torch.tensor([100]), 1e-3)
        tensor(0.5000)
        >>> RateBound(lower=10, norm="l1")(counts, torch.tensor([100]), 1e-3)
        tensor(5.)

    References: after Zenke & Vogels 2021, whose bounds are on counts.
    """

    lower: float | None = None
    upper: float | None = None
    strength: float = 1.0
    norm: Literal["l1", "l2"] = "l2"
    over: Literal["neuron", "population"] = "neuron"
    per: Literal["sample", "batch"] = "sample"
    unit: Literal["hertz", "spikes"] = "hertz"

    kind: ClassVar[str] = "rate_bound"

    def __post_init__(self) -> None:
        positive(self, "lower", "strength")
        if self.upper != 0:
            positive(self, "upper")
        one_of(self, "norm", "l1", "l2")
        one_of(self, "over", "neuron", "population")
        one_of(self, "per", "sample", "batch")
        one_of(self, "unit", "hertz", "spikes")
        if self.lower is None and self.upper is None:
            raise ArgumentError(
                "bounds of RateBound", got="none", expected="lower, upper or both", fix="set upper"
            )
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ArgumentError(
                "lower of RateBound", got=self.lower, expected=f"at most upper = {self.upper}"
            )

    def __call__(self, counts: Tensor, steps: Tensor, dt: float) -> Tensor:
        """See `Regulariser.__call__`."""
        activity = counts.flatten(1)
        if self.unit == "hertz":
            activity = activity / (steps.clamp(min=1) * dt)[:, None]
        activity = activity[steps > 0]
        if self.over == "population":
            activity = activity.mean(1, keepdim=True)
        if self.per == "batch" and len(activity):
            activity = activity.mean(0, keepdim=True)
        excess = torch.zeros_like(activity)
        if self.upper is not None:
            excess = excess + (activity - self.upper).relu()
        if self.lower is not None:
            excess = excess + (self.lower - activity).relu()
        cost = excess if self.norm == "l1" else excess.square()
        return self.strength * cost.sum() / max(cost.numel(), 1)


@dataclass(frozen=True)
class SpikeCost(Regulariser):
    r"""A price on spikes, and on their being many in one neuron.

    .. math:: R = \lambda_1 \sum_{b, i} N_{b, i} + \lambda_2 \Big\langle \big(\sum_b N_{b, i}
        \big)^2 \Big\rangle_i

    Both sums run over the batch, so the strengths belong to a batch size.

    Args:
        linear: `λ1`, for each spike.
        square: `λ2`, for the squared number of spikes of a neuron in the batch.

    Example:
        >>> SpikeCost()(torch.tensor([[0.0, 300.0], [0.0, 100.0]]), torch.tensor([9, 9]), 1e-3)
        tensor(0.8040)

    References: Neftci, Mostafa & Zenke 2019, companion tutorials 3 and 4 (there 2e-6 each).
    """

    linear: float = 1e-5
    square: float = 1e-5

    kind: ClassVar[str] = "spike_cost"

    def __post_init__(self) -> None:
        for name in ("linear", "square"):
            if getattr(self, name) != 0:
                positive(self, name)

    def __call__(self, counts: Tensor, steps: Tensor, dt: float) -> Tensor:
        """See `Regulariser.__call__`."""
        spikes = counts.flatten(1).sum(0)
        return self.linear * spikes.sum() + self.square * spikes.square().mean()
