r"""The table of surrogate derivatives.

A row is a derivative `h(v)` of `v = U - ϑ`, its primitive `∫h`, a default scale and a source.
`k` is the scale, in units of one over the membrane potential: the larger, the steeper.
Primitives start at 0 for `v → -∞` where the derivative is integrable, and else pass through
the value that makes them continuous with `h`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from surgrad.errors import ArgumentError

Curve = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class SurrogateDerivative:
    """One row of the table, at one scale. Call it with another scale to get another.

    Attributes:
        name: the row's key.
        derivative: `h(v, k)`, what replaces the derivative of the step.
        primitive: `∫h dv`, what a soft network computes (up to `area`).
        area: `∫h` over the whole line as a function of `k`; infinite for the straight-through row.
        support: the half-width beyond which `h` is exactly zero, as a function of `k`, or infinite.
        source: where it comes from.
        scale: `k`.
        gain: a factor on `h` (the damping γ of Bellec et al. 2018).

    Example:
        >>> fast_sigmoid(10).h(torch.tensor([-0.1, 0.0, 0.1]))
        tensor([0.2500, 1.0000, 0.2500])
    """

    name: str
    derivative: Curve
    primitive: Curve
    area: Callable[[float], float]
    support: Callable[[float], float]
    source: str
    scale: float
    gain: float = 1.0

    def __call__(
        self, scale: float | None = None, *, gain: float | None = None
    ) -> SurrogateDerivative:
        """The same row with another `scale` or `gain`, both positive."""
        for name, value in (("scale", scale), ("gain", gain)):
            if value is None:
                continue
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not 0 < float(value) < math.inf:
                raise ArgumentError(
                    f"{name} of the surrogate derivative {self.name}",
                    got=repr(value),
                    expected="a positive number",
                    fix=f"leave it out for the default {getattr(self, name)}",
                )
        return replace(
            self,
            scale=self.scale if scale is None else float(scale),
            gain=self.gain if gain is None else float(gain),
        )

    def __reduce__(self) -> str | tuple[Any, ...]:
        # the curves of the table have no names to be pickled by, their row has
        row = TABLE.get(self.name)
        if row is not None and row(self.scale, gain=self.gain) == self:
            return _of_row, (self.name, self.scale, self.gain)
        return super().__reduce__()

    def h(self, v: Tensor) -> Tensor:
        """The surrogate derivative at `v = U - ϑ`, of the shape and dtype of `v`."""
        return self.derivative(v, self.scale) * self.gain

    def integral(self, v: Tensor) -> Tensor:
        """The primitive of `h` at `v`."""
        return self.primitive(v, self.scale) * self.gain

    @property
    def total(self) -> float:
        """`∫h` over the whole line, possibly infinite."""
        return self.area(self.scale) * self.gain

    @property
    def half_width(self) -> float:
        """`h(v) = 0` for `|v|` beyond this, possibly infinite."""
        return self.support(self.scale)


def _of_row(name: str, scale: float, gain: float) -> SurrogateDerivative:
    return lookup(name)(scale, gain=gain)


def _normal(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * z.clamp(-1e4, 1e4) ** 2) / math.sqrt(2 * math.pi)


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-z / math.sqrt(2))


def _tent_integral(z: Tensor) -> Tensor:
    z = z.clamp(-1, 1)
    return 0.5 + z - 0.5 * z * z.abs()


def _ramp(z: Tensor) -> Tensor:
    return torch.where(z <= 1, (1 + z).clamp(min=0), torch.zeros_like(z))


def _two_sided_exponential(z: Tensor) -> Tensor:
    return torch.where(z < 0, torch.exp(z.clamp(max=0)), 2 - torch.exp(-z.clamp(min=0)))


def _fast(z: Tensor) -> Tensor:
    return (1 + z.abs()) ** -1


def _fast_integral(z: Tensor) -> Tensor:
    return torch.where(z < 0, _fast(z), 2 - _fast(z))


# the side lobes of the multi-Gaussian: height, width in units of the central one (Yin et al. 2021)
_LOBE, _WIDTH = 0.15, 6.0


def _multi_gaussian(z: Tensor) -> Tensor:
    sides = _normal((z - 1) / _WIDTH) + _normal((z + 1) / _WIDTH)
    return (1 + _LOBE) * _normal(z) - _LOBE / _WIDTH * sides


def _multi_gaussian_integral(z: Tensor) -> Tensor:
    sides = _normal_cdf((z - 1) / _WIDTH) + _normal_cdf((z + 1) / _WIDTH)
    return (1 + _LOBE) * _normal_cdf(z) - _LOBE * sides


def _everywhere(_: float) -> float:
    return math.inf


def _unit_width(k: float) -> float:
    return 1 / k


fast_sigmoid = SurrogateDerivative(
    "fast_sigmoid",
    lambda v, k: _fast(k * v) ** 2,
    lambda v, k: _fast_integral(k * v) / k,
    lambda k: 2 / k,
    _everywhere,
    "Zenke & Ganguli 2018 (SuperSpike); scale 100 in the tutorials of Neftci et al. 2019",
    100.0,
)
rescaled_fast_sigmoid = SurrogateDerivative(
    "rescaled_fast_sigmoid",
    lambda v, k: k / 2 * _fast(k * v) ** 2,
    lambda v, k: _fast_integral(k * v) / 2,
    lambda _: 1.0,
    _everywhere,
    "the fast sigmoid with unit area, as the normalised variants of Zenke & Vogels 2021",
    10.0,
)
clamped_fast_sigmoid = SurrogateDerivative(
    "clamped_fast_sigmoid",
    lambda v, k: _fast(k * v.clamp(max=0)) ** 2,
    lambda v, k: _fast(k * v.clamp(max=0)) / k + v.clamp(min=0),
    _everywhere,
    _everywhere,
    "SuperSpike with the membrane clamped at threshold, as in the stork library",
    20.0,
)
sigmoid = SurrogateDerivative(
    "sigmoid",
    lambda v, k: k * torch.sigmoid(k * v) * torch.sigmoid(-k * v),
    lambda v, k: torch.sigmoid(k * v),
    lambda _: 1.0,
    _everywhere,
    "Zenke & Vogels 2021",
    10.0,
)
triangle = SurrogateDerivative(
    "triangle",
    lambda v, k: (1 - k * v.abs()).clamp(min=0),
    lambda v, k: _tent_integral(k * v) / k,
    lambda k: 1 / k,
    _unit_width,
    "Esser et al. 2016, Bellec et al. 2018 (gain 0.3, scale 1/ϑ)",
    1.0,
    0.3,
)
boxcar = SurrogateDerivative(
    "boxcar",
    lambda v, k: ((k * v > -0.5) & (k * v <= 0.5)).to(v.dtype),
    lambda v, k: ((k * v).clamp(-0.5, 0.5) + 0.5) / k,
    lambda k: 1 / k,
    lambda k: 0.5 / k,
    "Kaiser, Mostafa & Neftci 2020 (DECOLLE); Neftci et al. 2017 (eRBP)",
    1.0,
)
exponential = SurrogateDerivative(
    "exponential",
    lambda v, k: torch.exp(-k * v.abs()),
    lambda v, k: _two_sided_exponential(k * v) / k,
    lambda k: 2 / k,
    _everywhere,
    "Shrestha & Orchard 2018 (SLAYER)",
    10.0,
)
truncated_quadratic = SurrogateDerivative(
    "truncated_quadratic",
    lambda v, k: _ramp(k * v),
    lambda v, k: 0.5 * (1 + k * v).clamp(0, 2) ** 2 / k,
    lambda k: 2 / k,
    _unit_width,
    "after Bohte 2011: a quadratic cut off on both sides, so a ramp; here on |v| ≤ 1/k",
    1.0,
)
arctan = SurrogateDerivative(
    "arctan",
    lambda v, k: k / 2 / (1 + (math.pi / 2 * k * v) ** 2),
    lambda v, k: torch.atan(math.pi / 2 * k * v) / math.pi + 0.5,
    lambda _: 1.0,
    _everywhere,
    "Fang et al. 2021; scale 5 in Hammouamri et al. 2024",
    2.0,
)
gaussian = SurrogateDerivative(
    "gaussian",
    lambda v, k: k * _normal(k * v),
    lambda v, k: _normal_cdf(k * v),
    lambda _: 1.0,
    _everywhere,
    "Yin, Corradi & Bohte 2020; scale = 1/σ",
    2.0,
)
multi_gaussian = SurrogateDerivative(
    "multi_gaussian",
    lambda v, k: k * _multi_gaussian(k * v),
    lambda v, k: _multi_gaussian_integral(k * v),
    lambda _: 1.0 - _LOBE,
    _everywhere,
    "Yin, Corradi & Bohte 2021: h = 0.15, s = 6, scale = 1/σ = 2",
    2.0,
)
straight_through = SurrogateDerivative(
    "straight_through",
    lambda v, k: torch.ones_like(v),
    lambda v, k: v + 0.5,
    _everywhere,
    _everywhere,
    "Hinton 2012; Bengio et al. 2013. The scale has no effect",
    1.0,
)
spike_train = SurrogateDerivative(
    "spike_train",
    lambda v, k: (v > 0).to(v.dtype),
    lambda v, k: v.clamp(min=0),
    _everywhere,
    _everywhere,
    "Gardner, Sporea & Grüning 2015: the spike is its own derivative. The scale has no effect",
    1.0,
)
escape_noise = SurrogateDerivative(
    "escape_noise",
    lambda v, k: k * torch.exp(k * v.clamp(max=0)),
    lambda v, k: torch.exp(k * v.clamp(max=0)) + k * v.clamp(min=0),
    _everywhere,
    _everywhere,
    "the exponential escape rate of Gerstner et al. 2014, held at its value at threshold above it",
    7.5,
)

TABLE: dict[str, SurrogateDerivative] = {
    row.name: row
    for row in (
        fast_sigmoid,
        rescaled_fast_sigmoid,
        clamped_fast_sigmoid,
        sigmoid,
        triangle,
        boxcar,
        exponential,
        truncated_quadratic,
        arctan,
        gaussian,
        multi_gaussian,
        straight_through,
        spike_train,
        escape_noise,
    )
}
"""Every surrogate derivative by name."""


def lookup(name: str) -> SurrogateDerivative:
    """The row of that name.

    Raises:
        ArgumentError: if there is none.
    """
    if name not in TABLE:
        raise ArgumentError(
            "surrogate derivative", got=repr(name), expected="one of " + ", ".join(TABLE)
        )
    return TABLE[name]
