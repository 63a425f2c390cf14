"""Regularisers of weights that keep neurons firing where silence has no gradient."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from surgrad.objectives.checks import positive
from surgrad.objectives.regularisers import RateBound, Regulariser, SpikeCost


class WeightRegulariser(Regulariser):
    """Maps the weights onto a layer to a penalty; for networks whose neurons spike once."""

    of_weights: ClassVar[bool] = True

    def __call__(self, counts: Tensor, steps: Tensor, dt: float) -> Tensor:
        """No penalty on spikes alone; see `of`."""
        return counts.new_zeros(())

    @abstractmethod
    def of(self, weight: Tensor, counts: Tensor) -> Tensor:
        """The penalty, a scalar.

        Args:
            weight: `(neurons, inputs)`, or `(neurons, inputs, delays)`.
            counts: spikes of each neuron, `(batch, neurons)`.
        """


@dataclass(frozen=True)
class WeightSum(WeightRegulariser):
    r"""A price on weights whose sum cannot raise the membrane to its threshold.

    .. math:: R = \lambda \sum_i \Big\lfloor \vartheta - \sum_j w_{ij} \Big\rfloor_+

    Args:
        strength: `λ`.
        least: `ϑ`, or a little more, to leave room for inputs that come late.

    Example:
        >>> import torch
        >>> WeightSum(strength=2.0).of(torch.tensor([[0.3, 0.2], [0.9, 0.8]]), torch.ones(1, 2))
        tensor(1.)

    References: H. Mostafa, IEEE TNNLS 29 (2018), eq. 17, with K for the strength.
    """

    strength: float = 1.0
    least: float = 1.0

    kind: ClassVar[str] = "weight_sum"

    def __post_init__(self) -> None:
        positive(self, "strength", "least")

    def of(self, weight: Tensor, counts: Tensor) -> Tensor:
        """See `WeightRegulariser.of`."""
        return self.strength * (self.least - weight.flatten(1).sum(1)).relu().sum()


@dataclass(frozen=True)
class Wake(WeightRegulariser):
    r"""A push on the weights of neurons that are silent in too many samples.

    .. math:: R = -\lambda \sum_i \Big\lfloor a - \langle S_i \rangle_b \Big\rfloor_+ \sum_j w_{ij}

    What stands before the weights is a number and has no gradient: the weights of a neuron that
    spikes in less than the share `a` of the samples all grow alike, the more the less it spikes.

    Args:
        strength: `λ`.
        share: `a`, of the samples of a batch.

    Example:
        >>> import torch
        >>> weight = torch.ones(2, 3, requires_grad=True)
        >>> Wake(strength=0.1, share=0.5).of(weight, torch.tensor([[1.0, 0.0]])).backward()
        >>> weight.grad[:, 0] + 0.0
        tensor([ 0.0000, -0.0500])

    References: after J. Göltz et al., Nature Machine Intelligence 3 (2021), methods, where the
        weights of layers with too many silent neurons are bumped by a constant. Ours is a gradient,
        for each neuron by itself, and scaled by the optimiser as all others.
    """

    strength: float = 1e-3
    share: float = 0.7

    kind: ClassVar[str] = "wake"

    def __post_init__(self) -> None:
        positive(self, "strength", "share")

    def of(self, weight: Tensor, counts: Tensor) -> Tensor:
        """See `WeightRegulariser.of`."""
        lacking = (self.share - (counts > 0).to(weight).mean(0)).relu()
        return -self.strength * (lacking * weight.flatten(1).sum(1)).sum()


REGULARISERS: dict[str, type[Regulariser]] = {
    regulariser.kind: regulariser for regulariser in (RateBound, SpikeCost, WeightSum, Wake)
}
"""Every regulariser by kind."""
