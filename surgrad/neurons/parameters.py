"""Parameters that stay positive and bounded: time constants and thresholds."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from surgrad.errors import ArgumentError

Value: TypeAlias = "float | Tensor | Distribution"
"""A number shared by all neurons, a tensor with one value each, or a distribution to draw from."""


class Bounded(nn.Module):
    r"""A parameter in `(lower, upper)`, learnable or fixed; call it for its value.

    A learnable one is stored as a `raw` number without bounds,

    .. math:: p = \ell\, (u / \ell)^{\sigma(\mathrm{raw})},

    so that no optimiser step can leave the interval and equal steps are equal ratios. A fixed one
    is stored as it is, in float64 so that decays are exact to rounding.

    Args:
        name: the parameter's name, for errors.
        value: a number, a tensor, or a distribution from which `size` values are drawn.
        lower: the lower bound, positive.
        upper: the upper bound.
        learn: whether it is in `parameters()`.
        size: the neurons' shape, where there is one value each; None where one is shared.

    Raises:
        ArgumentError: if a value is not within the bounds.

    Example:
        >>> tau = Bounded("tau_mem", 20e-3, 1e-4, 10.0, learn=True)
        >>> round(tau().item(), 6)
        0.02
    """

    def __init__(
        self,
        name: str,
        value: Value,
        lower: float,
        upper: float,
        *,
        learn: bool = False,
        size: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.name, self.lower, self.upper, self.learn = name, lower, upper, learn
        start = _start(name, value, size)
        inside = (lower < start) & (start < upper)
        if not inside.all():
            raise ArgumentError(
                name,
                got=f"{start[~inside].flatten()[0].item():g}",
                expected=f"a value between {lower:g} and {upper:g}",
                fix="give time constants in seconds (20 ms is 20e-3), or wider bounds",
            )
        self.register_buffer("initial", start.clone(), persistent=False)
        self.initial: Tensor
        if learn:
            fraction = (start / lower).log() / math.log(upper / lower)
            self.raw = nn.Parameter(fraction.logit())
        else:
            self.register_buffer("fixed", start)
            self.fixed: Tensor

    def forward(self) -> Tensor:
        """The value, in SI units."""
        if not self.learn:
            return self.fixed
        return self.lower * (self.upper / self.lower) ** torch.sigmoid(self.raw)

    def extra_repr(self) -> str:
        """For `print(net)`."""
        kind = "learnable" if self.learn else "fixed"
        return f"{self.name}={float(self().detach().mean()):.4g}, {kind}"


def _start(name: str, value: Value, size: tuple[int, ...] | None) -> Tensor:
    if isinstance(value, Distribution):
        if size is None:
            raise ArgumentError(
                name,
                got="a distribution for neurons without a size",
                expected="a size to draw for",
                fix="give the neuron its size, e.g. LIF(256, tau_mem=...)",
            )
        return value.sample(torch.Size(size)).double()
    start = torch.as_tensor(value, dtype=torch.float64).detach().clone()
    if size is not None:
        try:
            start = start.expand(size).clone()
        except RuntimeError as error:
            raise ArgumentError(
                name, got=f"shape {tuple(start.shape)}", expected=f"one value or shape {size}"
            ) from error
    return start
