"""Codes of change against what the signal did."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surgrad.data.encoders import delta, level_crossing, on_off
from surgrad.errors import ArgumentError, EventError, ShapeError


def signal(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)


def signed(train) -> list[float]:
    dense = train.to_dense()
    return (dense[:, 0, 0] - dense[:, 0, 1]).flatten().tolist()


def test_on_and_off_are_the_first_feature_axis():
    events = torch.tensor([[[0, 2], [-1, 0]], [[1, -3], [0, 0]]])
    train = on_off(events)
    assert train.shape == (2, 2, 2, 2)
    dense = train.to_dense()
    assert torch.equal(dense[:, :, 0] - dense[:, :, 1], events.float())
    assert float(dense.min()) == 0


def test_events_that_are_not_whole():
    with pytest.raises(EventError):
        on_off(torch.tensor([[[0.5]]]))


def test_delta_compares_neighbours():
    train = delta(signal(5, 6, 6.4, 5.4, 5.3, 8), threshold=1.0)
    assert signed(train) == [0, 1, 0, -1, 0, 1]


def test_delta_ignores_slow_drifts_and_level_crossings_do_not():
    ramp = torch.arange(100, dtype=torch.float64).view(-1, 1, 1) * 0.1
    assert len(delta(ramp, threshold=1.0).indices) == 0
    # 9.9 in all, so nine thresholds of 1, ten steps apart
    train = level_crossing(ramp, threshold=1.0)
    assert train.events()[0].tolist() == list(range(10, 100, 10))
    assert set(train.indices.tolist()) == {0}


def test_level_crossings_have_hysteresis():
    # a signal that swings by less than a threshold about a level does not chatter
    swing = signal(0, 1.01, 0.99, 1.01, 0.99, 1.01, 0.02, 0.0)
    assert signed(level_crossing(swing, threshold=1.0)) == [0, 1, 0, 0, 0, 0, 0, -1]


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-50, 50), min_size=1, max_size=40),
    threshold=st.floats(0.1, 10),
)
def test_the_spikes_add_up_to_the_signal(values, threshold):
    x = signal(*values)
    dense = level_crossing(x, threshold=threshold).to_dense(torch.float64)
    rebuilt = x[0] + threshold * (dense[:, :, 0] - dense[:, :, 1]).cumsum(0)
    assert float((rebuilt - x).abs().max()) < threshold * (1 + 1e-6)


def test_clipped_level_crossings_lag_and_catch_up():
    x = signal(0, 3, 3, 3, 3)
    assert signed(level_crossing(x, threshold=1.0)) == [0, 3, 0, 0, 0]
    assert signed(level_crossing(x, threshold=1.0, clip=True)) == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("code", [delta, level_crossing])
def test_channels_and_samples_are_apart(code):
    x = torch.zeros(4, 2, 3)
    x[2:, 1, 2] = 5.0
    x[3:, 0, 0] = -5.0
    step, unit, sample = code(x, threshold=5.0).events()
    # unit = polarity · 3 + channel
    assert sorted(zip(step.tolist(), unit.tolist(), sample.tolist(), strict=True)) == [
        (2, 2, 1),
        (3, 3, 0),
    ]


@pytest.mark.parametrize("code", [delta, level_crossing])
def test_nothing_fires_in_the_padding(code):
    x = signal(0, 2, 0, 2).expand(4, 2, 1)
    train = code(x, threshold=1.0, lengths=torch.tensor([4, 2]))
    assert train.lengths.tolist() == [4, 2]
    step, _, sample = train.events()
    assert step[sample == 0].unique().tolist() == [1, 2, 3]
    assert step[sample == 1].unique().tolist() == [1]


@pytest.mark.parametrize("code", [delta, level_crossing])
def test_bad_input(code):
    with pytest.raises(ShapeError, match="time, batch"):
        code(torch.zeros(4, 2), threshold=1.0)
    with pytest.raises(ArgumentError, match="finite"):
        code(signal(0, float("nan")), threshold=1.0)
    for threshold in (0.0, -1.0, float("nan")):
        with pytest.raises(ArgumentError, match="threshold"):
            code(signal(0, 1), threshold=threshold)
    with pytest.raises(ArgumentError, match="lengths"):
        code(signal(0, 1), threshold=1.0, lengths=torch.tensor([1, 1]))
