"""A spike is a choice of function: the paper's ways around the missing derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.surrogates import SurrogateDerivative, fast_sigmoid


class SpikeFunction(Protocol):
    """Maps `v = U - ϑ` to a spike, elementwise, with a gradient of its own."""

    def __call__(self, v: Tensor) -> Tensor: ...


def present(spike: SpikeFunction | None) -> SpikeFunction | None:
    """What a spike function that changes is at the moment; any other is itself."""
    return getattr(spike, "present", spike)


class _WithDerivative(torch.autograd.Function):
    """`value(v)` forward, `slope(v) dv` backward, whatever the two are."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        v: Tensor, value: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]
    ) -> Tensor:
        return value(v)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        v, _, ctx.slope = inputs
        ctx.save_for_backward(v)
        ctx.save_for_forward(v)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] * ctx.slope(ctx.saved_tensors[0]), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return tangents[0] * ctx.slope(ctx.saved_tensors[0])


def _step(v: Tensor) -> Tensor:
    return (v > 0).to(v.dtype)


@dataclass(frozen=True)
class Surrogate:
    r"""A spike with a surrogate gradient: the Heaviside step forward, `h(v)` backward.

    .. math:: S = \Theta(v), \qquad \partial S / \partial v := h(v), \qquad v = U - \vartheta

    Called with `v` of any shape, it returns spikes in {0, 1} of the same shape and dtype;
    `v = 0` does not spike.

    Args:
        derivative: a row of `surgrad.surrogates`, at any scale.

    Example:
        >>> v = torch.tensor([-0.1, 0.0, 0.1], requires_grad=True)
        >>> Surrogate(fast_sigmoid(10))(v).sum().backward()
        >>> v.grad
        tensor([0.2500, 1.0000, 0.2500])

    References: Neftci, Mostafa & Zenke 2019, section IV-B.
    """

    derivative: SurrogateDerivative = fast_sigmoid

    def __call__(self, v: Tensor) -> Tensor:
        return cast(Tensor, _WithDerivative.apply(v, _step, self.derivative.h))


@dataclass(frozen=True)
class Soft:
    r"""A smooth spike: the primitive of `h`, forward and backward.

    .. math:: S = \int_{-\infty}^{v} h \,\Big/ \int_{-\infty}^{\infty} h

    The network is differentiable, so finite differences can check its gradient, and approaches
    the spiking network as the scale grows. Rows of infinite area are not normalised.

    Args:
        derivative: a row of `surgrad.surrogates`, at any scale.

    Example:
        >>> from surgrad.surrogates import sigmoid
        >>> Soft(sigmoid(4))(torch.zeros(1))
        tensor([0.5000])

    References: Neftci, Mostafa & Zenke 2019, section IV-A1.
    """

    derivative: SurrogateDerivative = fast_sigmoid

    def __call__(self, v: Tensor) -> Tensor:
        return cast(Tensor, _WithDerivative.apply(v, self._value, self._slope))

    @property
    def area(self) -> float:
        """`∫h`, or 1 where it is infinite: what the primitive is divided by."""
        total = self.derivative.total
        return total if math.isfinite(total) else 1.0

    def _value(self, v: Tensor) -> Tensor:
        return self.derivative.integral(v) / self.area

    def _slope(self, v: Tensor) -> Tensor:
        return self.derivative.h(v) / self.area


class Escape(Protocol):
    """The probability of a spike in a step, given `v = U - ϑ`; all methods are elementwise."""

    def probability(self, v: Tensor) -> Tensor:
        """`p(v)`, in [0, 1]."""
        ...

    def slope(self, v: Tensor) -> Tensor:
        """Its derivative `p'(v)`."""
        ...

    def score(self, v: Tensor, s: Tensor) -> Tensor:
        """`d/dv log P(s | v) = (s - p) p' / (p (1 - p))` of what happened, `s` in {0, 1}."""
        ...

    def log_likelihood(self, v: Tensor, s: Tensor) -> Tensor:
        """`log P(s | v) = s log p + (1 - s) log(1 - p)`."""
        ...


@dataclass(frozen=True)
class SigmoidEscape:
    r"""Spikes with probability :math:`p = \sigma(k v)` in a step.

    Args:
        scale: `k`, per unit of the membrane potential.

    Example:
        >>> SigmoidEscape(10).probability(torch.tensor([0.0, 0.1]))
        tensor([0.5000, 0.7311])
    """

    scale: float = 10.0

    def __post_init__(self) -> None:
        _positive(self, "scale")

    def probability(self, v: Tensor) -> Tensor:
        """See `Escape.probability`."""
        return torch.sigmoid(self.scale * v)

    def slope(self, v: Tensor) -> Tensor:
        """See `Escape.slope`."""
        return self.scale * torch.sigmoid(self.scale * v) * torch.sigmoid(-self.scale * v)

    def score(self, v: Tensor, s: Tensor) -> Tensor:
        """See `Escape.score`; here `k (s - p)`."""
        return self.scale * (s - self.probability(v))

    def log_likelihood(self, v: Tensor, s: Tensor) -> Tensor:
        """See `Escape.log_likelihood`."""
        log = torch.nn.functional.logsigmoid
        return s * log(self.scale * v) + (1 - s) * log(-self.scale * v)


@dataclass(frozen=True)
class ExponentialEscape:
    r"""Spikes with a hazard that grows exponentially with the membrane potential.

    .. math:: p = 1 - e^{-\rho(v)}, \qquad \rho(v) = \rho_0\, e^{v / \Delta_u}

    Args:
        rate: :math:`\rho_0`, the expected number of spikes in a step at the threshold.
        width: :math:`\Delta_u`, in units of the membrane potential.

    Example:
        >>> ExponentialEscape(rate=1.0).probability(torch.zeros(1))
        tensor([0.6321])

    References: Pfister, Toyoizumi, Barber & Gerstner 2006; Gerstner et al. 2014, section 9.1.
    """

    rate: float = 0.5
    width: float = 0.133

    def __post_init__(self) -> None:
        _positive(self, "rate")
        _positive(self, "width")

    def hazard(self, v: Tensor) -> Tensor:
        """`ρ(v)`; beyond `e^50` it is held, where a spike is certain."""
        return self.rate * torch.exp((v / self.width).clamp(max=50.0))

    def probability(self, v: Tensor) -> Tensor:
        """See `Escape.probability`."""
        return -torch.expm1(-self.hazard(v))

    def slope(self, v: Tensor) -> Tensor:
        """See `Escape.slope`."""
        hazard = self.hazard(v)
        return hazard / self.width * torch.exp(-hazard)

    def score(self, v: Tensor, s: Tensor) -> Tensor:
        """See `Escape.score`; here `ρ (s / p - 1) / Δ_u`."""
        hazard = self.hazard(v)
        # ρ exp(-ρ) / p, which is one for ρ = 0
        missed = torch.where(hazard > 0, hazard / torch.expm1(hazard), torch.ones_like(v))
        return (s * missed - (1 - s) * hazard) / self.width

    def log_likelihood(self, v: Tensor, s: Tensor) -> Tensor:
        """See `Escape.log_likelihood`."""
        hazard = self.hazard(v)
        return s * torch.log(-torch.expm1(-hazard)) - (1 - s) * hazard


@dataclass(frozen=True)
class SurrogateEscape:
    r"""Spikes with the normalised primitive of a surrogate derivative as probability.

    .. math:: p(v) = \int_{-\infty}^{v} h \,\Big/ \int_{-\infty}^{\infty} h

    So the surrogate derivative is, but for its area, the derivative of the escape function, and the
    straight-through gradient of the noisy network is the surrogate gradient.

    Args:
        derivative: a row of `surgrad.surrogates` of finite area that is nowhere negative.

    Raises:
        ArgumentError: if the row's area is infinite.

    Example:
        >>> SurrogateEscape(fast_sigmoid(10)).probability(torch.tensor([-0.1, 0.0, 0.1]))
        tensor([0.2500, 0.5000, 0.7500])

    References: Gygax & Zenke 2025, on the two.
    """

    derivative: SurrogateDerivative = fast_sigmoid

    def __post_init__(self) -> None:
        if not math.isfinite(self.derivative.total):
            raise ArgumentError(
                "derivative of a SurrogateEscape",
                got=f"{self.derivative.name}, whose area is infinite",
                expected="one whose primitive is a probability",
                fix="take sigmoid or fast_sigmoid, or SigmoidEscape or ExponentialEscape",
            )

    def probability(self, v: Tensor) -> Tensor:
        """See `Escape.probability`."""
        return (self.derivative.integral(v) / self.derivative.total).clamp(0, 1)

    def slope(self, v: Tensor) -> Tensor:
        """See `Escape.slope`."""
        return self.derivative.h(v) / self.derivative.total

    def score(self, v: Tensor, s: Tensor) -> Tensor:
        """See `Escape.score`."""
        p = self._open(v)
        return (s - p) * self.slope(v) / (p * (1 - p))

    def log_likelihood(self, v: Tensor, s: Tensor) -> Tensor:
        """See `Escape.log_likelihood`."""
        p = self._open(v)
        return s * torch.log(p) + (1 - s) * torch.log1p(-p)

    def _open(self, v: Tensor) -> Tensor:
        edge = torch.finfo(v.dtype).eps
        return self.probability(v).clamp(edge, 1 - edge)


@dataclass(frozen=True)
class Stochastic:
    r"""A spike by chance: escape noise forward, the derivative of its probability backward.

    .. math:: S \sim \mathrm{Bernoulli}(p(v)), \qquad \partial S / \partial v := p'(v)

    The backward pass is the straight-through gradient; the rules `Score` and `Likelihood` use
    the probability itself.

    Args:
        escape: the probability of a spike.
        generator: where the chances come from, on the device of the network.

    Example:
        >>> spike = Stochastic(SigmoidEscape(10), torch.Generator().manual_seed(0))
        >>> spike(torch.zeros(6))
        tensor([1., 0., 1., 1., 1., 0.])

    References: Neftci, Mostafa & Zenke 2019, section IV-A2.
    """

    escape: Escape
    generator: torch.Generator

    def __call__(self, v: Tensor) -> Tensor:
        return cast(Tensor, _WithDerivative.apply(v, self._draw, self.escape.slope))

    def _draw(self, v: Tensor) -> Tensor:
        return torch.bernoulli(self.escape.probability(v), generator=self.generator)


def _positive(owner: object, name: str) -> None:
    """Refuse a field that is not a positive number."""
    value = getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ArgumentError(
            f"{name} of {type(owner).__name__}", got=repr(value), expected="a positive number"
        )
