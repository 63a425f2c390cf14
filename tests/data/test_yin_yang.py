"""The Yin-Yang classes by hand, against the authors' arrays, and in spike times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from surgrad.data.yin_yang import YinYang, yin_yang_class, yin_yang_points
from surgrad.errors import FormatError

BY_HAND = [
    ((0.5, 0.05), 0),
    ((0.5, 0.95), 1),
    ((0.95, 0.45), 0),
    ((0.05, 0.55), 1),
    # each half reaches into the other beside the dots: yang below the left one, yin above the right
    ((0.25, 0.3), 1),
    ((0.75, 0.7), 0),
    ((0.25, 0.7), 1),
    ((0.75, 0.3), 0),
    ((0.25, 0.5), 2),
    ((0.75, 0.5), 2),
    ((0.33, 0.5), 2),
    ((0.75, 0.59), 2),
    ((0.75, 0.62), 0),
    ((0.25, 0.38), 1),
]

# of the authors' published arrays (MIT licence): the first test samples
PUBLISHED = [
    ((0.23409665, 0.40172498), 2),
    ((0.75132902, 0.46824252), 2),
    ((0.68057273, 0.32097339), 0),
    ((0.66851572, 0.91744785), 1),
    ((0.68030754, 0.45049925), 2),
    ((0.09767211, 0.68423303), 1),
]


@pytest.mark.parametrize(("point", "label"), BY_HAND + PUBLISHED)
def test_points_that_were_classified_by_hand(point, label):
    x, y = torch.tensor(point, dtype=torch.float64)
    assert int(yin_yang_class(x, y)) == label


def test_half_a_turn_swaps_yin_and_yang():
    points, classes = yin_yang_points(2000, torch.Generator().manual_seed(0))
    turned = yin_yang_class(*(1 - points).T)
    assert torch.equal(turned, torch.tensor([1, 0, 2])[classes])


def test_points_lie_in_the_circle_uniform_within_their_class():
    points, classes = yin_yang_points(20_000, torch.Generator().manual_seed(1))
    assert float(torch.hypot(*(points - 0.5).T).max()) <= 0.5
    # each class a third, within five standard deviations
    assert ((classes.bincount() - 20_000 / 3).abs() < 5 * (20_000 * 2 / 9) ** 0.5).all()
    # half of the dots' points lie in each dot, and a quarter within half their radius
    dots = points[classes == 2]
    left = dots[dots[:, 0] < 0.5]
    assert abs(len(left) / len(dots) - 0.5) < 0.03
    inner = torch.hypot(left[:, 0] - 0.25, left[:, 1] - 0.5) < 0.05
    assert abs(float(inner.double().mean()) - 0.25) < 0.04


def test_spike_times_are_the_coordinates():
    spec = YinYang()
    train = spec.load().train
    step, unit, sample = train.inputs.events()
    assert torch.equal(train.inputs.counts(), torch.ones(5000, 5))
    times = torch.empty(5000, 5)
    times[sample, unit] = step.float() * spec.dt
    assert (times[:, 4] == 0).all()
    # x and 1 - x are each floored to a step, so their sum misses at most two
    for k in (0, 1):
        total = times[:, k] + times[:, k + 2]
        assert ((total <= 30e-3 + 1e-6) & (total > 29e-3 - 1e-6)).all()
    x, y = (times[:, :2].double() / 30e-3 + 0.5 * spec.dt / 30e-3).T
    assert float((yin_yang_class(x, y) == train.targets).double().mean()) > 0.94


def test_window_and_bias_are_options():
    spec = YinYang(t_min=10e-3, t_max=20e-3, bias=None, time=50, dt=1e-3)
    splits = spec.load()
    step, _, _ = splits.train.inputs.events()
    assert splits.info.features == (4,)
    assert (int(step.min()), int(step.max())) == (10, 19)
    late = YinYang(bias=40e-3).load().train.inputs
    assert set(late.events()[0][late.indices == 4].tolist()) == {80}


def test_the_parts_differ():
    splits = YinYang().load()
    assert [len(part) for part in splits[:3]] == [5000, 1000, 1000]
    first = [part.subset(range(100)).inputs for part in splits[:3]]
    assert not first[1].equal(first[2])
    assert not first[0].equal(first[1])


def test_the_authors_arrays(data_root):
    for part in ("train", "validation", "test"):
        points = torch.from_numpy(np.load(data_root / "yin_yang" / f"{part}_samples.npy"))
        labels = np.load(data_root / "yin_yang" / f"{part}_labels.npy")
        assert yin_yang_class(points[:, 0], points[:, 1]).tolist() == labels.tolist()
    splits = YinYang(source="authors", root=data_root).load()
    assert splits.test.targets.tolist() == labels.tolist()
    steps = splits.test.inputs.to_dense().argmax(0)
    assert torch.equal(steps[:, :4], torch.floor(points * 60 + 1e-6).long())


def write(folder, **changes) -> None:
    (folder / "yin_yang").mkdir()
    for part, count in (("train", 5000), ("validation", 1000), ("test", 1000)):
        half = np.full((count, 2), 0.4)
        arrays = {"samples": np.concatenate([half, 1 - half], 1), "labels": np.zeros(count, int)}
        for name, array in arrays.items():
            np.save(
                folder / "yin_yang" / f"{part}_{name}.npy", changes.get(f"{part}_{name}", array)
            )


def test_arrays_in_the_published_form(tmp_path):
    write(tmp_path)
    train = YinYang(source="authors", root=tmp_path).load().train
    assert train[0][0].events()[0].tolist() == [0, 24, 24, 36, 36]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("train_samples", np.zeros((5000, 3))),
        ("train_samples", np.full((5000, 4), np.nan)),
        ("train_samples", np.full((5000, 4), 1.5)),
        ("validation_samples", np.full((1000, 4), "a")),
        ("test_labels", np.full(1000, 3)),
        ("test_labels", np.zeros(1000)),
        ("test_labels", np.zeros(999, int)),
    ],
)
def test_arrays_in_another_form(tmp_path, name, array):
    write(tmp_path, **{name: array})
    with pytest.raises(FormatError, match=name):
        YinYang(source="authors", root=tmp_path).load()


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_arrays(tmp_path, content):
    write(tmp_path)
    (tmp_path / "yin_yang" / "train_samples.npy").write_bytes(content)
    with pytest.raises(FormatError, match="train_samples"):
        YinYang(source="authors", root=tmp_path).load()


def test_missing_arrays(tmp_path):
    with pytest.raises(FormatError, match="surgrad data get yin_yang"):
        YinYang(source="authors", root=tmp_path).load()


@pytest.mark.parametrize(
    "wrong",
    [
        {"t_min": 30e-3},
        {"t_max": 61e-3},
        {"bias": 60e-3},
        {"bias": -1e-3},
        {"time": 20},
        {"source": "x"},
    ],
)
def test_windows_outside_the_sample(wrong):
    with pytest.raises(ValidationError):
        YinYang(**wrong)
