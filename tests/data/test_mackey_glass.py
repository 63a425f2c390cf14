"""Mackey-Glass against another integrator, and what its windows hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.integrate import solve_ivp

from surgrad.data.mackey_glass import MackeyGlass, mackey_glass
from surgrad.errors import ArgumentError


def by_method_of_steps(end: float, tau: float = 17.0, start: float = 1.2):
    """An ordinary differential equation on each interval of one delay, by DOP853."""
    pieces = [lambda t: np.full_like(np.asarray(t, float), start)]
    times, values = [0.0], [start]
    for k in range(math.ceil(end / tau)):
        past = pieces[-1]

        def slope(t, x, past=past):
            delayed = past(t - tau)
            return 0.2 * delayed / (1 + delayed**10) - 0.1 * x

        span = (k * tau, (k + 1) * tau)
        solution = solve_ivp(
            slope, span, [values[-1]], "DOP853", rtol=1e-12, atol=1e-13, dense_output=True
        )
        pieces.append(lambda t, s=solution.sol: s(t)[0])
        times.append(span[1])
        values.append(solution.y[0, -1])
    return lambda t: float(pieces[min(int(t // tau), len(pieces) - 2) + 1](t))


def test_the_series_is_the_solution():
    truth = by_method_of_steps(300.0)
    series = mackey_glass(301)
    expected = torch.tensor([truth(float(n)) for n in range(301)], dtype=torch.float64)
    assert float((series - expected).abs().max()) < 1e-5


def test_the_error_falls_with_the_fourth_power_of_the_step():
    truth = by_method_of_steps(120.0)
    expected = torch.tensor([truth(float(n)) for n in range(121)], dtype=torch.float64)
    coarse, fine = (float((mackey_glass(121, substeps=k) - expected).abs().max()) for k in (2, 4))
    assert 12 < coarse / fine < 20


def test_a_delay_between_two_steps():
    truth = by_method_of_steps(120.0, tau=13.37)
    expected = torch.tensor([truth(2.0 * n) for n in range(61)], dtype=torch.float64)
    series = mackey_glass(61, tau=13.37, step=2.0, substeps=20)
    assert float((series - expected).abs().max()) < 1e-4


def test_before_the_first_delay_it_decays_exponentially():
    series = mackey_glass(16, start=0.9)
    fixed = 0.2 * 0.9 / (1 + 0.9**10) / 0.1
    expected = fixed + (0.9 - fixed) * torch.exp(-0.1 * torch.arange(16, dtype=torch.float64))
    assert torch.allclose(series, expected, rtol=1e-9)


def test_a_delay_of_17_is_chaos_and_one_of_3_is_not():
    apart = (mackey_glass(3000) - mackey_glass(3000, start=1.2 + 1e-6)).abs()
    assert float(apart[-500:].max()) > 0.05
    calm = (mackey_glass(1000, tau=3.0) - mackey_glass(1000, tau=3.0, start=1.3)).abs()
    assert float(calm[-1]) < 1e-9


@pytest.mark.parametrize(
    "wrong", [{"tau": 0.0}, {"tau": 0.1}, {"step": -1.0}, {"start": math.nan}, {"substeps": 0}]
)
def test_series_that_are_none(wrong):
    with pytest.raises(ArgumentError):
        mackey_glass(5, **wrong)


def test_targets_are_the_input_some_steps_on():
    train, validation, test, info = MackeyGlass(samples=8, time=50, horizon=7).load()
    assert [len(part) for part in (train, validation, test)] == [8, 2, 2]
    for part in (train, validation, test):
        x, y = part.inputs.flatten(), part.targets.flatten()
        assert torch.equal(y[:-7], x[7:])
    assert (info.target, info.outputs, info.classes) == ("values", 1, None)


def test_the_parts_share_no_value():
    splits = MackeyGlass(samples=8, time=50, horizon=7).load()
    seen = [
        set(torch.cat([part.inputs.flatten(), part.targets.flatten()]).tolist())
        for part in splits[:3]
    ]
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]


def test_training_values_have_mean_0_and_variance_1():
    train = MackeyGlass().load().train
    assert float(train.inputs.mean()) == pytest.approx(0, abs=0.01)
    assert float(train.inputs.std()) == pytest.approx(1, abs=0.01)
    assert float(train.inputs.abs().max()) < 3


def test_level_crossings_rebuild_the_series():
    analog = MackeyGlass(samples=4, time=50).load().train
    coded = MackeyGlass(samples=4, time=50, encoding="level_crossing", threshold=0.2).load()
    dense = coded.train.inputs.to_dense()
    rebuilt = 0.2 * (dense[..., 0] - dense[..., 1]).cumsum(0) + analog.inputs[:, :1, 0].T
    assert coded.info.features == (2,)
    assert float((rebuilt - analog.inputs[..., 0].T).abs().max()) < 0.2 + 1e-5
    assert torch.equal(coded.train.targets, analog.targets)


def test_the_population_code_follows_the_series():
    analog = MackeyGlass(samples=4, time=50).load().train
    coded = MackeyGlass(samples=4, time=50, encoding="population", units=13, max_rate=800.0).load()
    dense = coded.train.inputs.to_dense()
    centre = (dense * torch.linspace(-3, 3, 13)).sum(-1) / dense.sum(-1).clamp(min=1)
    heard = dense.sum(-1) > 0
    series = analog.inputs[..., 0].T
    correlation = torch.corrcoef(torch.stack([centre[heard], series[heard]]))[0, 1]
    assert float(correlation) > 0.9


@pytest.mark.parametrize(
    "wrong",
    [{"tau": 0.1}, {"horizon": 0}, {"units": 1}, {"threshold": 0.0}, {"encoding": "x"}],
)
def test_wrong_options(wrong):
    with pytest.raises(ValidationError):
        MackeyGlass(**wrong)
