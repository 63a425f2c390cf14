"""Malformed spike trains are refused, each with what was got and what was expected."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from surgrad.errors import ArgumentError, EventError, ShapeError
from surgrad.events import SpikeTrain

EVENT_MISTAKES = {
    "negative step": (dict(steps=[-1]), "steps: got -1 at position 0"),
    "step at the end": (dict(steps=[3]), r"expected whole numbers in \[0, 3\)"),
    "fractional step": (dict(steps=[0.5]), "got 0.5"),
    "not a number": (dict(steps=[float("nan")]), "got nan"),
    "infinite step": (dict(steps=[float("inf")]), "got inf"),
    "unit out of range": (dict(units=[2]), "units: got 2"),
    "negative unit": (dict(units=[-1]), "units: got -1"),
    "sample out of range": (dict(samples=[1]), "samples: got 1"),
    "two axes": (dict(steps=[[0]]), "one entry per spike"),
    "a scalar": (dict(steps=torch.tensor(0)), "one entry per spike"),
    "unequal numbers": (dict(steps=[0, 1]), "steps and units: got 2 and 1 entries"),
    "unequal samples": (dict(samples=[0, 0]), "got 1 and 1 and 2 entries"),
    "a mask": (dict(units=[True]), "nonzero"),
    "text": (dict(units=["a"]), "units: got list"),
    "objects": (dict(units=np.array([None])), "units: got ndarray"),
    "nothing": (dict(units=None), "units: got NoneType"),
    "ragged": (dict(units=[[1], [2, 3]]), "units: got list"),
    "no sample": (dict(batch=0), r"samples: got 0 at position 0, expected .*\[0, 0\)"),
    "no unit": (dict(features=(0,)), "units: got 0"),
}


@pytest.mark.parametrize("mistake", EVENT_MISTAKES)
def test_malformed_events_are_refused(mistake: str) -> None:
    change, message = EVENT_MISTAKES[mistake]
    good = dict(steps=[0], units=[0], samples=None, time=3, features=(2,), batch=1)
    with pytest.raises(EventError, match=message):
        SpikeTrain.from_events(**(good | change))


AXIS_MISTAKES = {
    "negative time": dict(time=-1),
    "fractional time": dict(time=2.5),
    "negative batch": dict(batch=-1),
    "features without a tuple": dict(features=2),
    "no feature axis": dict(features=()),
    "negative features": dict(features=(-1, -2)),
    "too many units": dict(features=(2**16, 2**15)),
    "lengths of another batch": dict(lengths=[1, 2]),
    "length beyond the end": dict(lengths=[4]),
    "negative length": dict(lengths=[-1]),
    "fractional length": dict(lengths=[1.5]),
    "a single length": dict(lengths=3),
}


@pytest.mark.parametrize("mistake", AXIS_MISTAKES)
def test_malformed_axes_are_refused(mistake: str) -> None:
    good = dict(steps=[0], units=[0], time=3, features=(2,), batch=1)
    with pytest.raises(ShapeError, match=r"axes of a SpikeTrain|lengths"):
        SpikeTrain.from_events(**(good | AXIS_MISTAKES[mistake]))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.1, -1e-9], "got -1e-09 at position 1"),
        ([float("nan")], "got nan at position 0"),
        ([float("inf")], "got inf"),
        ([0.1, 0.2, 0.3], "times and units: got 3 and 1 entries"),
        ([[0.1]], "spike times: got shape"),
    ],
)
def test_malformed_times_are_refused(times: list, message: str) -> None:
    units = [0] * (1 if "3 and 1" in message else len(times))
    with pytest.raises(EventError, match=message):
        SpikeTrain.from_times(times, units, dt=1e-3, time=3, features=(1,))


@pytest.mark.parametrize("dt", [0.0, -1e-3, float("nan"), float("inf"), "1ms", None])
def test_malformed_dt_is_refused(dt) -> None:
    with pytest.raises(ArgumentError, match="dt: got"):
        SpikeTrain.from_times([0.1], [0], dt=dt, time=3, features=(1,))


@pytest.mark.parametrize("value", [0.5, -1.0, float("nan"), float("inf")])
def test_dense_values_that_are_not_spikes_are_refused(value: float) -> None:
    dense = torch.zeros(3, 2, 4)
    dense[2, 1, 3] = value
    with pytest.raises(EventError, match="in step 2 of sample 1"):
        SpikeTrain.from_dense(dense)


def test_dense_without_a_batch_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"got shape \(3, 4\), expected \(time, batch"):
        SpikeTrain.from_dense(torch.zeros(3, 4))


def test_misuse_of_a_train_is_refused() -> None:
    train = SpikeTrain.from_events([0, 2], [1, 0], time=3, features=(2,))
    other = SpikeTrain.from_events([0], [0], time=3, features=(3,))
    for mistake, message in (
        (
            lambda: train[0],  # pyright: ignore[reportArgumentType]
            "use train.a:b. for time",
        ),
        (lambda: train[::2], "step of a time slice: got 2"),
        (lambda: train.pad(2), r"cut with train\[:n\]"),
        (lambda: train.reshape(3), "2 units in all"),
        (lambda: train.reshape(-1, -2), "2 units in all"),
        (lambda: SpikeTrain.cat([train, other]), "features of the spike trains"),
        (lambda: SpikeTrain.cat([]), "no spike train"),
        (lambda: train.select([1]), "samples: got 1"),
        (lambda: train.select([-1]), "samples: got -1"),
        (lambda: train.select(torch.tensor([True])), "mask"),
    ):
        with pytest.raises((ShapeError, EventError), match=message):
            mistake()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("indptr", torch.zeros(3, dtype=torch.int64)),
        ("indptr", torch.zeros(4, dtype=torch.int32)),
        ("indices", torch.zeros(0, dtype=torch.int64)),
        ("indices", torch.zeros(1, 2, dtype=torch.int32)),
        ("lengths", torch.zeros(2, dtype=torch.int64)),
        ("lengths", torch.zeros(1)),
    ],
)
def test_parts_that_do_not_fit_are_refused(part: str, value: Tensor) -> None:
    good = {
        "indptr": torch.zeros(4, dtype=torch.int64),
        "indices": torch.zeros(0, dtype=torch.int32),
    }
    with pytest.raises(ShapeError, match=f"{part} of a SpikeTrain"):
        SpikeTrain(**(good | {part: value}), time=3, batch=1, features=(2,))
