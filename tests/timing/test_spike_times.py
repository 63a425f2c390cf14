"""Spike times against integration, their gradients against differences, and the hard cases."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from surgrad.errors import ArgumentError, EventError, ShapeError
from surgrad.kernels.first_spike import reference
from surgrad.kernels.first_spike.dynamics import Dynamics, Model
from surgrad.kernels.first_spike.op import MODELS, first_spike
from surgrad.timing import (
    LAYERS,
    LIFDouble,
    LIFEqual,
    NonLeaky,
    SpikeResponse,
    SpikeTimeLayer,
    SpikeTimes,
    SpikeTimeWarning,
)

TAU = 10e-3
F64 = torch.float64
# neurons slower than this at their threshold have derivatives that no difference resolves
SLOWEST = 0.15


def grad(leaf: Tensor) -> Tensor:
    """Its gradient, which is there."""
    assert leaf.grad is not None
    return leaf.grad


def layer_of(kind: str, inputs: int, outputs: int, **options) -> SpikeTimeLayer:
    """A layer in float64, its gradients uncut; the spike response model has three delays."""
    if kind == "spike_response":
        options["delays"] = [0.0, 2e-3, 5e-3]
    options = {"tau": TAU, "floor": 1e-9, "dtype": F64} | options
    return LAYERS[kind](inputs, outputs, **options)


def drawn(kind: str, sizes: tuple[int, ...], seed: int) -> tuple[SpikeTimes, Tensor]:
    """A network with positive and negative weights, and one sample of input."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [layer_of(kind, a, b, drive=3.5, spread=2.0) for a, b in pairwise(sizes)]
        net = SpikeTimes(*layers)
        return net, 3 * TAU * torch.rand(1, sizes[0], dtype=F64)


def events(net: SpikeTimes, times: Tensor) -> list[Tensor]:
    """The spike times of the input and of every layer."""
    found = [times]
    for layer in net.neurons:
        found.append(layer(found[-1]))
    return found


def orders(net: SpikeTimes, found: list[Tensor]) -> list[Tensor]:
    """Which arrivals came before which output, in every layer: within it all is smooth."""
    kept = []
    for layer, given_, out in zip(net.neurons, found, found[1:], strict=False):
        kept.append(layer._arrivals(given_)[:, :, None] < out[:, None, :])
    return [*kept, *(torch.isfinite(part) for part in found)]


def slowest(net: SpikeTimes, found: list[Tensor]) -> float:
    """The least slope of a potential at its crossing, in thresholds per τ."""
    least = math.inf
    for layer, given_, out in zip(net.neurons, found, found[1:], strict=False):
        for n in torch.isfinite(out[0]).nonzero()[:, 0].tolist():
            at = out[0, n].detach() + torch.tensor([-1e-5, 0.0], dtype=F64) * TAU
            u = layer.potential(given_.detach(), at)[:, 0, n]
            least = min(least, float((u[1] - u[0]).detach() / 1e-5))
    return least


def check_gradients(kind: str, sizes: tuple[int, ...], seed: int) -> None:
    """Against central differences along random directions, within which no spike overtakes."""
    net, times = drawn(kind, sizes, seed)
    times.requires_grad_()
    base = events(net, times)
    assume(bool(torch.isfinite(base[-1]).any()) and slowest(net, base) > SLOWEST)
    generator = torch.Generator().manual_seed(seed)
    price = torch.randn(base[-1].shape, generator=generator, dtype=F64)
    fires = torch.isfinite(base[-1])
    leaves = [times, *net.weights]
    (price * base[-1].where(fires, 0.0)).sum().backward()
    gradients = [grad(leaf) for leaf in leaves]
    held, kept = [leaf.detach().clone() for leaf in leaves], orders(net, base)
    units = [TAU, *(1.0 for _ in net.weights)]
    compared = 0
    for _ in range(4):
        ways = [torch.randn(leaf.shape, generator=generator, dtype=F64) for leaf in held]

        def loss_at(step: float, ways: list[Tensor] = ways) -> Tensor | None:
            with torch.no_grad():
                for leaf, value, way, unit in zip(leaves, held, ways, units, strict=True):
                    leaf.copy_(value + step * unit * way)
                found = events(net, leaves[0])
                same = zip(kept, orders(net, found), strict=True)
                if not all(torch.equal(a, b) for a, b in same):
                    return None
                return (price * found[-1].where(fires, 0.0)).sum()

        values = [loss_at(step * 2e-5) for step in (-2, -1, 1, 2)]
        loss_at(0.0)
        if any(value is None for value in values):
            continue
        a, b, c, d = (float(value) for value in values if value is not None)
        difference = (8 * (c - b) - (d - a)) / (12 * 2e-5) / TAU
        pairs = zip(gradients, ways, units, strict=True)
        slope = sum(((g * way).sum() * unit for g, way, unit in pairs), torch.zeros(())) / TAU
        size = sum((g.abs().sum() * unit for g, unit in zip(gradients, units, strict=True)))
        assert abs(difference - slope) <= 1e-6 * max(1.0, float(size / TAU)), (kind, sizes, seed)
        compared += 1
    assume(compared > 0)


NETWORKS = {
    "sizes": st.sampled_from([(3, 4), (5, 3, 2), (2, 6, 4, 3)]),
    "seed": st.integers(0, 10**6),
}


@pytest.mark.parametrize("kind", LAYERS)
@given(**NETWORKS)
@settings(max_examples=20, deadline=None)
def test_gradients_are_central_differences(kind: str, sizes: tuple[int, ...], seed: int) -> None:
    check_gradients(kind, sizes, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYERS)
@given(**NETWORKS)
@settings(max_examples=150, deadline=None)
def test_gradients_of_hundreds_of_networks(kind: str, sizes: tuple[int, ...], seed: int) -> None:
    check_gradients(kind, sizes, seed)


def integrated(kind: str, weight: list[float], times: list[float], step: float = 2e-3) -> float:
    """The first crossing of one neuron in τ, by Runge-Kutta steps of its differential equations."""
    membrane = {"nonleaky": math.inf, "lif_double": 2.0}.get(kind, 1.0)
    gain = math.e if kind == "spike_response" else 1.0

    def slope(v: float, i: float) -> float:
        return i if membrane == math.inf else (i - v) / membrane

    v = i = now = 0.0
    for at, w in [*sorted(zip(times, weight, strict=True)), (LAST, 0.0)]:
        steps = math.ceil((at - now) / step)
        h = (at - now) / max(steps, 1)
        half, whole = math.exp(-h / 2), math.exp(-h)
        for n in range(steps):
            k1 = slope(v, i)
            k2 = slope(v + h / 2 * k1, i * half)
            k3 = slope(v + h / 2 * k2, i * half)
            k4 = slope(v + h * k3, i * whole)
            after = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            if after >= 1.0:
                return now + h * (n + (1.0 - v) / (after - v))
            v, i = after, i * whole
        now, i = at, i + gain * w
    return math.inf


LAST = 10.0


@pytest.mark.parametrize("kind", LAYERS)
def test_closed_forms_agree_with_integration(kind: str) -> None:
    generator = torch.Generator().manual_seed(3)
    layer = layer_of(kind, 6, 12)
    mean = 0.5 * 6 / layer.weight[0].numel() / layer.peak
    layer.weight.data.normal_(mean, 1.0 / layer.peak, generator=generator)
    times = 3 * torch.rand(1, 6, generator=generator, dtype=F64)
    found = (layer(times * TAU) / TAU)[0].tolist()
    delays = [0.0, 0.2, 0.5] if kind == "spike_response" else [0.0]
    arrivals = [t + d for t in times[0].tolist() for d in delays]
    fired = 0
    for row, out in zip(layer.weight.flatten(1).tolist(), found, strict=True):
        expected = integrated(kind, row, arrivals)
        if out < LAST - 1:
            assert out == pytest.approx(expected, abs=2e-5)
            fired += 1
        else:
            assert expected == math.inf
    assert 4 <= fired < 12


@pytest.mark.parametrize("kind", MODELS)
def test_the_kernel_is_its_definition(kind: Model) -> None:
    """Times and gradients, for all sizes, with silent inputs and inputs at the same time."""
    generator = torch.Generator().manual_seed(0)
    dynamics = Dynamics(kind, 1.0, 1.0, 1e-9)
    compared = 0
    for _ in range(60):
        batch, inputs, outputs = torch.randint(1, 20, (3,), generator=generator).tolist()
        draw = torch.rand(batch, inputs, generator=generator, dtype=F64)
        times = (4 * draw).round(decimals=1).where(draw < 0.9, torch.inf)
        weight = torch.randn(outputs, inputs, generator=generator, dtype=F64) * 2 + 1
        found = []
        for function in (first_spike, reference.first_spike):
            leaves = times.clone().requires_grad_(), weight.clone().requires_grad_()
            out = function(*leaves, dynamics)
            fires = torch.isfinite(out)
            (out.where(fires, 0.0).sin() * torch.arange(outputs)).sum().backward()
            found.append([out.detach(), *(grad(leaf) for leaf in leaves)])
        mine, truth = found
        # ties are broken alike; an infinite input has no gradient
        assert torch.equal(torch.isfinite(mine[0]), torch.isfinite(truth[0]))
        mine[1][times == torch.inf] = truth[1][times == torch.inf] = 0.0
        for one, other in zip(mine, truth, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
        compared += int(torch.isfinite(mine[0]).sum())
    assert compared > 1000


def test_times_by_hand() -> None:
    one = torch.zeros(1, 1, dtype=F64)
    expected = {
        NonLeaky: math.log(2),  # 2 (1 - e^-s) = 1
        LIFDouble: 2 * math.log(2),  # 4 (x - x²) = 1, x = 1/2: just reached
        LIFEqual: 1.0,  # e s e^-s = 1
        SpikeResponse: 1.0,
    }
    for kind, s in expected.items():
        layer = kind(1, 1, tau=1.0, dtype=F64)
        gain = {NonLeaky: 2.0, LIFDouble: 4.0, LIFEqual: math.e, SpikeResponse: 1.0}[kind]
        layer.weight.data.fill_(gain * (1 + 1e-12))
        assert layer(one).item() == pytest.approx(s, abs=1e-5), kind


def test_only_inputs_before_the_output_count() -> None:
    layer = NonLeaky(3, 1, tau=1.0, dtype=F64)
    layer.weight.data = torch.tensor([[1.0, 1.0, -5.0]], dtype=F64)
    times = torch.tensor([[0.0, 0.0, 0.7]], dtype=F64).requires_grad_()
    out = layer(times)
    out.backward()
    # z = (1 + 1) / (2 - 1), before the third
    assert out.item() == pytest.approx(math.log(2))
    assert grad(times)[0].tolist() == pytest.approx([0.5, 0.5, 0.0])
    assert layer(torch.tensor([[0.0, 0.0, 0.6]], dtype=F64)).item() == math.inf


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_silence_has_no_gradient_and_says_so(kind: str, dtype: torch.dtype) -> None:
    net = SpikeTimes(layer_of(kind, 3, 4, dtype=dtype), layer_of(kind, 4, 2, dtype=dtype))
    times = torch.full((5, 3), torch.inf, dtype=dtype, requires_grad=True)
    with pytest.warns(SpikeTimeWarning, match="no spike"):
        out = net(times)
    assert (out == torch.inf).all()
    out.where(torch.isfinite(out), 1.0).sum().backward()
    for leaf in [times, *net.weights]:
        assert not grad(leaf).any()
    # the product of an infinite output and no gradient is no gradient either
    layer = net.neurons[0]
    layer.weight.grad = None
    layer(torch.full((5, 3), torch.inf, dtype=dtype)).backward(torch.ones(5, 4, dtype=dtype))
    assert not grad(layer.weight).any()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_grazing_is_finite_and_says_so(kind: str, dtype: torch.dtype) -> None:
    """A potential whose peak is the threshold, and barely more."""
    layer = layer_of(kind, 1, 200, dtype=dtype, tau=1.0, floor=1e-2)
    excess = torch.logspace(-15, -4, 200, dtype=F64)[:, None]
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight.view(200, -1)[:, :1] = ((1 + excess) / layer.peak).to(dtype)
    times = torch.zeros(1, 1, dtype=dtype, requires_grad=True)
    out = layer(times)
    fires = torch.isfinite(out)
    assert fires.any() and not out.isnan().any()
    with pytest.warns(SpikeTimeWarning, match="only just reach"):
        out.where(fires, 0.0).sum().backward()
    for leaf in (times, layer.weight):
        assert torch.isfinite(grad(leaf)).all()
    # |∂t/∂w| = κ / V̇, and V̇ is at least the floor times the threshold
    assert grad(layer.weight).abs().max() <= layer.peak / (1e-2 * layer.theta) * 1.001


@pytest.mark.parametrize("kind", LAYERS)
def test_simultaneous_inputs_are_one_input(kind: str) -> None:
    """Several at once act as their sum, in any order, and share its gradient."""
    layer, single = layer_of(kind, 4, 6), layer_of(kind, 1, 6)
    with torch.no_grad():
        layer.weight.uniform_(0.2, 1.0).div_(layer.peak)
        single.weight.copy_(layer.weight.sum(1, keepdim=True))
    times = torch.full((1, 4), 3e-3, dtype=F64, requires_grad=True)
    one = torch.full((1, 1), 3e-3, dtype=F64, requires_grad=True)
    out, expected = layer(times), single(one)
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-15)
    out.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(grad(layer.weight), grad(single.weight).expand(layer.weight.shape))
    torch.testing.assert_close(grad(times).sum(), grad(one).sum())


@pytest.mark.parametrize("kind", LAYERS)
def test_spike_times_move_with_their_input(kind: str) -> None:
    """A network knows no absolute time, so the gradients over all inputs sum to one."""
    layer = layer_of(kind, 8, 5, drive=4.0, spread=1.0)
    times = (TAU * torch.rand(3, 8, dtype=F64)).requires_grad_()
    out = layer(times)
    torch.testing.assert_close(layer(times + 700 * TAU), out + 700 * TAU, rtol=1e-10, atol=1e-12)
    fires = torch.isfinite(out)
    assert fires.any()
    out.where(fires, 0.0).sum().backward()
    assert grad(times).sum() == pytest.approx(float(fires.sum()), rel=1e-9)


def test_far_away_inputs_do_not_overflow() -> None:
    """Exponentials of absolute times would: the second input is ten thousand τ behind the first."""
    times = torch.tensor([[0.0, 1e4]])
    for kind in ("nonleaky", "lif_double", "lif_equal", "spike_response"):
        layer = LAYERS[kind](2, 1, tau=1.0)
        layer.weight.data.zero_()
        layer.weight.data[:, 1] = 2 / layer.peak
        assert 1e4 < layer(times).item() < 1e4 + 2, kind


def test_threads_and_float32_change_next_to_nothing() -> None:
    layer = NonLeaky(50, 20, dtype=F64)
    times = TAU * torch.rand(33, 50, dtype=F64)
    out = layer(times)
    torch.set_num_threads(2)
    try:
        assert torch.equal(layer(times), out)
    finally:
        torch.set_num_threads(1)
    torch.testing.assert_close(layer.float()(times.float()).double(), out, rtol=1e-4, atol=1e-7)


def test_bad_input_is_refused() -> None:
    layer = NonLeaky(3, 2)
    with pytest.raises(ShapeError, match=r"\(batch, 3\)"):
        layer(torch.zeros(1, 4))
    with pytest.raises(EventError, match="not a number"):
        layer(torch.tensor([[0.0, torch.nan, 0.0]]))
    with pytest.raises(EventError):
        layer(torch.tensor([[0.0, -torch.inf, 0.0]]))
    with pytest.raises(ArgumentError, match="dtype"):
        layer(torch.zeros(1, 3, dtype=F64))
    for wrong in ({"tau": 0.0}, {"threshold": -1.0}, {"floor": math.inf}, {"drive": math.nan}):
        with pytest.raises(ArgumentError):
            NonLeaky(3, 2, **wrong)  # pyright: ignore[reportArgumentType]
    for delays in ([], [-1e-3], [math.nan]):
        with pytest.raises(ArgumentError, match="delays"):
            SpikeResponse(3, 2, delays=delays)
    with pytest.raises(ArgumentError, match="in_features"):
        SpikeTimes(NonLeaky(3, 2), NonLeaky(3, 2))
