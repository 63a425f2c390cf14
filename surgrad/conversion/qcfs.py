"""An activation that a spiking neuron computes exactly within a few steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surgrad.errors import ArgumentError


class QCFS(nn.Module):
    r"""Quantisation-clip-floor-shift: put it in the place of `nn.ReLU`, train, and convert.

    .. math:: a(z) = \lambda\, \mathrm{clip}\left(\tfrac{1}{L}
        \left\lfloor \tfrac{z L}{\lambda} + \tfrac{1}{2} \right\rfloor, 0, 1\right)

    An integrate-and-fire neuron of threshold λ that begins at λ/2 fires `a(z) T / λ` times in
    `T = L` steps of the constant current z. The floor passes its gradient on as it is, λ is
    trained.

    Args:
        levels: L, the steps above zero.
        ceiling: λ to begin with, the largest value.

    Raises:
        ArgumentError: if a number is not positive.

    Example:
        >>> QCFS(levels=4, ceiling=1.0)(torch.tensor([-1.0, 0.1, 0.2, 0.6, 9.0])).tolist()
        [0.0, 0.0, 0.25, 0.5, 1.0]

    References: Bu, Fang, Ding, Dai, Yu & Huang 2022, with the shift φ = 1/2 that makes the expected
    error of the conversion zero.
    """

    def __init__(self, levels: int = 8, ceiling: float = 2.0) -> None:
        super().__init__()
        if levels < 1:
            raise ArgumentError("levels of QCFS", got=levels, expected="1 or more")
        if not ceiling > 0:
            raise ArgumentError("ceiling of QCFS", got=ceiling, expected="more than 0")
        self.levels = levels
        self.ceiling = nn.Parameter(torch.tensor(float(ceiling)))

    def forward(self, z: Tensor) -> Tensor:
        """The activation, of the shape of `z`."""
        steps = z * (self.levels / self.ceiling) + 0.5
        steps = steps + (steps.floor() - steps).detach()
        return self.ceiling * (steps / self.levels).clamp(0, 1)

    def extra_repr(self) -> str:
        """For `print(net)`."""
        return f"levels={self.levels}, ceiling={float(self.ceiling.detach()):.4g}"
