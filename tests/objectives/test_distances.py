"""Spike-train distances: closed forms, numerical integrals, exhaustive searches, axioms."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain
from surgrad.objectives.distances import VanRossum, VictorPurpura
from surgrad.objectives.losses import van_rossum

DT, TIME = 1e-3, 60
KERNELS = [VanRossum(tau=10e-3, dt=DT), VanRossum(tau=10e-3, rise=5e-3, dt=DT)]
steps = st.lists(st.integers(0, TIME - 1), max_size=6)
few = settings(deadline=None, max_examples=40)


def dense(*trains: list[int]) -> Tensor:
    """A sample of one unit for each train."""
    values = torch.zeros(TIME, len(trains), 1, dtype=torch.float64)
    for sample, own in enumerate(trains):
        for step in own:
            values[step, sample] += 1
    return values


def rossum(loss: VanRossum, one: list[int], other: list[int]) -> float:
    return float(loss(dense(one), dense(other)))


def integral(loss: VanRossum, one: list[int], other: list[int]) -> float:
    """The defining integral, on a fine grid of times."""
    fine = np.arange(0, 0.4, DT / 100) + DT / 200
    trace = np.zeros_like(fine)
    for sign, own in ((1, one), (-1, other)):
        for step in own:
            t = np.clip(fine - step * DT, 0, None)
            if loss.rise is None:
                kernel = np.exp(-t / loss.tau) / math.sqrt(loss.tau)
            else:
                size = math.sqrt(loss.tau + loss.rise) / (loss.tau - loss.rise)
                kernel = size * (np.exp(-t / loss.tau) - np.exp(-t / loss.rise))
            trace += sign * kernel * (fine >= step * DT)
    return float((trace**2).sum() * DT / 100)


@pytest.mark.parametrize("loss", KERNELS, ids=["exponential", "double exponential"])
@pytest.mark.parametrize(
    ("one", "other"),
    [([7], []), ([0, 9], [4]), ([3, 3, 20], [3, 40]), ([59], [58]), ([1, 2, 3], [30, 50, 59])],
)
def test_van_rossum_is_its_integral(loss: VanRossum, one: list[int], other: list[int]) -> None:
    assert rossum(loss, one, other) == pytest.approx(integral(loss, one, other), rel=1e-4)


@pytest.mark.parametrize("loss", KERNELS, ids=["exponential", "double exponential"])
def test_van_rossum_of_one_and_of_two_spikes(loss: VanRossum) -> None:
    assert rossum(loss, [30], []) == pytest.approx(0.5, rel=1e-12)
    for delay in (0, 1, 7, 40):
        if loss.rise is None:
            alike = math.exp(-delay * DT / loss.tau)
        else:
            slow, fast = (tau * math.exp(-delay * DT / tau) for tau in (loss.tau, loss.rise))
            alike = (slow - fast) / (loss.tau - loss.rise)
        assert rossum(loss, [5], [5 + delay]) == pytest.approx(1 - alike, abs=1e-12)


def test_van_rossum_of_a_fast_and_of_a_slow_kernel() -> None:
    one, other = [0, 10, 20, 30], [10, 25]
    # a fast kernel counts the spikes without a counterpart, a slow one the difference in number
    assert rossum(VanRossum(tau=1e-5, dt=DT), one, other) == pytest.approx(4 / 2, rel=1e-9)
    assert rossum(VanRossum(tau=1e5, dt=DT), one, other) == pytest.approx(2**2 / 2, rel=1e-3)


@few
@given(steps, steps, steps)
def test_van_rossum_is_a_metric(a: list[int], b: list[int], c: list[int]) -> None:
    ab, bc, ac, ba, aa = (
        math.sqrt(max(rossum(KERNELS[1], x, y), 0))
        for x, y in ((a, b), (b, c), (a, c), (b, a), (a, a))
    )
    assert aa == 0
    assert ab == pytest.approx(ba, abs=1e-9)
    assert (ab > 1e-3) == (sorted(a) != sorted(b))
    assert ac <= ab + bc + 1e-9


@pytest.mark.parametrize("loss", KERNELS, ids=["exponential", "double exponential"])
def test_van_rossum_gradient_is_the_difference_filtered_both_ways(loss: VanRossum) -> None:
    one, other = dense([4, 30], [7]), dense([9], [7, 50])
    difference = (one - other)[:, :, 0]
    lags = (torch.arange(TIME)[:, None] - torch.arange(TIME)).abs().double() * DT
    expected = loss.overlap(lags) @ difference / 2  # two samples
    torch.testing.assert_close(loss.step_error(one, other)[:, :, 0], expected)


def test_van_rossum_adds_units_and_averages_samples() -> None:
    loss = KERNELS[0]
    two_units = torch.stack([dense([3])[:, :, 0], dense([9, 12])[:, :, 0]], dim=2)
    silent = torch.zeros_like(two_units)
    apart = rossum(loss, [3], []) + rossum(loss, [9, 12], [])
    assert float(loss(two_units, silent)) == pytest.approx(apart)
    assert float(loss(dense([3], [9, 12]), dense([], []))) == pytest.approx(apart / 2)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_van_rossum_of_very_short_sequences(length: int) -> None:
    spikes = torch.zeros(length, 1, 1)
    spikes[-1] = 1
    assert float(KERNELS[0](spikes, torch.zeros_like(spikes))) == pytest.approx(0.5)


def test_van_rossum_in_float32() -> None:
    one, other = dense([4, 30], [7]), dense([9], [7, 50])
    value = van_rossum.at(DT)(one.float(), other.float())
    assert float(value) == pytest.approx(float(van_rossum.at(DT)(one, other)), rel=1e-5)


def purpura(cost: float, one: list[int], other: list[int]) -> float:
    return float(VictorPurpura(cost=cost, dt=DT)(dense(one), dense(other)))


@pytest.mark.parametrize(
    ("cost", "one", "other", "expected"),
    [
        (100, [], [], 0.0),
        (100, [5], [], 1.0),
        (100, [], [5, 9, 9], 3.0),
        (100, [10], [10], 0.0),
        (100, [10], [15], 0.5),
        (100, [10], [29], 1.9),
        (100, [10], [50], 2.0),
        (100, [10, 20], [12, 25], 0.7),
        (100, [10, 20], [21], 1.1),
        (100, [0, 10, 40], [11, 30], 2.1),
        (100, [10, 10], [10], 1.0),
        (0, [0, 10, 40], [59], 2.0),
        (1e9, [0, 10, 40], [10, 41], 3.0),
    ],
)
def test_victor_purpura_by_hand(cost: float, one: list, other: list, expected: float) -> None:
    assert purpura(cost, one, other) == pytest.approx(expected, abs=1e-12)


def cheapest(cost: float, one: list[int], other: list[int]) -> float:
    """The distance by trying every way to pair spikes in order."""
    one, other = sorted(one), sorted(other)
    best = math.inf
    for mine, theirs in product(
        product((0, 1), repeat=len(one)), product((0, 1), repeat=len(other))
    ):
        if sum(mine) == sum(theirs):
            kept = [t for t, keep in zip(one, mine, strict=True) if keep]
            goal = [t for t, keep in zip(other, theirs, strict=True) if keep]
            moves = sum(abs(a - b) for a, b in zip(kept, goal, strict=True)) * DT * cost
            best = min(best, moves + len(one) + len(other) - 2 * len(kept))
    return best


@few
@given(
    st.lists(st.integers(0, TIME - 1), max_size=4),
    st.lists(st.integers(0, TIME - 1), max_size=4),
    st.sampled_from([0.0, 20.0, 150.0, 3000.0]),
)
def test_victor_purpura_is_the_cheapest_of_all_ways(one: list, other: list, cost: float) -> None:
    assert purpura(cost, one, other) == pytest.approx(cheapest(cost, one, other), abs=1e-9)


@few
@given(steps, steps, steps, st.floats(1.0, 1e4))
def test_victor_purpura_is_a_metric(a: list, b: list, c: list, cost: float) -> None:
    ab, bc, ac = purpura(cost, a, b), purpura(cost, b, c), purpura(cost, a, c)
    assert purpura(cost, a, a) == 0
    assert ab == pytest.approx(purpura(cost, b, a))
    assert (ab > 1e-9) == (sorted(a) != sorted(b))
    assert ac <= ab + bc + 1e-9


def test_victor_purpura_of_many_units_at_once() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = ((torch.rand(TIME, 3, 2, 2, generator=generator) < 0.1).double() for _ in range(2))
    loss = VictorPurpura(cost=80, dt=DT)
    found = loss.distances(SpikeTrain.from_dense(one), SpikeTrain.from_dense(other))
    for sample, row, column in product(range(3), range(2), range(2)):
        pair = (x[:, sample, row, column].nonzero()[:, 0].tolist() for x in (one, other))
        assert float(found[sample, row, column]) == pytest.approx(purpura(80, *pair))
    assert float(loss(one, other)) == pytest.approx(float(found.sum() / 3))


def test_victor_purpura_has_no_gradient_and_says_so() -> None:
    loss = VictorPurpura(dt=DT)
    output = dense([3]).requires_grad_()
    with pytest.raises(ArgumentError, match="train on van_rossum"):
        loss(output, dense([4]))
    with pytest.raises(ArgumentError, match="has none"):
        loss.step_error(output, dense([4]))
    assert float(loss(output.detach(), dense([4]))) == pytest.approx(0.1)
