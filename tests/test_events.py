"""Spike trains: every operation against the same operation on the dense tensor."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch import Tensor

from surgrad.events import SpikeTrain


def given(*strategies: st.SearchStrategy) -> Callable[[Callable], Callable]:
    """Enough examples to meet every corner, few enough to stay fast."""
    few = settings(deadline=None, max_examples=60)
    return lambda test: few(hypothesis.given(*strategies)(test))


@st.composite
def dense_counts(draw: st.DrawFn, features: tuple[int, ...] | None = None) -> Tensor:
    """Counts `(time, batch, *features)`, empty axes and repeated spikes among them."""
    time, batch = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    if features is None:
        features = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=2)))
    counts = draw(npst.arrays(np.int64, (time, batch, *features), elements=st.integers(0, 3)))
    return torch.from_numpy(counts).float()


@st.composite
def trains(draw: st.DrawFn, features: tuple[int, ...] | None = None) -> tuple[SpikeTrain, Tensor]:
    """A spike train and its dense twin, whose padding is empty."""
    dense = draw(dense_counts(features))
    time, batch = dense.shape[:2]
    if not draw(st.booleans()):
        return SpikeTrain.from_dense(dense), dense
    lengths = draw(st.lists(st.integers(0, time), min_size=batch, max_size=batch))
    train = SpikeTrain.from_dense(dense, lengths=lengths)
    for sample, length in enumerate(lengths):
        dense[length:, sample] = 0
    return train, dense


def check_rows(train: SpikeTrain) -> None:
    """The invariants of the format: rows are whole, sorted and within the units."""
    assert train.indptr[0] == 0
    assert train.indptr[-1] == len(train.indices)
    assert (train.indptr.diff() >= 0).all()
    step, unit, sample = train.events()
    row = sample * train.time + step
    key = row * max(train.units, 1) + unit
    assert (key.diff() >= 0).all()
    assert ((unit >= 0) & (unit < max(train.units, 1))).all()
    assert (step < train.valid[sample]).all()


@given(trains())
def test_dense_round_trip(pair: tuple[SpikeTrain, Tensor]) -> None:
    train, dense = pair
    check_rows(train)
    assert train.shape == tuple(dense.shape)
    assert torch.equal(train.to_dense(), dense)
    assert torch.equal(train.counts(), dense.sum(0))
    assert len(train.indices) == int(dense.sum())


@given(trains(), st.randoms(use_true_random=False))
def test_events_round_trip_in_any_order(pair: tuple[SpikeTrain, Tensor], random) -> None:
    train, _ = pair
    order = list(range(len(train.indices)))
    random.shuffle(order)
    step, unit, sample = (index[order].numpy() for index in train.events())
    again = SpikeTrain.from_events(
        step,
        unit,
        sample,
        time=train.time,
        batch=train.batch,
        features=train.features,
        lengths=train.lengths,
    )
    assert again.equal(train)


@given(trains(), st.data())
def test_select_equals_indexing(pair: tuple[SpikeTrain, Tensor], data: st.DataObject) -> None:
    train, dense = pair
    assume(train.batch > 0)
    index = data.draw(st.lists(st.integers(0, train.batch - 1), max_size=5))
    picked = train.select(index)
    check_rows(picked)
    assert torch.equal(picked.to_dense(), dense[:, index])
    assert torch.equal(picked.valid, train.valid[index])


@given(trains(), st.slices(6))
def test_slice_equals_dense_slice(pair: tuple[SpikeTrain, Tensor], steps: slice) -> None:
    train, dense = pair
    steps = slice(steps.start, steps.stop)
    part = train[steps]
    check_rows(part)
    assert torch.equal(part.to_dense(), dense[steps])
    inside = torch.arange(train.time)[:, None] < train.valid
    assert torch.equal(part.valid, inside[steps].sum(0))


@given(trains(), st.integers(0, 5))
def test_chunks_join_to_the_whole(pair: tuple[SpikeTrain, Tensor], cut: int) -> None:
    train, dense = pair
    assert torch.equal(torch.cat([train[:cut].to_dense(), train[cut:].to_dense()]), dense)


@given(st.lists(trains(features=(2, 3)), min_size=1, max_size=3))
def test_cat_pads_and_keeps_lengths(pairs: list[tuple[SpikeTrain, Tensor]]) -> None:
    joined = SpikeTrain.cat([train for train, _ in pairs])
    check_rows(joined)
    time = max(train.time for train, _ in pairs)
    grown = [torch.cat([d, d.new_zeros(time - len(d), *d.shape[1:])]) for _, d in pairs]
    assert torch.equal(joined.to_dense(), torch.cat(grown, dim=1))
    assert torch.equal(joined.valid, torch.cat([train.valid for train, _ in pairs]))


@given(trains(), st.integers(0, 3))
def test_pad_adds_silent_steps_that_are_not_valid(
    pair: tuple[SpikeTrain, Tensor], extra: int
) -> None:
    train, dense = pair
    longer = train.pad(train.time + extra)
    check_rows(longer)
    assert torch.equal(
        longer.to_dense(), torch.cat([dense, torch.zeros_like(longer[:extra].to_dense())])
    )
    assert torch.equal(longer.valid, train.valid)
    assert longer[: train.time].equal(train)


@given(trains())
def test_clip_equals_clamp(pair: tuple[SpikeTrain, Tensor]) -> None:
    train, dense = pair
    clipped = train.clip()
    check_rows(clipped)
    assert torch.equal(clipped.to_dense(), dense.clamp(max=1))
    assert torch.equal(clipped.valid, train.valid)


@given(trains())
def test_reshape_equals_flatten(pair: tuple[SpikeTrain, Tensor]) -> None:
    train, dense = pair
    flat = train.reshape(train.units)
    assert torch.equal(flat.to_dense(), dense.reshape(train.time, train.batch, train.units))
    assert flat.reshape(*train.features).equal(train)


@given(trains())
def test_density_counts_valid_sites_only(pair: tuple[SpikeTrain, Tensor]) -> None:
    train, dense = pair
    sites = int(train.valid.sum()) * train.units
    assert train.density() == (float(dense.sum()) / sites if sites else 0.0)


@given(trains())
def test_copies_are_equal(pair: tuple[SpikeTrain, Tensor]) -> None:
    train, _ = pair
    for again in (copy.deepcopy(train), pickle.loads(pickle.dumps(train)), train.to("cpu")):
        assert again.equal(train)
        assert (again.lengths is None) == (train.lengths is None)


def test_unequal_trains_are_told_apart() -> None:
    train = SpikeTrain.from_events([0, 2], [1, 0], time=3, features=(2,))
    others = [
        SpikeTrain.from_events([0, 1], [1, 0], time=3, features=(2,)),
        SpikeTrain.from_events([0, 2], [1, 1], time=3, features=(2,)),
        SpikeTrain.from_events([0, 2], [1, 0], time=4, features=(2,)),
        SpikeTrain.from_events([0], [1], time=3, features=(2,), lengths=[2]),
    ]
    assert not any(train.equal(other) for other in others)


def test_a_hand_made_train() -> None:
    train = SpikeTrain.from_events(
        [2, 0, 0, 1], [1, 0, 0, 2], [1, 0, 0, 1], time=3, batch=2, features=(3,)
    )
    assert train.indptr.tolist() == [0, 2, 2, 2, 2, 3, 4]
    assert train.indices.tolist() == [0, 0, 2, 1]
    assert len(train) == 3
    assert train.device == torch.device("cpu")
    assert repr(train) == "SpikeTrain(shape=(3, 2, 3), spikes=4)"
    assert [index.tolist() for index in train.events()] == [
        [0, 0, 1, 2],
        [0, 0, 2, 1],
        [0, 0, 1, 1],
    ]


def test_spikes_in_the_padding_are_dropped() -> None:
    train = SpikeTrain.from_events(
        [0, 1, 2, 2], [0, 0, 0, 0], [0, 0, 0, 1], time=3, batch=2, features=(1,), lengths=[1, 3]
    )
    assert train.to_dense()[:, :, 0].tolist() == [[1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.float64]
)
def test_dense_dtypes(dtype: torch.dtype) -> None:
    dense = torch.tensor([[[1, 0, 1]], [[0, 0, 1]]], dtype=dtype)
    train = SpikeTrain.from_dense(dense)
    assert train.to_dense(dtype).dtype == dtype
    assert torch.equal(train.to_dense(dtype), dense)


def test_from_dense_takes_no_gradient() -> None:
    dense = torch.ones(2, 1, 3, requires_grad=True)
    assert not SpikeTrain.from_dense(dense).to_dense().requires_grad


@pytest.mark.parametrize(
    "steps",
    [
        np.array([0, 2], dtype=np.uint16),
        np.array([0, 2], dtype=">i4"),
        np.array([2, 0])[::-1],
        np.frombuffer(b"\0\2", dtype=np.uint8),
        torch.tensor([0.0, 2.0]),
        (0, 2),
        range(0, 4, 2),
    ],
    ids=["uint16", "big-endian", "reversed", "read-only", "whole floats", "tuple", "range"],
)
def test_indices_of_any_kind(steps) -> None:
    train = SpikeTrain.from_events(steps, [1, 0], time=3, features=(2,))
    assert train.events()[0].tolist() == [0, 2]


@given(st.integers(0, 40_000), st.floats(1e-5, 1e-1), st.sampled_from([np.float32, np.float64]))
def test_a_time_of_n_dt_lies_in_step_n(n: int, dt: float, dtype: type) -> None:
    times = np.array([n * dt], dtype=dtype)
    train = SpikeTrain.from_times(times, [0], dt=dt, time=n + 1, features=(1,))
    assert train.events()[0].tolist() == [n]


@given(st.lists(st.floats(0, 0.02), max_size=20), st.integers(0, 30))
def test_binning_equals_a_histogram(times: list[float], time: int) -> None:
    dt = 0.75e-3
    # away from the edges, where a histogram has no tolerance
    times = [t for t in times if abs(t / dt - round(t / dt)) > 1e-3]
    train = SpikeTrain.from_times(times, [0] * len(times), dt=dt, time=time, features=(1,))
    expected = np.histogram(times, bins=np.arange(time + 1) * dt)[0] if time else np.zeros(0)
    assert train.to_dense()[:, 0, 0].tolist() == expected.tolist()


def test_times_beyond_the_end_are_dropped() -> None:
    times = [0.0, 0.00299, 0.003, 0.0031, 1e30]
    train = SpikeTrain.from_times(
        times, [0, 1, 0, 1, 0], [0, 1, 0, 1, 1], dt=1e-3, time=3, batch=2, features=(2,)
    )
    assert [index.tolist() for index in train.events()] == [[0, 2], [0, 1], [0, 1]]


def test_times_respect_lengths() -> None:
    train = SpikeTrain.from_times([0.5, 1.5], [0, 0], dt=1.0, time=3, features=(1,), lengths=[1])
    assert train.events()[0].tolist() == [0]
