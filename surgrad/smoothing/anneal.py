"""Soft spikes that sharpen while a network is trained, and are spikes when it is used."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from surgrad.errors import ArgumentError
from surgrad.spikes import Soft, Surrogate
from surgrad.surrogates import SurrogateDerivative, sigmoid


class Annealed(nn.Module):
    r"""A spike function whose sharpness grows during training.

    .. math:: k(p) = k_0 (k_1 / k_0)^p

    In training mode it is `Soft` at the sharpness `k` of the present share `p` of training. In
    evaluation mode it is a step, so that what is validated and tested is a network of spikes; with
    `harden=False` it stays soft. The sharpness is a buffer, saved with the weights.

    Args:
        derivative: a row of `surgrad.surrogates`; its scale is the sharpness at the start.
        final: the sharpness at the end.
        harden: whether evaluation mode has steps.

    Raises:
        ArgumentError: if the final sharpness is not positive.

    Example:
        >>> spike = Annealed(sigmoid(2), final=50)
        >>> spike(torch.tensor([-0.1, 0.1]))
        tensor([0.4502, 0.5498])
        >>> spike.eval()(torch.tensor([-0.1, 0.1]))
        tensor([0., 1.])

    References: Neftci, Mostafa & Zenke 2019, section IV-A1.
    """

    def __init__(
        self, derivative: SurrogateDerivative = sigmoid, final: float = 50.0, *, harden: bool = True
    ) -> None:
        super().__init__()
        if not 0 < final < math.inf:
            raise ArgumentError("final of Annealed", got=final, expected="a positive number")
        self.start, self.final, self.harden = derivative, final, harden
        self.sharpness: Tensor
        self.register_buffer("sharpness", torch.tensor(float(derivative.scale)))

    @property
    def derivative(self) -> SurrogateDerivative:
        """The row at the present sharpness."""
        return self.start(float(self.sharpness), gain=self.start.gain)

    def at(self, share: float) -> None:
        """Take the sharpness that belongs to a share of training, from 0 to 1."""
        scale = float(self.start.scale)
        self.sharpness.fill_(scale * (self.final / scale) ** share)

    @property
    def present(self) -> Soft | Surrogate:
        """The spike function that this one is at the moment."""
        hard = self.harden and not self.training
        return Surrogate(self.derivative) if hard else Soft(self.derivative)

    def forward(self, v: Tensor) -> Tensor:
        """Spikes, soft or not, of the shape of `v`."""
        return self.present(v)


def sharpen(net: nn.Module, share: float) -> None:
    """Tell all annealed spikes of a network how much of training is over, from 0 to 1."""
    for module in net.modules():
        if isinstance(module, Annealed):
            module.at(share)
