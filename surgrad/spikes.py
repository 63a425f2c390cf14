"""A spike is a choice of function: the paper's ways around the missing derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from surgrad.surrogates import SurrogateDerivative, fast_sigmoid


class SpikeFunction(Protocol):
    """Maps `v = U - ϑ` to a spike, elementwise, with a gradient of its own."""

    def __call__(self, v: Tensor) -> Tensor: ...


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
    def _area(self) -> float:
        total = self.derivative.total
        return total if math.isfinite(total) else 1.0

    def _value(self, v: Tensor) -> Tensor:
        return self.derivative.integral(v) / self._area

    def _slope(self, v: Tensor) -> Tensor:
        return self.derivative.h(v) / self._area
