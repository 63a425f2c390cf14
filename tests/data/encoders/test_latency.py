"""Latency codes against their closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from surgrad.data.encoders import at_times, latency, log_latency
from surgrad.errors import ArgumentError, ShapeError


def test_linear_times():
    x = torch.tensor([[1.0, 0.75, 0.25, 0.0], [0.0, 0.0, 0.5, 0.0]])
    train = latency(x, time=100, dt=0.5e-3, t_min=5e-3, t_max=25e-3)
    step, unit, sample = train.events()
    found = {
        (s, u): n for n, u, s in zip(step.tolist(), unit.tolist(), sample.tolist(), strict=True)
    }
    # 5 ms + 20 ms · (1 - x) in steps of half a millisecond
    assert found == {(0, 0): 10, (0, 1): 20, (0, 2): 40, (1, 2): 30}


def test_the_whole_sample_is_the_default_window():
    train = latency(torch.tensor([[1.0, 0.0]]), time=8, dt=1e-3, threshold=-1)
    assert train.events()[0].tolist() == [0, 7]


def test_at_most_one_spike_and_none_up_to_the_threshold():
    x = torch.linspace(0, 1, 101).view(1, 101)
    train = latency(x, time=50, dt=1e-3, threshold=0.5)
    assert torch.equal(train.counts()[0], (x[0] > 0.5).float())


def test_features_keep_their_shape():
    assert latency(torch.rand(2, 3, 4), time=5, dt=1e-3).shape == (5, 2, 3, 4)


def test_logarithmic_times_are_those_of_a_leaky_integrator():
    # Euler in small steps: tau du/dt = -u + x until u reaches theta
    tau, theta, h = 20e-3, 0.2, 1e-6
    x = torch.tensor([[1.0, 0.6, 0.31, 0.22]], dtype=torch.float64)
    u, crossed = torch.zeros_like(x), torch.full_like(x, math.inf)
    for n in range(60_000):
        u += h / tau * (x - u)
        crossed = torch.where((u >= theta) & crossed.isinf(), (n + 1) * h, crossed)
    train = log_latency(x, time=1000, dt=0.1e-3, tau=tau, theta=theta)
    dense = train.to_dense()[:, 0]
    assert dense.sum(0).tolist() == [1, 1, 1, 1]
    assert ((dense.argmax(0) - crossed[0] / 0.1e-3).abs() <= 1.01).all()


def test_the_tutorials_times():
    # T = 20 ln(x / (x - 0.2)) in steps; what comes after step 100 or below 0.2 stays silent
    x = torch.tensor([[1.0, 0.5, 0.25, 0.2015, 0.2, 0.1, 0.0]])
    train = log_latency(x, time=100, dt=1e-3)
    steps, units, _ = train.events()
    expected = [int(20 * math.log(v / (v - 0.2))) for v in (1.0, 0.5, 0.25, 0.2015)]
    assert expected == [4, 10, 32, 98]
    assert (steps.tolist(), units.tolist()) == (expected, [0, 1, 2, 3])
    assert len(log_latency(x, time=90, dt=1e-3).indices) == 3


def test_times_after_the_sample_are_dropped():
    times = torch.tensor([[0.0, 9.99e-3, 10e-3]])
    assert at_times(times, times >= 0, time=10, dt=1e-3).events()[0].tolist() == [0, 9]


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan, math.inf])
def test_values_outside_the_range(bad):
    with pytest.raises(ArgumentError, match="latency"):
        latency(torch.tensor([[0.5, bad]]), time=5, dt=1e-3)


@pytest.mark.parametrize(
    "window",
    [{"t_max": 5e-3}, {"t_min": -1e-3}, {"t_min": 3e-3, "t_max": 2e-3}, {"t_max": math.nan}],
)
def test_windows_outside_the_sample(window):
    with pytest.raises(ArgumentError, match="window"):
        latency(torch.rand(1, 2), time=5, dt=1e-3, **window)


@pytest.mark.parametrize(
    "wrong", [{"dt": 0.0}, {"dt": -1e-3}, {"time": 0}, {"tau": 0.0}, {"theta": -1.0}]
)
def test_constants_that_are_not_positive(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        log_latency(torch.rand(1, 2), **{"time": 5, "dt": 1e-3, **wrong})


@pytest.mark.parametrize("bad", [-0.1, math.nan])
def test_currents_that_are_negative_or_not_numbers(bad):
    with pytest.raises(ArgumentError, match="latency"):
        log_latency(torch.tensor([[0.5, bad]]), time=5, dt=1e-3)


def test_a_missing_batch_axis():
    for code in (latency, log_latency):
        with pytest.raises(ShapeError, match="batch"):
            code(torch.rand(3), time=5, dt=1e-3)
