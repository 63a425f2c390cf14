"""N-MNIST: MNIST seen by an event camera in three saccades, in its own and in packed forms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from surgrad.data.readers.cameras import Recordings
from surgrad.data.readers.files import AGAIN, check_offsets, check_range, load_arrays, read_bytes
from surgrad.errors import EventError, FormatError

SIZE = (34, 34)
OVERFLOW_ROW = 240
OVERFLOW_MICROSECONDS = 1 << 13


def read_bin(
    path: Path, unsorted: Literal["refuse", "sort"] = "refuse"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The events of one sample from its `.bin` file.

    Forty bits an event, big-endian: x (8), y (8), polarity (1), time in microseconds (23). An event
    in row 240 is no event; it says that the clock has overflowed by 2^13 microseconds.

    Args:
        path: the file.
        unsorted: what to do where time runs backwards.

    Returns:
        `t` in microseconds (int64), `x`, `y` and `p` (uint8).

    Raises:
        FormatError: if the file is missing, empty or no multiple of five bytes.
        EventError: if an event lies outside the 34 × 34 pixels, or time runs backwards.

    Example:
        >>> path = getfixture("tmp_path") / "00001.bin"
        >>> _ = path.write_bytes(bytes([3, 4, 0x80, 0x01, 0x02]))
        >>> [int(value[0]) for value in read_bin(path)]
        [258, 3, 4, 1]

    References:
        G. Orchard, A. Jayawant, G. Cohen, N. Thakor, Frontiers in Neuroscience 9:437 (2015), and
        the authors' reader for the overflow.
    """
    raw = read_bytes(path)
    if len(raw) % 5:
        raise FormatError(
            f"file {path}",
            got=f"{len(raw)} bytes (truncated)",
            expected="five bytes an event",
            fix=AGAIN,
        )
    rows = np.frombuffer(raw, np.uint8).reshape(-1, 5)
    x, y, p = rows[:, 0], rows[:, 1], rows[:, 2] >> 7
    high = rows[:, 2:].astype(np.int64)
    t = ((high[:, 0] & 0x7F) << 16) | (high[:, 1] << 8) | high[:, 2]
    overflow = y == OVERFLOW_ROW
    if overflow.any():
        t = t + OVERFLOW_MICROSECONDS * overflow.cumsum()
        t, x, y, p = (values[~overflow] for values in (t, x, y, p))
    _check_pixels(path, x, y)
    back = np.flatnonzero(np.diff(t) < 0)
    if back.size and unsorted == "refuse":
        raise EventError(
            f"events of {path}",
            got=f"{t[back[0] + 1]} µs after {t[back[0]]} µs, at event {back[0] + 1}",
            expected="times that do not run backwards",
            fix="fetch the file again, or set unsorted = 'sort' if the recording is like that",
        )
    if back.size:
        order = np.argsort(t, kind="stable")
        t, x, y, p = (values[order] for values in (t, x, y, p))
    return t, x, y, p


def read_folder(
    folder: Path, *, unsorted: Literal["refuse", "sort"] = "refuse", piece: int = 1000
) -> Iterator[Recordings]:
    """The official `Train` or `Test` folder, with a folder of `.bin` files for each digit.

    Args:
        folder: holds the folders 0 to 9.
        unsorted: as in `read_bin`.
        piece: samples in one item; the whole set has 270 million events.

    Returns:
        The samples in order of digit and number, in pieces.

    Raises:
        FormatError: if a digit has no folder or no file, or as in `read_bin`.
        EventError: as in `read_bin`.
    """
    files: list[tuple[Path, int]] = []
    for digit in range(10):
        found = sorted((folder / str(digit)).glob("*.bin"))
        if not found:
            raise FormatError(
                f"folder {folder / str(digit)}",
                got="no .bin file",
                expected="the recordings of one digit, in each of the folders 0 to 9",
                fix="unpack the whole archive",
            )
        files += [(path, digit) for path in found]
    for start in range(0, len(files), piece):
        some = files[start : start + piece]
        events = [read_bin(path, unsorted) for path, _ in some]
        yield Recordings(
            *(np.concatenate(column) for column in zip(*events, strict=True)),
            offsets=np.cumsum([0, *(len(t) for t, *_ in events)]),
            labels=np.array([digit for _, digit in some]),
            size=SIZE,
        )


def read_packed_small(path: Path) -> tuple[Recordings, np.ndarray]:
    """The packed form with events in microseconds: arrays `t, x, y, p, offsets, label, index`.

    Returns:
        The recordings, and whether each is of the test set (an index of 60001 or more).

    Raises:
        FormatError: if an array is missing, of another kind or size, or out of range.
        EventError: if an event lies outside the pixels, or time runs backwards.
    """
    names = ("t", "x", "y", "p", "offsets", "label", "index")
    arrays = load_arrays(path, dict.fromkeys(names, "iu"))
    t, x, y, p = (arrays[name] for name in "txyp")
    if not len(t) == len(x) == len(y) == len(p):
        raise FormatError(f"file {path}", got="t, x, y and p of different sizes", fix=AGAIN)
    labels = check_range(path, "labels", arrays["label"], 0, 10)
    index = check_range(path, "index", arrays["index"], 1, 70_001)
    offsets = check_offsets(path, arrays["offsets"], len(t), len(labels))
    check_range(path, "polarities", p, 0, 2)
    _check_pixels(path, x, y)
    starts = np.zeros(len(t) + 1, bool)
    starts[offsets] = True
    back = np.flatnonzero((np.diff(t.astype(np.int64)) < 0) & ~starts[1:-1])
    if back.size:
        raise EventError(
            f"events of {path}", got=f"time runs backwards at event {back[0] + 1}", fix=AGAIN
        )
    return Recordings(t, x, y, p, offsets, labels, SIZE), index > 60_000


def read_packed_0to7(path: Path) -> tuple[Recordings, np.ndarray]:
    """The packed form in steps of 1 ms: arrays `dt, addr, offsets, label, is_test`.

    An address is `p * 1156 + y * 34 + x`, and `dt` the steps since the event before.

    Returns:
        The recordings, and whether each is of the cut's own test part.

    Raises:
        FormatError: if an array is missing, of another kind or size, or out of range.
    """
    kinds = {"dt": "u", "addr": "u", "offsets": "iu", "label": "iu", "is_test": "b"}
    arrays = load_arrays(path, kinds)
    labels = check_range(path, "labels", arrays["label"], 0, 8)
    addr = arrays["addr"]
    if len(arrays["dt"]) != len(addr) or arrays["is_test"].shape != labels.shape:
        raise FormatError(f"file {path}", got="arrays of different sizes", fix=AGAIN)
    check_range(path, "addresses", addr, 0, 2 * SIZE[0] * SIZE[1])
    offsets = check_offsets(path, arrays["offsets"], len(addr), len(labels))
    run = np.concatenate([[0], np.cumsum(arrays["dt"], dtype=np.int64)])
    # the run goes on through all samples; what the sample before had reached is taken away
    t = 1000 * (run[1:] - np.repeat(run[offsets[:-1]], np.diff(offsets)))
    pixel = addr % (SIZE[0] * SIZE[1])
    events = (t, pixel % SIZE[1], pixel // SIZE[1], addr // (SIZE[0] * SIZE[1]))
    return Recordings(*events, offsets, labels, SIZE), arrays["is_test"]


def _check_pixels(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    outside = np.flatnonzero((x >= SIZE[1]) | (y >= SIZE[0]))
    if outside.size:
        at = outside[0]
        raise EventError(
            f"events of {path}",
            got=f"x = {x[at]}, y = {y[at]} at event {at}",
            expected=f"pixels of {SIZE[1]} × {SIZE[0]}",
            fix=AGAIN,
        )
