"""Rate codes: their statistics within bounds that a fixed seed keeps."""

from __future__ import annotations

import math

import pytest
import torch

from surgrad.data.encoders import poisson, poisson_steps, regular
from surgrad.errors import ArgumentError, ShapeError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("changing", [False, True])
def test_counts_are_poisson(changing):
    # 20 Hz for 500 ms in 4000 units: mean and variance 10, each with five standard errors
    if changing:
        rates = torch.full((500, 4, 1000), 20.0)
        counts = poisson_steps(rates, dt=1e-3, generator=seeded(), clip=False).counts()
    else:
        rates = torch.full((4, 1000), 20.0)
        counts = poisson(rates, time=500, dt=1e-3, generator=seeded(), clip=False).counts()
    assert abs(float(counts.mean()) - 10) < 5 * math.sqrt(10 / 4000)
    assert abs(float(counts.var()) - 10) < 5 * 10 * math.sqrt(2 / 4000) * 1.1
    zeros = float((counts <= 5).double().mean())
    expected = sum(math.exp(-10) * 10**k / math.factorial(k) for k in range(6))
    assert abs(zeros - expected) < 5 * math.sqrt(expected * (1 - expected) / 4000)


@pytest.mark.parametrize("changing", [False, True])
def test_clipped_steps_hold_a_spike_with_the_probability_of_one_or_more(changing):
    rate, dt = 400.0, 1e-3
    if changing:
        train = poisson_steps(torch.full((200, 1, 500), rate), dt=dt, generator=seeded())
    else:
        train = poisson(torch.full((1, 500), rate), time=200, dt=dt, generator=seeded())
    dense = train.to_dense()
    assert float(dense.max()) == 1
    p = 1 - math.exp(-rate * dt)
    assert abs(float(dense.mean()) - p) < 5 * math.sqrt(p * (1 - p) / dense.numel())


def test_spikes_are_spread_over_the_whole_sample():
    train = poisson(torch.full((1, 5000), 50.0), time=10, dt=2e-3, generator=seeded(), clip=False)
    per_step = train.to_dense().sum((1, 2))
    # 500 expected in each step
    assert ((per_step - 500).abs() < 5 * math.sqrt(500)).all()


def test_each_unit_has_its_own_rate():
    rates = torch.tensor([[0.0, 10.0], [40.0, 0.0]]).view(2, 2, 1).expand(2, 2, 2000)
    counts = poisson(rates, time=1000, dt=1e-3, generator=seeded(), clip=False).counts().mean(2)
    assert counts[0, 0] == counts[1, 1] == 0
    assert abs(float(counts[0, 1]) - 10) < 5 * math.sqrt(10 / 2000)
    assert abs(float(counts[1, 0]) - 40) < 5 * math.sqrt(40 / 2000)


def test_steps_follow_their_rate():
    rates = torch.zeros(100, 2, 3)
    rates[50:, 1] = 200.0
    step, _, sample = poisson_steps(rates, dt=1e-3, generator=seeded()).events()
    assert len(step) > 10
    assert int(step.min()) >= 50
    assert (sample == 1).all()


def test_the_generator_decides_and_the_global_state_does_not():
    rates = torch.full((2, 50), 50.0)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = poisson(rates, time=100, dt=1e-3, generator=seeded(3))
    assert torch.equal(before, torch.get_rng_state())
    assert first.equal(poisson(rates, time=100, dt=1e-3, generator=seeded(3)))
    assert not first.equal(poisson(rates, time=100, dt=1e-3, generator=seeded(4)))


@pytest.mark.parametrize("generator", [None, seeded(0)])
def test_regular_intervals(generator):
    rates = torch.tensor([[100.0, 40.0, 0.0, 1.0]])
    train = regular(rates, time=1000, dt=1e-3, generator=generator)
    assert train.counts().tolist() == [[100, 40, 0, 1]]
    steps, units, _ = train.events()
    assert set(steps[units == 1].diff().tolist()) == {25}
    assert set(steps[units == 0].diff().tolist()) == {10}


def test_the_fastest_regular_rate_fires_in_every_step():
    train = regular(torch.tensor([[1000.0]]), time=20, dt=1e-3)
    assert train.to_dense().flatten().tolist() == [1.0] * 20
    with pytest.raises(ArgumentError, match="1000 Hz"):
        regular(torch.tensor([[1001.0]]), time=20, dt=1e-3)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_rates_that_are_none(bad):
    rates = torch.tensor([[5.0, bad]])
    for code in (
        lambda: poisson(rates, time=5, dt=1e-3, generator=seeded()),
        lambda: poisson_steps(rates.unsqueeze(0), dt=1e-3, generator=seeded()),
        lambda: regular(rates, time=5, dt=1e-3),
    ):
        with pytest.raises(ArgumentError, match="rates"):
            code()


def test_missing_axes():
    with pytest.raises(ShapeError, match="batch"):
        poisson(torch.ones(3), time=5, dt=1e-3, generator=seeded())
    with pytest.raises(ShapeError, match="time"):
        poisson_steps(torch.ones(3, 2), dt=1e-3, generator=seeded())


@pytest.mark.parametrize("wrong", [{"dt": 0.0}, {"time": 0}, {"dt": math.nan}])
def test_wrong_steps(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        poisson(torch.ones(1, 3), generator=seeded(), **{"time": 5, "dt": 1e-3, **wrong})
