from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from surgrad.data.readers import read_qtdb
from surgrad.errors import EventError, FormatError


def arrays() -> dict[str, np.ndarray]:
    x = np.zeros((2, 5, 4), np.int16)
    x[0, 1, 2] = x[0, 3, 0] = x[1, 0, 3] = x[1, 0, 1] = 1
    x[:, 4, 0] = -1
    y = np.zeros((2, 5, 6), np.uint8)
    for sample, step, label in [(0, 0, 0), (0, 1, 5), (0, 4, 2), (1, 2, 3), (1, 3, 3)]:
        y[sample, step, label] = 1
    return {"x": x, "y": y, "t": np.tile(np.arange(5), (2, 1)), "max_i": np.full((2, 1), 5)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    scipy.io.savemat(tmp_path / "QTDB_train.mat", arrays())
    return tmp_path / "QTDB_train.mat"


def test_reads_upward_marks_as_spikes_and_the_labels(path: Path) -> None:
    spikes, labels = read_qtdb(path)
    assert spikes.shape == (5, 2, 4)
    expected = torch.from_numpy(arrays()["x"]).float().clamp(min=0).transpose(0, 1)
    assert torch.equal(spikes.to_dense(), expected)
    assert labels.tolist() == [[0, 5, -1, -1, 2], [-1, -1, 3, 3, -1]]
    assert labels.dtype == torch.int64


def test_gives_downward_marks_their_own_units_where_asked(path: Path) -> None:
    spikes, _ = read_qtdb(path, signed=True)
    signed = torch.from_numpy(arrays()["x"]).float().transpose(0, 1)
    expected = torch.cat([signed.clamp(min=0), (-signed).clamp(min=0)], dim=-1)
    assert torch.equal(spikes.to_dense(), expected)


@pytest.mark.parametrize(
    ("change", "kind", "word"),
    [
        ({"x": np.full((2, 5, 4), 2)}, EventError, "got 2"),
        ({"x": np.full((2, 5, 4), np.nan)}, EventError, "nan"),
        ({"x": np.zeros((2, 5, 3))}, FormatError, "(2, 5, 3)"),
        ({"x": np.zeros((2, 4, 4))}, FormatError, "(2, 4, 4)"),
        ({"x": np.zeros((2, 5))}, FormatError, "(2, 5)"),
        ({"x": np.zeros((0, 5, 4))}, FormatError, "(0, 5, 4)"),
        ({"y": np.ones((2, 5, 6))}, FormatError, "more than one label"),
        ({"y": np.full((2, 5, 6), 0.5)}, FormatError, "one-hot"),
        ({"y": None}, FormatError, "none"),
    ],
)
def test_refuses(tmp_path: Path, change, kind, word: str, refuses) -> None:
    path = tmp_path / "QTDB_train.mat"
    changed = arrays() | change
    scipy.io.savemat(path, {name: value for name, value in changed.items() if value is not None})
    with refuses(kind, path, word):
        read_qtdb(path)


@pytest.mark.parametrize("contents", [b"", b"MATLAB 5.0", bytes(500), b"\x89HDF\r\n\x1a\n" * 40])
def test_refuses_what_is_no_matlab_file(path: Path, contents: bytes, refuses) -> None:
    path.write_bytes(contents)
    with refuses(FormatError, path, "MATLAB 5 file"):
        read_qtdb(path)


def test_refuses_a_truncated_file(path: Path, refuses) -> None:
    path.write_bytes(path.read_bytes()[:-700])
    with refuses(FormatError, path):
        read_qtdb(path)
    path.unlink()
    with refuses(FormatError, path, "no such file"):
        read_qtdb(path)
