"""Event-driven layers: crossings, gradients against differences, and the hard cases."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from surgrad.errors import ArgumentError, EventError, ShapeError
from surgrad.objectives.times import FirstSpikeTime
from surgrad.timing import EventLI, EventLIF, SpikeTimeWarning
from surgrad.timing.eventprop import (
    Neurons,
    Readout,
    spike_times,
    train_distance,
)

F64 = torch.float64
# (membrane, synapse): both closed forms, a fast and a slow synapse, almost equal ones
CONSTANTS = ((2.0, 1.0), (1.0, 1.0), (2.0, 0.5), (0.7, 1.3), (1.0, 0.98))
END = 4.0
# neurons slower than this at their threshold have derivatives that no difference resolves
SLOWEST, MOST_SENSITIVE = 0.05, 300.0


# which of times, weights, delays, recurrent weights and their delays a layer takes
USED = {"plain": (0, 1), "delays": (0, 1, 2), "recurrent": (0, 1, 3), "both": (0, 1, 2, 3, 4)}
NAMES = ("delay", "recurrent", "recurrent_delay")


def draw(seed: int) -> list[Tensor]:
    """Times, weights, delays, recurrent weights and their delays."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, 4, 2), (3, 4), (3, 4), (3, 3), (3, 3)]
    bounds = [(1e-4, 3.0), (-1.0, 4.5), (1e-4, 1.0), (-0.8, 0.8), (1e-4, 1.0)]
    return [
        low + (high - low) * torch.rand(shape, generator=generator, dtype=F64)
        for shape, (low, high) in zip(shapes, bounds, strict=True)
    ]


def differences(run: Callable[..., Tensor], tensors: list[Tensor], weight: Tensor) -> list[Tensor]:
    """Central differences of the weighted sum of all spike times, with one extrapolation."""

    def value(at: int, entry: int, step: float) -> float:
        moved = [t.clone() for t in tensors]
        moved[at].view(-1)[entry] += step
        found = run(*moved)
        assume(found.shape == weight.shape)
        assume(bool((found.isfinite() == (weight != 0)).all()))
        return float((torch.where(weight != 0, found, 0.0) * weight).sum())

    results = []
    for at, tensor in enumerate(tensors):
        slopes = torch.zeros(tensor.numel(), dtype=F64)
        for entry in range(tensor.numel()):
            fine, coarse = (
                (value(at, entry, h) - value(at, entry, -h)) / (2 * h) for h in (5e-6, 1e-5)
            )
            slopes[entry] = (4 * fine - coarse) / 3
            # an arrival that overtakes a spike within the difference is a kink of its own; a
            # third of what it leaves here is left in the extrapolation
            assume(abs(fine - coarse) < 2e-6 * max(1.0, abs(fine)))
        results.append(slopes.view(tensor.shape))
    return results


def check_gradients(kind: str, constants: tuple[float, float], seed: int) -> None:
    neurons = Neurons(*constants, threshold=1.0, until=END, longest_rise=1e9)
    names = [NAMES[index - 2] for index in USED[kind][2:]]

    def run(times: Tensor, weight: Tensor, *others: Tensor) -> Tensor:
        return spike_times(times, weight, neurons, **dict(zip(names, others, strict=True)))

    tensors = [draw(seed)[index] for index in USED[kind]]
    leaves = [t.clone().requires_grad_() for t in tensors]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeTimeWarning)
        times = run(*leaves)
        there = times.isfinite()
        assume(bool(there.any()))
        assume(float(times.grad_fn.run.slopes[there].min()) > SLOWEST)
        generator = torch.Generator().manual_seed(seed + 1)
        weight = torch.where(
            there, torch.rand(times.shape, generator=generator, dtype=F64) + 0.5, 0.0
        )
        (torch.where(there, times, 0.0) * weight).sum().backward()
        truth = differences(run, tensors, weight)
    # activity that feeds itself can be so sensitive that no difference resolves it
    assume(max(float(t.abs().max()) for t in truth) < MOST_SENSITIVE)
    for index, leaf, expected in zip(USED[kind], leaves, truth, strict=True):
        scale = max(1.0, float(expected.abs().max()))
        assert (leaf.grad - expected).abs().max() < 1e-6 * scale, (kind, constants, seed, index)


@pytest.mark.parametrize("kind", ["plain", "delays", "recurrent", "both"])
@settings(
    max_examples=8, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)  # fmt: skip
@given(constants=st.sampled_from(CONSTANTS), seed=st.integers(0, 10**6))
def test_gradients_are_those_of_the_simulation(kind: str, constants, seed: int) -> None:
    check_gradients(kind, constants, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "delays", "recurrent", "both"])
@settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)  # fmt: skip
@given(constants=st.sampled_from(CONSTANTS), seed=st.integers(0, 10**6))
def test_gradients_of_hundreds_of_networks(kind: str, constants, seed: int) -> None:
    check_gradients(kind, constants, seed)


@pytest.mark.parametrize("constants", CONSTANTS)
def test_spikes_lie_on_the_threshold_of_an_integrated_membrane(constants) -> None:
    """Against small Euler steps of the differential equations, with their own resets."""
    tau_mem, tau_syn = constants
    times, weight, *_ = draw(5)
    neurons = Neurons(tau_mem, tau_syn, threshold=0.7, until=END)
    found = spike_times(times, weight, neurons)
    dt = 5e-4
    v = torch.zeros(2, 3, dtype=F64)
    i = torch.zeros_like(v)
    emitted: list[tuple[int, int, float]] = []
    arriving = (times / dt).round().long()
    for n in range(round(END / dt)):
        i = i + ((arriving == n).to(F64).sum(2) @ weight.t())
        v, i = v + dt / tau_mem * (i - v), i - dt / tau_syn * i
        for b, k in (v > 0.7).nonzero().tolist():
            emitted.append((b, k, n * dt))
        v = torch.where(v > 0.7, 0.0, v)
    assert len(emitted) == int(found.isfinite().sum()) > 5
    for b, k in {(b, k) for b, k, _ in emitted}:
        stepped = torch.tensor([t for x, y, t in emitted if (x, y) == (b, k)], dtype=F64)
        exact = found[b, k][found[b, k].isfinite()]
        # Euler's method is late by a step in each spike, more where the rise is slow
        assert (stepped - exact).abs().max() < 0.05


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(CONSTANTS[:2]), st.integers(0, 10**6))
def test_closed_forms_equal_newtons_method(constants, seed: int) -> None:
    times, weight, *_ = draw(seed)
    closed, open_ = (
        spike_times(times, weight, Neurons(*constants, until=END, closed=c)) for c in (True, False)
    )
    assert closed.shape == open_.shape
    assert torch.allclose(closed, open_, rtol=0, atol=1e-7)


def test_recurrent_weights_of_zero_change_nothing() -> None:
    times, weight, delay, recurrent, _ = draw(3)
    neurons = Neurons(2.0, 1.0, until=END)
    alone = spike_times(times, weight, neurons, delay=delay)
    together = spike_times(times, weight, neurons, delay=delay, recurrent=0 * recurrent)
    assert alone.isfinite().any()
    assert torch.allclose(alone, together, atol=1e-12)


def test_equal_delays_shift_all_spikes() -> None:
    times, weight, *_ = draw(4)
    neurons = Neurons(2.0, 1.0)
    late = spike_times(times, weight, neurons, delay=torch.full_like(weight, 0.25))
    assert torch.allclose(late, spike_times(times, weight, neurons) + 0.25)


@pytest.mark.parametrize("constants", CONSTANTS)
@pytest.mark.parametrize("seed", range(2))
def test_the_readout_against_a_fine_grid_and_differences(constants, seed: int) -> None:
    times, _, delay, *_ = draw(seed)
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed), dtype=F64)
    grid = torch.linspace(0, END, 1001, dtype=F64)
    readout = Readout(times, weight, *constants, delay)
    potential = torch.stack([readout.at(t.expand(2, 3)) for t in grid])
    assert (potential.amax(0).clamp(min=0) - readout.maximum(END)).abs().max() < 1e-2
    area = torch.trapezoid(potential, grid, dim=0)
    assert (area - readout.integral(END)).abs().max() < 1e-4

    def top(t: Tensor, w: Tensor, d: Tensor) -> Tensor:
        return Readout(t, w, *constants, d).maximum(END)

    def total(t: Tensor, w: Tensor, d: Tensor) -> Tensor:
        return Readout(t, w, *constants, d).integral(END)

    leaves = tuple(t.clone().requires_grad_() for t in (times, weight, delay))
    for function in (top, total):
        assert torch.autograd.gradcheck(function, leaves, eps=1e-6, atol=1e-6)


def test_a_maximum_at_a_kink_moves_with_the_inhibitory_spike() -> None:
    times = torch.tensor([[[0.0], [0.4]]], dtype=F64, requires_grad=True)
    weight = torch.tensor([[1.0, -5.0]], dtype=F64)
    top = Readout(times, weight, 1.0, 1.0).maximum()
    (slope,) = torch.autograd.grad(top.sum(), times)
    # t exp(-t) at the second spike, which ends the rise
    assert math.isclose(top.item(), 0.4 * math.exp(-0.4))
    assert math.isclose(slope[0, 1, 0].item(), 0.6 * math.exp(-0.4))
    assert math.isclose(slope[0, 0, 0].item(), -0.6 * math.exp(-0.4))


def finite(layer: EventLIF, times: Tensor) -> None:
    """All gradients are numbers."""
    times = times.clone().requires_grad_()
    out = layer(times)
    assert not out.isnan().any()
    torch.where(out.isfinite(), out, 0.0).sum().backward()
    for tensor in (times, *layer.parameters()):
        assert tensor.grad is None or tensor.grad.isfinite().all()


@pytest.mark.parametrize("recurrent", [False, True])
def test_silence_is_said(recurrent: bool) -> None:
    layer = EventLIF(2, 3, until=0.1, recurrent=recurrent, delay=1e-3, dtype=F64)
    with pytest.warns(SpikeTimeWarning, match="no spike"):
        finite(layer, torch.zeros(2, 2, 1, dtype=F64))
    layer.reset(9.0, 0.0)
    with pytest.warns(SpikeTimeWarning, match="no spike"):
        finite(layer, torch.full((2, 2, 1), math.inf, dtype=F64))


@pytest.mark.parametrize("recurrent", [False, True])
def test_simultaneous_spikes_have_finite_gradients(recurrent: bool) -> None:
    layer = EventLIF(3, 4, until=0.1, recurrent=recurrent, dtype=F64)
    layer.reset(5.0, 0.0)
    if layer.recurrent is not None:
        torch.nn.init.constant_(layer.recurrent, 0.3)
    times = torch.full((2, 3, 2), 0.01, dtype=F64)
    finite(layer, times)
    # all neurons are alike, and spike at once
    out = layer(times)
    assert out.isfinite().any() and (out == out[:, :1]).all()


def test_a_neuron_that_grazes_its_threshold_is_cut_and_said() -> None:
    layer = EventLIF(1, 1, tau_mem=2.0, tau_syn=1.0, longest_rise=10.0, dtype=F64)
    # the potential is w/4 at its highest
    for weight, spikes in ((4 - 1e-9, 0), (4 + 1e-13, 1)):
        layer.reset(weight, 0.0)
        layer.zero_grad()
        expected = "no spike" if spikes == 0 else "only just reach"
        with pytest.warns(SpikeTimeWarning, match=expected):
            finite(layer, torch.zeros(1, 1, 1, dtype=F64))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpikeTimeWarning)
            assert int(layer(torch.zeros(1, 1, dtype=F64)).isfinite().sum()) == spikes
    # ∂t/∂w = -κ/V̇ with κ = 1/4 and 1/V̇ cut to 10
    assert math.isclose(float(layer.weight.grad), -2.5, rel_tol=1e-4)


def test_the_distance_of_trains() -> None:
    times = torch.tensor([[[1e-3, 5e-3], [2e-3, math.inf]]], dtype=F64)
    same = train_distance(times, times, 1e-3)
    assert abs(same.item()) < 1e-12
    moved = torch.where(times.isfinite(), times + 1e-9, times).requires_grad_()
    train_distance(moved, times, 1e-3).backward()
    assert moved.grad.isfinite().all()
    silent = torch.full_like(times, math.inf)
    assert math.isclose(train_distance(silent, times[:, 1:].expand(1, 2, 2), 1e-3).item(), 1.0)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ShapeError, lambda: EventLIF(2, 1)(torch.zeros(1, 3))),
        (EventError, lambda: EventLIF(2, 1)(-torch.ones(1, 2))),
        (EventError, lambda: EventLIF(2, 1)(torch.full((1, 2), math.nan))),
        (ArgumentError, lambda: EventLIF(2, 2, recurrent=True)(torch.zeros(1, 2))),
        (ArgumentError, lambda: EventLIF(2, 2, tau_mem=-1.0)),
        (ArgumentError, lambda: EventLI(2, 2, delay=-1.0)),
        (ArgumentError, lambda: EventLIF(0, 2)),
    ],
)
def test_mistakes_are_refused(error, call) -> None:
    with pytest.raises(error):
        call()


@pytest.mark.parametrize("seed", [0, 3])
def test_temporal_xor_is_solved(seed: int) -> None:
    """Two inputs, early or late, and a bias: the class is the output that spikes first."""
    late = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=F64)
    times = torch.cat([15e-3 * late, torch.zeros(4, 1, dtype=F64)], 1)
    labels = (late[:, 0] != late[:, 1]).long()
    hidden, out = (
        EventLIF(*sizes, until=60e-3, longest_rise=0.05, dtype=F64) for sizes in ((3, 10), (10, 2))
    )
    generator = torch.Generator().manual_seed(seed)
    hidden.reset(3.0, 1.5, generator)
    out.reset(1.5, 1.0, generator)
    parameters = [*hidden.parameters(), *out.parameters()]
    optimiser = torch.optim.Adam(parameters, 2e-2)
    loss = FirstSpikeTime(silent=60e-3, tau=2e-3, early=3e-3, tau_early=6.4e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeTimeWarning)
        for _ in range(250):
            optimiser.zero_grad()
            loss(out(hidden(times))[None, ..., 0], labels).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
        first = out(hidden(times))[..., 0]
    assert (first.argmin(1) == labels).all() and first.isfinite().any(1).all()
