"""The table of surrogate derivatives, row by row."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace

import pytest
import torch

from surgrad.errors import ArgumentError
from surgrad.surrogates import TABLE, SurrogateDerivative, fast_sigmoid, lookup, triangle
from surgrad.testing import check_surrogate

NOT_EVEN = {"clamped_fast_sigmoid", "truncated_quadratic", "spike_train", "escape_noise"}
NEGATIVE_SOMEWHERE = {"multi_gaussian"}
rows = pytest.mark.parametrize("row", TABLE.values(), ids=list(TABLE))


@rows
@pytest.mark.parametrize("scale", [None, 0.4, 100.0])
def test_battery(row: SurrogateDerivative, scale: float | None) -> None:
    check_surrogate(row(scale))
    check_surrogate(row(scale, gain=0.7))


@rows
def test_even_and_not_negative_where_it_should_be(row: SurrogateDerivative) -> None:
    v = torch.linspace(0.003, 6, 1000, dtype=torch.float64) / row.scale
    if row.name not in NOT_EVEN:
        torch.testing.assert_close(row.h(v), row.h(-v), rtol=1e-12, atol=0)
    else:
        assert not torch.allclose(row.h(v), row.h(-v))
    least = torch.cat([row.h(v), row.h(-v)]).min()
    assert (least < 0) == (row.name in NEGATIVE_SOMEWHERE)


# h at z = k v = -1, 0, 1/4 and 2, worked out on paper, with k = 4
AT_FOUR = {
    "fast_sigmoid": (1 / 4, 1, 16 / 25, 1 / 9),
    "rescaled_fast_sigmoid": (1 / 2, 2, 32 / 25, 2 / 9),
    "clamped_fast_sigmoid": (1 / 4, 1, 1, 1),
    "sigmoid": tuple(1 / math.cosh(z / 2) ** 2 for z in (1, 0, 0.25, 2)),
    "triangle": (0, 0.3, 0.225, 0),
    "boxcar": (0, 1, 1, 0),
    "exponential": tuple(math.exp(-z) for z in (1, 0, 0.25, 2)),
    "truncated_quadratic": (0, 1, 1.25, 0),
    "arctan": tuple(2 / (1 + (math.pi * z / 2) ** 2) for z in (1, 0, 0.25, 2)),
    "gaussian": tuple(4 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (1, 0, 0.25, 2)),
    "straight_through": (1, 1, 1, 1),
    "spike_train": (0, 0, 1, 1),
    "escape_noise": (4 / math.e, 4, 4, 4),
}


@pytest.mark.parametrize("name", AT_FOUR)
def test_values_on_paper(name: str) -> None:
    v = torch.tensor([-1, 0, 0.25, 2], dtype=torch.float64) / 4
    assert lookup(name)(4).h(v).tolist() == pytest.approx(AT_FOUR[name], rel=1e-12)


def test_multi_gaussian_is_that_of_yin_et_al() -> None:
    def normal(x: torch.Tensor, mean: float, deviation: float) -> torch.Tensor:
        z = (x - mean) / deviation
        return torch.exp(-z * z / 2) / (deviation * math.sqrt(2 * math.pi))

    v = torch.linspace(-5, 5, 101, dtype=torch.float64)
    sides = normal(v, 0.5, 3.0) + normal(v, -0.5, 3.0)
    expected = 1.15 * normal(v, 0.0, 0.5) - 0.15 * sides
    torch.testing.assert_close(TABLE["multi_gaussian"].h(v), expected)


def test_the_defaults_of_the_sources() -> None:
    assert {row.name: (row.scale, row.gain) for row in TABLE.values() if row.gain != 1} == {
        "triangle": (1.0, 0.3)
    }
    assert fast_sigmoid.scale == 100
    assert all(row.source for row in TABLE.values())


def test_scale_and_gain_are_replaced_one_by_one() -> None:
    steeper = triangle(5)
    assert (steeper.scale, steeper.gain) == (5, 0.3)
    assert triangle(gain=1) == triangle(1.0, gain=1.0)
    assert triangle(5).half_width == 0.2
    assert triangle(5).total == pytest.approx(0.06)
    assert triangle.scale == 1


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "10", True, [1]])
@pytest.mark.parametrize("name", ["scale", "gain"])
def test_scale_and_gain_are_positive_numbers(name: str, value) -> None:
    with pytest.raises(ArgumentError, match=f"{name} of the surrogate derivative fast_sigmoid"):
        fast_sigmoid(**{name: value})


def test_lookup() -> None:
    assert lookup("fast_sigmoid") is fast_sigmoid
    with pytest.raises(ArgumentError, match="got 'fast', expected one of fast_sigmoid, "):
        lookup("fast")


@rows
def test_rows_are_values(row: SurrogateDerivative) -> None:
    mine = row(3.0, gain=0.5)
    for again in (pickle.loads(pickle.dumps(mine)), copy.deepcopy(mine)):
        assert again == mine
        assert hash(again) == hash(mine)


def _half(v: torch.Tensor, k: float) -> torch.Tensor:
    return torch.full_like(v, 0.5)


def _half_integral(v: torch.Tensor, k: float) -> torch.Tensor:
    return 0.5 * v


def _infinite(k: float) -> float:
    return math.inf


MINE = SurrogateDerivative("mine", _half, _half_integral, _infinite, _infinite, "here", 2.0)


def test_your_own_row() -> None:
    check_surrogate(MINE)
    assert pickle.loads(pickle.dumps(MINE)) == MINE
    # a row of yours under a name of the table stays yours
    renamed = replace(MINE, name="sigmoid")
    assert pickle.loads(pickle.dumps(renamed)) == renamed


FAULTS = {
    "h is the derivative": dict(primitive=lambda v, k: v),
    "the primitive is the integral": dict(primitive=lambda v, k: 0.5 * v + (v > 0)),
    "the area is 1": dict(area=lambda k: 1.0),
    "exactly zero beyond 2": dict(support=lambda k: 2.0),
    "keeps shape": dict(
        derivative=lambda v, k: torch.full_like(v, 0.5).double(),
        primitive=lambda v, k: 0.5 * v.double(),
    ),
    "h is finite": dict(
        derivative=lambda v, k: 0.5 + 0 * (1 / v) if v.dtype.itemsize < 8 else 0.5 + 0 * v
    ),
}


@pytest.mark.parametrize("claim", FAULTS)
def test_the_battery_finds_faults(claim: str) -> None:
    first_claim = "begins at 0" if claim == "the area is 1" else claim
    with pytest.raises(AssertionError, match=first_claim):
        check_surrogate(replace(MINE, **FAULTS[claim]))


def test_the_battery_finds_a_wrong_support_or_area() -> None:
    with pytest.raises(AssertionError, match="not zero just within 5"):
        check_surrogate(replace(triangle, support=lambda k: 5.0))
    with pytest.raises(AssertionError, match=r"the area is 0\.6"):
        check_surrogate(replace(triangle, area=lambda k: 2 / k))
    with pytest.raises(AssertionError, match="the area is infinite"):
        check_surrogate(replace(triangle, area=_infinite))
