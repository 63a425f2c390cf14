"""The batteries that everything in the package passes, for your own as well.

Each raises `AssertionError` with the claim that does not hold.
"""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, jvp, vmap

from surgrad.learning.base import EVERYTHING, Result, Rule
from surgrad.learning.bptt import BPTT
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF, CuBaLI, CuBaLIF
from surgrad.objectives import losses
from surgrad.spikes import SigmoidEscape, Soft, Stochastic, Surrogate
from surgrad.surrogates import SurrogateDerivative, fast_sigmoid


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
    if not holds:
        raise AssertionError(f"surrogate derivative {row.name} at scale {row.scale:g}: {claim}")


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


def check_rule(rule: Rule, *, visible: bool = False, smooth: bool = False) -> None:
    """Check what every learning rule promises, on a small recurrent network in float64.

    It declares of what it is exact and what it needs; it pickles; it adds finite gradients to
    `p.grad` of the trainable parameters and leaves the weights, the others and the batch alone;
    steps in the padding do not matter; the output is that of the network, and without a
    graph; a copy gives the same; and if it is the exact surrogate gradient always, it is BPTT's.

    Args:
        rule: a rule of the package or your own.
        visible: whether the rule learns target spike trains, of the last layer, by chance.
        smooth: whether it needs membranes that do not jump, behind synapses with a current.

    Raises:
        AssertionError: with the first claim that does not hold.

    Example:
        >>> check_rule(BPTT())
    """
    name = type(rule).__name__
    declared = rule.exact in ("surrogate", "event", "expectation", None) and rule.exact_when
    _holds(name, declared, "exact and exact_when are declared")
    _holds(name, rule.needs <= EVERYTHING, "needs are among those that are known")
    _holds(name, pickle.loads(pickle.dumps(rule)) == rule, "it pickles")
    kind = "visible" if visible else "smooth" if smooth else "plain"
    truth, kept = _learn(rule, kind), _learn(rule, kind, frozen=True)
    result, found = truth
    for key, gradient in found.items():
        _holds(name, gradient is not None and gradient.isfinite().all(), f"{key} has a gradient")
    _holds(name, any(g.abs().max() > 0 for g in found.values()), "some gradient is not zero")
    _holds(name, kept[1]["0.weight"] is None, "a frozen parameter has no gradient")
    _holds(name, torch.equal(kept[1]["2.weight"], found["2.weight"]), "the others have theirs")
    _holds(name, not result.output.requires_grad, "the output has no graph")
    _holds(name, _same(_learn(copy.deepcopy(rule), kind)[1], found), "a copy gives the same")
    padded = _learn(rule, kind, padding=1e3)[1]
    _holds(name, _same(padded, found), "what stands in the padding does not matter")
    twice = _learn(rule, kind, times=2)[1]
    if not rule.stochastic:
        doubled = {key: 2 * gradient for key, gradient in found.items()}
        _holds(name, _same(twice, doubled), "gradients add up")
        expected, exact = _learn(BPTT(), kind)
        _holds(name, torch.equal(result.output, expected.output), "the output is the network's")
        if rule.exact == "surrogate" and rule.exact_when == "always":
            _holds(name, _same(found, exact), "it is back-propagation through time")


def _learn(
    rule: Rule, kind: str, *, frozen: bool = False, padding: float = 0.0, times: int = 1
) -> tuple[Result, dict[str, Any]]:
    """The gradients of a small network, made anew, and what the rule reports."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        spike = Surrogate(fast_sigmoid(5))
        if rule.stochastic:
            spike = Stochastic(SigmoidEscape(5), torch.Generator().manual_seed(1))
        visible, smooth = kind == "visible", kind == "smooth"
        # weights for rarer input, so that slow membranes reach their threshold within 12 steps
        rate = 5.0 if smooth else 200.0
        read = LIF if visible else CuBaLI if smooth else LI
        last = read(3, tau_mem=8e-3)
        hidden = (CuBaLIF if smooth else LIF)(5, tau_mem=8e-3, recurrent=True)
        modules = (nn.Linear(4, 5), hidden, nn.Linear(5, 3), last)
        net = Sequential(*modules, dt=1e-3, spike=spike, input_rate=rate).double()
        inputs = (torch.rand(12, 6, 4) < 0.4).double()
        targets = (torch.rand(12, 6, 3) < 0.2).double() if visible else torch.arange(6) % 3
        inputs[8:, 0] = padding
        lengths = torch.tensor([8, 12, 12, 12, 12, 12])
        net[0].get_parameter("weight").requires_grad_(not frozen)
        before = copy.deepcopy(net.state_dict())
        loss = losses.VanRossum(dt=1e-3) if visible else losses.every_step
        batch = inputs, targets, lengths
        for _ in range(times - 1):
            rule.gradients(net, batch, loss)
        result = rule.gradients(net, batch, loss)
        _holds(type(rule).__name__, _same(net.state_dict(), before), "the weights are left alone")
    return result, {key: p.grad for key, p in net.named_parameters()}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    pairs = [(one[key], other[key]) for key in other]
    return all(torch.allclose(a, b, rtol=1e-10, atol=1e-13) for a, b in pairs)


def _holds(name: str, holds: object, claim: str) -> None:
    if not holds:
        raise AssertionError(f"rule {name}: {claim}")
