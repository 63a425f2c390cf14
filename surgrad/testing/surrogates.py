"""What a surrogate derivative claims of itself."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor
from torch.func import grad, jvp, vmap

from surgrad.spikes import Soft, Surrogate
from surgrad.surrogates import SurrogateDerivative
from surgrad.testing.claims import hold


def check_surrogate(row: SurrogateDerivative) -> None:
    r"""Check what a surrogate derivative claims of itself.

    `h` is the derivative of the primitive and the primitive the integral of `h`; the area and the
    support are as declared; all is finite far from the threshold, in half precision too; with
    `Surrogate` it spikes exactly where `v > 0` and has the gradient `h`, forward, backward and
    under `vmap`; with `Soft` its gradient is that of finite differences, and if the area is finite
    the spike approaches the step as the scale grows.

    Args:
        row: a row of the table or your own, at the scale to be tested.

    Raises:
        AssertionError: with the first claim that does not hold.

    Example:
        >>> from surgrad.surrogates import fast_sigmoid
        >>> check_surrogate(fast_sigmoid(10))
    """
    for battery in (_primitive, _area, _support, _finite, _surrogate, _soft, _limit):
        battery(row)


def _claim(row: SurrogateDerivative, holds: object, claim: str) -> None:
    hold(f"surrogate derivative {row.name} at scale {row.scale:g}", holds, claim)


def _points(row: SurrogateDerivative, count: int = 400) -> Tensor:
    """Potentials around the threshold, off the places where curves have corners."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, generator=generator, dtype=torch.float64) * 2 / row.scale


def _primitive(row: SurrogateDerivative) -> None:
    v = _points(row).requires_grad_()
    (slope,) = torch.autograd.grad(row.integral(v).sum(), v)
    _claim(row, torch.allclose(slope, row.h(v)), "h is the derivative of the primitive")
    grid = torch.linspace(-5, 5, 100_001, dtype=torch.float64) / row.scale
    h = row.h(grid)
    steps = (h[1:] + h[:-1]) / 2 * grid.diff()
    rise = row.integral(grid) - row.integral(grid[:1])
    # a jump of h is smeared over one interval of the grid
    tolerance = 2e-4 * float(h.abs().max()) / row.scale
    error = float((steps.cumsum(0) - rise[1:]).abs().max())
    _claim(row, error < tolerance, "the primitive is the integral of h")


def _area(row: SurrogateDerivative) -> None:
    far = torch.tensor([-1e9, 1e9], dtype=torch.float64) / row.scale
    low, high = row.integral(far).tolist()
    if math.isinf(row.total):
        _claim(
            row, high - low > 1e3 * float(row.h(far[:1] * 0)) / row.scale, "the area is infinite"
        )
        return
    _claim(row, abs(low) < 1e-6 * row.total, "the primitive begins at 0")
    _claim(row, math.isclose(high - low, row.total, rel_tol=1e-6), f"the area is {row.total:g}")


def _support(row: SurrogateDerivative) -> None:
    width = row.half_width
    if math.isinf(width):
        return
    beyond = torch.tensor([1.000001, 2, 1e3, 1e6], dtype=torch.float64) * width
    outside = torch.cat([row.h(-beyond), row.h(beyond)])
    _claim(row, (outside == 0).all(), f"h is exactly zero beyond {width:g}")
    inside = torch.tensor([-0.999, 0.999], dtype=torch.float64) * width
    _claim(row, (row.h(inside) != 0).any(), f"h is not zero just within {width:g}")


def _finite(row: SurrogateDerivative) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        largest = 6e4 if dtype == torch.float16 else 1e6
        v = torch.tensor([[-largest, -1, -1e-6, -0.0], [0.0, 1e-6, 1, largest]]).to(dtype)
        h, integral = row.h(v), row.integral(v)
        for name, value in (("h", h), ("the primitive", integral)):
            kept = value.dtype == dtype and value.shape == v.shape
            _claim(row, kept, f"{name} keeps shape and dtype {dtype}")
        _claim(row, h.isfinite().all(), f"h is finite in {dtype}")
        # a primitive without a limit may overflow in half precision
        bounded = dtype in (torch.float32, torch.float64) or math.isfinite(row.total)
        _claim(row, not bounded or integral.isfinite().all(), f"the primitive is finite in {dtype}")


def _surrogate(row: SurrogateDerivative) -> None:
    spike, v = Surrogate(row), torch.cat([_points(row), torch.zeros(1, dtype=torch.float64)])
    _claim(row, torch.equal(spike(v), (v > 0).double()), "a spike is 1 where v > 0, and else 0")
    h = row.h(v)
    _claim(row, torch.equal(_slope(spike, v), h), "the gradient of a spike is h")
    _claim(row, torch.equal(_forward_slope(spike, v), h), "jvp equals vjp")
    _claim(row, torch.equal(vmap(spike)(v), spike(v)), "vmap equals a loop")
    _claim(row, torch.equal(vmap(grad(spike))(v), h), "vmap of grad equals a loop")


def _soft(row: SurrogateDerivative) -> None:
    soft, v = Soft(row), _points(row, 100)
    step = 1e-6 / row.scale
    difference = (soft(v + step) - soft(v - step)) / (2 * step)
    slope = _slope(soft, v)
    close = torch.allclose(difference, slope, rtol=1e-5, atol=1e-7 * row.scale)
    _claim(row, close, "the gradient of a soft spike is that of finite differences")
    _claim(row, torch.equal(_forward_slope(soft, v), slope), "jvp equals vjp")


def _limit(row: SurrogateDerivative) -> None:
    if math.isinf(row.total):
        return
    v = torch.tensor([-1.0, -0.1, 0.1, 1.0], dtype=torch.float64) / row.scale
    error = Soft(row(row.scale * 1e6))(v) - (v > 0).double()
    _claim(row, error.abs().max() < 2e-5, "a soft spike approaches the step")


def _slope(spike: Surrogate | Soft, v: Tensor) -> Tensor:
    leaf = v.clone().requires_grad_()
    (slope,) = torch.autograd.grad(spike(leaf).sum(), leaf)
    return slope


def _forward_slope(spike: Surrogate | Soft, v: Tensor) -> Tensor:
    with warnings.catch_warnings():
        # PyTorch's forward mode uses what PyTorch deprecates
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        return jvp(spike, (v,), (torch.ones_like(v),))[1]
