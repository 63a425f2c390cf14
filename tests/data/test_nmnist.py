from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from surgrad.data.readers import (
    Recordings,
    bin_recordings,
    read_bin,
    read_folder,
    read_packed_0to7,
    read_packed_small,
)
from surgrad.errors import ArgumentError, EventError, FormatError

# x, y, p, t in microseconds
EVENTS = [(0, 0, 0, 0), (33, 1, 1, 999), (5, 33, 0, 1000), (5, 33, 0, 70_000), (1, 2, 1, 310_000)]


def coded(events: list[tuple[int, int, int, int]]) -> bytes:
    """Forty bits an event, as one big-endian number."""
    words = (((x << 8 | y) << 1 | p) << 23 | t for x, y, p, t in events)
    return b"".join(word.to_bytes(5, "big") for word in words)


def test_reads_back_forty_bit_events(tmp_path: Path) -> None:
    path = tmp_path / "00001.bin"
    path.write_bytes(coded([*EVENTS, (2, 3, 1, (1 << 23) - 1)]))
    t, x, y, p = read_bin(path)
    found = list(zip(x.tolist(), y.tolist(), p.tolist(), t.tolist(), strict=True))
    assert found == [*EVENTS, (2, 3, 1, 8_388_607)]


def test_row_240_moves_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "00001.bin"
    path.write_bytes(coded([(1, 1, 0, 8000), (0, 240, 0, 0), (1, 1, 0, 5), (0, 240, 1, 9)]))
    t, x, _, _ = read_bin(path)
    assert t.tolist() == [8000, 8192 + 5]
    assert x.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("contents", "kind", "words"),
    [
        (b"", FormatError, ("empty",)),
        (coded(EVENTS)[:-2], FormatError, ("23 bytes (truncated)", "five")),
        (coded([(34, 0, 0, 0)]), EventError, ("x = 34", "34 × 34")),
        (coded([(0, 5, 0, 0), (0, 200, 0, 1)]), EventError, ("y = 200 at event 1",)),
        (coded([(0, 0, 0, 9), (0, 0, 0, 8)]), EventError, ("8 µs after 9 µs, at event 1", "sort")),
    ],
    ids=["empty", "truncated", "x", "y", "unsorted"],
)
def test_refuses(tmp_path: Path, contents: bytes, kind, words: tuple[str, ...], refuses) -> None:
    path = tmp_path / "00001.bin"
    path.write_bytes(contents)
    with refuses(kind, path, *words):
        read_bin(path)


def test_sorts_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "00001.bin"
    path.write_bytes(coded([(1, 0, 0, 9), (2, 0, 1, 8)]))
    t, x, _, p = read_bin(path, unsorted="sort")
    assert (t.tolist(), x.tolist(), p.tolist()) == ([8, 9], [2, 1], [1, 0])


def official(root: Path) -> Path:
    for digit in range(10):
        folder = root / "Train" / str(digit)
        folder.mkdir(parents=True)
        for take in range(2):
            (folder / f"{2 * digit + take:05}.bin").write_bytes(
                coded([(digit, take, 1, 1000 * digit)] * (digit + take + 1))
            )
    return root / "Train"


def test_reads_a_folder_in_pieces(tmp_path: Path) -> None:
    pieces = list(read_folder(official(tmp_path), piece=7))
    assert [len(piece) for piece in pieces] == [7, 7, 6]
    labels = np.concatenate([piece.labels for piece in pieces])
    assert labels.tolist() == [digit for digit in range(10) for _ in range(2)]
    last = pieces[-1]
    assert np.diff(last.offsets).tolist() == [8, 9, 9, 10, 10, 11]
    assert last.x.tolist()[-11:] == [9] * 11 and last.y.tolist()[-11:] == [1] * 11
    assert last.t.tolist()[-11:] == [9000] * 11


def test_refuses_a_folder_without_a_digit(tmp_path: Path, refuses) -> None:
    folder = official(tmp_path)
    for path in (folder / "4").iterdir():
        path.unlink()
    with refuses(FormatError, folder / "4", "no .bin file", "unpack"):
        list(read_folder(folder))


def recordings() -> Recordings:
    x, y, p, t = (np.array(column) for column in zip(*EVENTS, *EVENTS[:2], strict=True))
    return Recordings(t, x, y, p, np.array([0, 5, 7]), np.array([3, 4]), (34, 34))


def test_bins_to_the_right_unit_and_step() -> None:
    train = bin_recordings(recordings(), dt=1e-3, time=300)
    assert train.shape == (300, 2, 2, 34, 34)
    dense = train.to_dense()
    expected = torch.zeros_like(dense)
    for sample, events in enumerate((EVENTS[:4], EVENTS[:2])):
        for x, y, p, t in events:
            expected[t // 1000, sample, p, y, x] += 1
    assert torch.equal(dense, expected)


def test_downsampling_sums_blocks_of_pixels() -> None:
    fine = bin_recordings(recordings(), dt=1e-2, time=40).to_dense()
    coarse = bin_recordings(recordings(), dt=1e-2, time=40, downsample=4)
    assert coarse.features == (2, 9, 9)
    padded = torch.nn.functional.pad(fine, (0, 2, 0, 2))
    blocks = padded.unflatten(-1, (9, 4)).unflatten(-3, (9, 4)).sum((-1, -3))
    assert torch.equal(coarse.to_dense(), blocks)


def test_binning_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bin_recordings(recordings(), dt=1e-3, time=300)
    monkeypatch.setattr("surgrad.data.readers.binning.PIECE", 3)
    assert bin_recordings(recordings(), dt=1e-3, time=300).equal(whole)


@pytest.mark.parametrize("downsample", [0, 35, 1.5])
def test_refuses_a_downsampling_that_is_none(downsample) -> None:
    with pytest.raises(ArgumentError, match="downsample"):
        bin_recordings(recordings(), dt=1e-3, time=9, downsample=downsample)


SMALL = {
    "t": np.array([5, 7, 0, 2], np.uint32),
    "x": np.array([1, 2, 3, 33], np.uint8),
    "y": np.array([0, 33, 3, 4], np.uint8),
    "p": np.array([0, 1, 1, 0], np.uint8),
    "offsets": np.array([0, 2, 4]),
    "label": np.array([7, 1], np.uint8),
    "index": np.array([60_000, 60_001], np.int32),
}


def test_reads_the_small_form(tmp_path: Path) -> None:
    np.savez(tmp_path / "small.npz", **SMALL)
    found, test = read_packed_small(tmp_path / "small.npz")
    assert test.tolist() == [False, True]
    assert found.labels.tolist() == [7, 1]
    for name in ("t", "x", "y", "p", "offsets"):
        np.testing.assert_array_equal(getattr(found, name), SMALL[name])


@pytest.mark.parametrize(
    ("change", "kind", "word"),
    [
        ({"t": np.array([7, 5, 0, 2], np.uint32)}, EventError, "backwards at event 1"),
        ({"t": np.array([5, 7, 0, np.nan])}, FormatError, "float64"),
        ({"x": np.array([1, 2, 3, 34], np.uint8)}, EventError, "x = 34"),
        ({"x": np.array([1, 2, 3], np.uint8)}, FormatError, "different sizes"),
        ({"p": np.array([0, 1, 2, 0], np.uint8)}, FormatError, "polarities"),
        ({"offsets": np.array([0, 2, 5])}, FormatError, "offsets"),
        ({"offsets": np.array([0, 5, 4])}, FormatError, "offsets"),
        ({"offsets": np.array([0, 4])}, FormatError, "offsets"),
        ({"label": np.array([7, 10], np.uint8)}, FormatError, "labels"),
        ({"index": np.array([0, 60_001], np.int32)}, FormatError, "index"),
        ({"index": None}, FormatError, "no array 'index'"),
        ({"label": np.array(["a", "b"])}, FormatError, "'label'"),
        ({"label": np.array([7, 1], object)}, FormatError, "pickle"),
    ],
)
def test_refuses_a_malformed_small_form(tmp_path: Path, change, kind, word: str, refuses) -> None:
    path = tmp_path / "small.npz"
    arrays = {name: array for name, array in (SMALL | change).items() if array is not None}
    np.savez(path, **arrays)
    with refuses(kind, path, word):
        read_packed_small(path)


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_refuses_a_cut_archive(tmp_path: Path, size: int, refuses) -> None:
    path = tmp_path / "small.npz"
    np.savez(path, **SMALL)
    path.write_bytes(path.read_bytes()[:size])
    with refuses(FormatError, path, "fetch it again"):
        read_packed_small(path)
    path.unlink()
    with refuses(FormatError, path, "no such file"):
        read_packed_small(path)


ZERO_TO_SEVEN = {
    "dt": np.array([3, 0, 40, 0, 200, 200], np.uint8),
    "addr": np.array([0, 2311, 1156 + 34 + 2, 33, 34, 1155], np.uint16),
    "offsets": np.array([0, 3, 6]),
    "label": np.array([7, 0], np.uint8),
    "is_test": np.array([True, False]),
}


def test_reads_the_0to7_form(tmp_path: Path) -> None:
    np.savez(tmp_path / "cut.npz", **ZERO_TO_SEVEN)
    found, test = read_packed_0to7(tmp_path / "cut.npz")
    assert test.tolist() == [True, False]
    assert found.t.tolist() == [3000, 3000, 43_000, 0, 200_000, 400_000]
    assert found.x.tolist() == [0, 33, 2, 33, 0, 33]
    assert found.y.tolist() == [0, 33, 1, 0, 1, 33]
    assert found.p.tolist() == [0, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"addr": np.array([0, 2312, 1, 2, 3, 4], np.uint16)}, "addresses"),
        ({"addr": np.array([0, 1, 2], np.uint16)}, "different sizes"),
        ({"is_test": np.array([1, 0])}, "'is_test'"),
        ({"label": np.array([8, 0], np.uint8)}, "labels"),
        ({"offsets": np.array([0, 3, 7])}, "offsets"),
        ({"dt": np.array([3, 0, -1, 0, 200, 200], np.int16)}, "'dt'"),
    ],
)
def test_refuses_a_malformed_0to7_form(tmp_path: Path, change, word: str, refuses) -> None:
    path = tmp_path / "cut.npz"
    np.savez(path, **(ZERO_TO_SEVEN | change))
    with refuses(FormatError, path, word):
        read_packed_0to7(path)


def test_refuses_one_array_instead_of_an_archive(tmp_path: Path, refuses) -> None:
    path = tmp_path / "small.npz"
    with path.open("wb") as file:
        np.save(file, SMALL["t"])
    with refuses(FormatError, path, ".npz"):
        read_packed_small(path)
