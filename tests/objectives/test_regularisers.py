"""Regularisers against sums written out by hand."""

from __future__ import annotations

import pytest
import torch

from surgrad.errors import ArgumentError
from surgrad.objectives import REGULARISERS, RateBound, SpikeCost

DT = 1e-3
# rates over 100, 50 and 200 ms: (0, 100, 40), (0, 20, 200), (10, 0, 30) hertz
COUNTS = torch.tensor([[0.0, 10.0, 4.0], [0.0, 1.0, 10.0], [2.0, 0.0, 6.0]])
STEPS = torch.tensor([100, 50, 200])


def penalty(**options) -> float:
    return float(RateBound(**options)(COUNTS, STEPS, DT))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(upper=30.0, norm="l1"), (70 + 10 + 170) / 9),
        (dict(upper=30.0, norm="l2"), (70**2 + 10**2 + 170**2) / 9),
        (dict(lower=15.0, norm="l1"), (15 + 15 + 5 + 15) / 9),
        (dict(lower=15.0, norm="l2"), (15**2 + 15**2 + 5**2 + 15**2) / 9),
        (dict(lower=15.0, upper=30.0, norm="l1"), (250 + 50) / 9),
        (dict(upper=30.0, norm="l1", strength=0.1), 25 / 9),
        (dict(upper=30.0, norm="l1", over="population"), (50 / 3 + 130 / 3) / 3),
        (dict(upper=30.0, norm="l2", over="population"), ((50 / 3) ** 2 + (130 / 3) ** 2) / 3),
        # the means over samples: (10, 120, 270) / 3 hertz
        (dict(upper=30.0, norm="l1", per="batch"), (10 + 60) / 3),
        (dict(lower=15.0, norm="l2", per="batch"), (15 - 10 / 3) ** 2 / 3),
        (dict(upper=30.0, norm="l2", per="batch", over="population"), (400 / 9 - 30) ** 2),
        (dict(upper=5.0, norm="l1", unit="spikes"), (5 + 5 + 1) / 9),
        (dict(lower=1.0, norm="l2", unit="spikes"), 3 / 9),
        (dict(upper=0.0, norm="l1", unit="spikes"), 33 / 9),
    ],
)
def test_rate_bounds_by_hand(options: dict, expected: float) -> None:
    assert penalty(**options) == pytest.approx(expected, rel=1e-5)


def test_rates_within_the_bounds_cost_nothing() -> None:
    counts = COUNTS.clone().requires_grad_()
    bound = RateBound(lower=0.1, upper=200.0, per="batch")
    bound(counts, STEPS, DT).backward()
    assert counts.grad is not None
    assert (counts.grad == 0).all()


def test_rate_bounds_push_the_right_way() -> None:
    counts = COUNTS.clone().requires_grad_()
    RateBound(lower=15.0, upper=150.0)(counts, STEPS, DT).backward()
    assert counts.grad is not None
    signs = torch.tensor([[-1, 0, 0], [-1, 0, 1], [-1, -1, 0]])
    assert torch.equal(counts.grad.sign(), signs.float())


@pytest.mark.parametrize("unit", ["hertz", "spikes"])
@pytest.mark.parametrize("per", ["sample", "batch"])
@pytest.mark.parametrize("over", ["neuron", "population"])
def test_samples_without_a_valid_step_do_not_count(unit, per, over) -> None:
    bound = RateBound(lower=20.0, upper=30.0, unit=unit, per=per, over=over)
    more = torch.cat([COUNTS, torch.zeros(2, 3)])
    steps = torch.cat([STEPS, torch.zeros(2, dtype=torch.long)])
    assert bound(more, steps, DT) == bound(COUNTS, STEPS, DT)
    nothing = bound(COUNTS, torch.zeros_like(STEPS), DT)
    assert nothing == 0


def test_features_of_any_shape() -> None:
    bound = RateBound(upper=30.0)
    assert bound(COUNTS.view(3, 3, 1), STEPS, DT) == bound(COUNTS, STEPS, DT)


def test_spike_cost_is_the_form_of_the_tutorials() -> None:
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(256, 100, 7, generator=generator) < 0.1).double()  # (batch, time, units)
    expected = 1e-5 * spikes.sum() + 1e-5 * spikes.sum(dim=(0, 1)).square().mean()
    value = SpikeCost()(spikes.sum(1), torch.full((256,), 100), DT)
    torch.testing.assert_close(value, expected)
    assert float(SpikeCost(linear=0.0, square=1.0)(COUNTS, STEPS, DT)) == pytest.approx(
        (2**2 + 11**2 + 20**2) / 3
    )


def test_registry() -> None:
    assert {kind: row.kind for kind, row in REGULARISERS.items()} == {
        "rate_bound": "rate_bound",
        "spike_cost": "spike_cost",
        "weight_sum": "weight_sum",
        "wake": "wake",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "bounds of RateBound: got none"),
        ({"lower": 2.0, "upper": 1.0}, "lower of RateBound: got 2.0, expected at most"),
        ({"lower": 0.0}, "lower of RateBound"),
        ({"upper": -1.0}, "upper of RateBound: got -1.0"),
        ({"upper": float("nan")}, "upper of RateBound: got nan"),
        ({"upper": 1.0, "strength": 0.0}, "strength of RateBound"),
        ({"upper": 1.0, "norm": "l3"}, "norm of RateBound: got 'l3', expected l1 or l2"),
        ({"upper": 1.0, "over": "layer"}, "over of RateBound"),
        ({"upper": 1.0, "per": "epoch"}, "per of RateBound"),
        ({"upper": 1.0, "unit": "kHz"}, "unit of RateBound"),
    ],
)
def test_bounds_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        RateBound(**options)


@pytest.mark.parametrize("value", [-1.0, float("inf"), "much"])
@pytest.mark.parametrize("name", ["linear", "square"])
def test_prices_out_of_range_are_refused(name: str, value) -> None:
    with pytest.raises(ArgumentError, match=f"{name} of SpikeCost"):
        SpikeCost(**{name: value})
