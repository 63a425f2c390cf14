from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from surgrad.data.readers import read_heidelberg
from surgrad.errors import EventError, FormatError

TIMES = [[0.0, 0.25, 0.125, 1.5], [], [0.5, 0.5]]
UNITS = [[699, 0, 3, 3], [], [10, 10]]


def write(path: Path, dtype: str = "f2", **change: Any) -> Path:
    """A file with the groups of the published ones; a change of None leaves a part out."""
    parts = {"times": TIMES, "units": UNITS, "labels": [0, 19, 7], "speaker": [4, 4, 11], **change}
    with h5py.File(path, "w") as file:
        for name, kind in (("times", dtype), ("units", "u2")):
            rows = parts[name]
            if rows is None:
                continue
            ragged = file.create_dataset(
                f"spikes/{name}", (len(rows),), dtype=h5py.vlen_dtype(np.dtype(kind))
            )
            for index, row in enumerate(rows):
                ragged[index] = np.array(row, kind)
        if parts["labels"] is not None:
            file["labels"] = np.array(parts["labels"])
        if parts["speaker"] is not None:
            file["extra/speaker"] = np.array(parts["speaker"], "u2")
        file["extra/keys"] = [f"word {k}".encode() for k in range(20)]
    return path


def read(path: Path, **options: Any):
    return read_heidelberg(path, **({"dt": 0.125, "time": 8, "classes": 20} | options))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_reads_back_spikes_labels_and_speakers(tmp_path: Path, dtype: str) -> None:
    found = read(write(tmp_path / "shd_train.h5", dtype))
    assert found.spikes.shape == (8, 3, 700)
    expected = torch.zeros(8, 3, 700)
    for step, sample, unit in [(0, 0, 699), (2, 0, 0), (1, 0, 3), (4, 2, 10), (4, 2, 10)]:
        expected[step, sample, unit] += 1
    assert torch.equal(found.spikes.to_dense(), expected)
    assert found.labels.tolist() == [0, 19, 7]
    assert found.speakers is not None and found.speakers.tolist() == [4, 4, 11]
    assert found.keys[:2] == ("word 0", "word 1")


def test_pools_channels(tmp_path: Path) -> None:
    found = read(write(tmp_path / "shd_train.h5"), pool=5)
    assert found.spikes.features == (140,)
    assert found.spikes.events()[1].tolist() == [139, 0, 0, 2, 2]


def test_half_precision_times_fall_in_their_own_step(tmp_path: Path) -> None:
    times = np.arange(0, 1400, 7).astype(np.float64) * 1e-3
    path = write(tmp_path / "shd_train.h5", times=[times] * 3, units=[[5] * len(times)] * 3)
    found = read(path, dt=1e-3, time=1400)
    steps = torch.from_numpy(np.floor(times.astype(np.float16).astype(np.float64) * 1e3 + 1e-6))
    assert torch.equal(found.spikes.select([0]).events()[0], steps.long())


def test_a_file_need_not_name_speakers(tmp_path: Path) -> None:
    assert read(write(tmp_path / "ssc_test.h5", speaker=None)).speakers is None


def test_reading_in_pieces_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "shd_train.h5")
    whole = read(path).spikes
    monkeypatch.setattr("surgrad.data.readers.heidelberg.PIECE", 2)
    assert read(path).spikes.equal(whole)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"times": [[0.1], [], [np.nan, 1]]}, FormatError, ("4 units in sample 0",)),
        ({"times": [[0, 0, 0, 1], [], [0.5, np.nan]]}, EventError, ("nan s in sample 2",)),
        ({"times": [[0, 0, 0, 1], [], [np.inf, 1]]}, EventError, ("inf s in sample 2",)),
        ({"times": [[0, 0, -0.5, 1], [], [0, 1]]}, EventError, ("-0.5 s in sample 0",)),
        ({"units": [[0, 0, 0, 700], [], [0, 1]]}, EventError, ("unit 700", "[0, 700)")),
        ({"labels": [0, 20, 1]}, FormatError, ("20", "[0, 20)")),
        ({"labels": [0, 1]}, FormatError, ("2 labels",)),
        ({"labels": [0.5, 1, 2]}, FormatError, ("float64",)),
        ({"labels": None}, FormatError, ("no list labels",)),
        ({"units": None}, FormatError, ("no list spikes/units",)),
        ({"times": [], "units": [], "labels": []}, FormatError, ("at least one",)),
        ({"speaker": [1, 2]}, FormatError, ("2 entries",)),
    ],
)
def test_refuses(tmp_path: Path, change, kind, words: tuple[str, ...], refuses) -> None:
    path = write(tmp_path / "shd_train.h5", **change)
    with refuses(kind, path, *words):
        read(path)


@pytest.mark.parametrize("size", [0, 7, 200, -1500])
def test_refuses_a_damaged_file(tmp_path: Path, size: int, refuses) -> None:
    path = write(tmp_path / "shd_train.h5")
    path.write_bytes(path.read_bytes()[:size])
    with refuses(FormatError, path, "HDF5"):
        read(path)
    path.unlink()
    with refuses(FormatError, path, "no such file"):
        read(path)
