"""Population codes: tuning curves, and the value that can be read back."""

from __future__ import annotations

import math

import pytest
import torch

from surgrad.data.encoders import population_latency, population_rate, tuning
from surgrad.errors import ArgumentError


def test_the_gaussian_at_its_own_and_at_its_neighbours_value():
    activity = tuning(torch.tensor([[2.0, 3.0]]), units=5, low=0.0, high=4.0, width=2.0)
    assert activity.shape == (1, 2, 5)
    assert activity[0, 0, 2] == 1
    assert float(activity[0, 0, 3]) == pytest.approx(math.exp(-1 / 8))
    assert float(activity[0, 1, 0]) == pytest.approx(math.exp(-9 / 8))


def test_the_nearest_unit_fires_first():
    x = torch.linspace(0, 1, 21).view(21, 1)
    train = population_latency(x, units=6, time=200, dt=0.1e-3, width=0.7)
    dense = train.to_dense()[:, :, 0]
    first = torch.where(dense.sum(0) > 0, dense.argmax(0), 10**6).argmin(1)
    # where two are equally near, either may be first
    assert ((x[:, 0] * 5 - first).abs() <= 0.5 + 1e-6).all()
    assert int(dense.sum(0).max()) == 1


def test_the_value_can_be_read_from_the_rates():
    x = torch.tensor([[0.2, 0.7]])
    train = population_rate(
        x,
        units=11,
        dt=1e-3,
        max_rate=200.0,
        time=20_000,
        generator=torch.Generator().manual_seed(0),
    )
    counts = train.counts()[0].double()
    centre = (counts * torch.linspace(0, 1, 11)).sum(1) / counts.sum(1)
    assert centre.tolist() == pytest.approx([0.2, 0.7], abs=0.01)


def test_signals_move_the_active_unit():
    x = torch.zeros(400, 1, 1)
    x[200:] = 1.0
    train = population_rate(
        x, units=3, dt=1e-3, max_rate=200.0, width=0.2, generator=torch.Generator().manual_seed(0)
    )
    step, unit, _ = train.events()
    assert set(unit[step < 200].tolist()) == {0}
    assert set(unit[step >= 200].tolist()) == {2}


@pytest.mark.parametrize(
    "wrong", [{"units": 1}, {"low": 1.0}, {"high": -1.0}, {"width": 0.0}, {"low": math.nan}]
)
def test_tuning_curves_that_are_none(wrong):
    with pytest.raises(ArgumentError):
        tuning(torch.rand(2, 2), **{"units": 4, **wrong})


def test_bad_values():
    with pytest.raises(ArgumentError, match="finite"):
        tuning(torch.tensor([math.nan]), units=4)
    with pytest.raises(ArgumentError, match="max_rate"):
        population_rate(
            torch.rand(1, 1), units=4, dt=1e-3, max_rate=-1.0, time=5, generator=torch.Generator()
        )
