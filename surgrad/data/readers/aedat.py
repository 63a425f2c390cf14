"""AEDAT 3.1, the format of the DVS128 Gesture recordings, and their tables of labels."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import numpy as np

from surgrad.data.readers.cameras import Recordings
from surgrad.data.readers.files import AGAIN, read_bytes
from surgrad.errors import EventError, FormatError

MAGIC = b"#!AER-DAT3.1"
HEADER_END = b"#!END-HEADER"
PACKET = struct.Struct("<hhiiiiii")
POLARITY = 1
GESTURES = 11


def read_aedat(path: Path, size: tuple[int, int] = (128, 128)) -> np.ndarray:
    """The valid polarity events of an `.aedat` file, version 3.1.

    Lines that begin with `#` up to the end of the header, then packets: 28 bytes (type, source,
    size of an event, offset of its time, overflows of the clock, capacity, number, valid) and the
    events. A polarity event is a little-endian word, valid (1 bit), polarity (1), y (15), x (15),
    and a time in microseconds.

    Args:
        path: the file.
        size: the sensor's height and width.

    Returns:
        An array with the fields `t` (int64, microseconds), `x`, `y` and `p`.

    Raises:
        FormatError: if the header or a packet is malformed, or the file ends within one.
        EventError: if there is no event, one lies outside the sensor, or time runs backwards.

    References:
        iniVation, AEDAT file formats, 3.1; A. Amir et al., CVPR 2017.
    """
    raw = read_bytes(path)
    parts = [_polarity(body, *header) for header, body in _packets(path, raw)]
    events = np.concatenate([part for part in parts if len(part)] or [_polarity(b"", 0, 8, 0)])
    if not len(events):
        raise EventError(f"events of {path}", got="none", expected="polarity events", fix=AGAIN)
    outside = np.flatnonzero((events["y"] >= size[0]) | (events["x"] >= size[1]))
    if outside.size:
        x, y = (events[name][outside[0]] for name in "xy")
        raise EventError(
            f"events of {path}",
            got=f"x = {x}, y = {y}",
            expected=f"pixels of {size[1]} × {size[0]}",
            fix=AGAIN,
        )
    back = np.flatnonzero(np.diff(events["t"]) < 0)
    if back.size:
        raise EventError(
            f"events of {path}",
            got=f"time runs backwards at event {back[0] + 1}",
            expected="ascending times",
            fix=AGAIN,
        )
    return events


def read_gestures(path: Path, labels: Path | None = None) -> Recordings:
    """The gestures of one DVS128 Gesture recording, cut out by its table of labels.

    Args:
        path: `user??_<light>.aedat`.
        labels: the table, `user??_<light>_labels.csv` beside it if left out; columns class (1 to
            11), start and end in microseconds.

    Returns:
        One sample a row of the table; its time begins at the row's start, its class at 0.

    Raises:
        FormatError: as in `read_aedat`, or if a row of the table is malformed.
        EventError: as in `read_aedat`.
    """
    table = path.with_name(f"{path.stem}_labels.csv") if labels is None else labels
    rows = _table(table)
    events = read_aedat(path)
    bounds = np.searchsorted(events["t"], [[start, end] for _, start, end in rows])
    pieces = [events[first:last] for first, last in bounds]
    joined = np.concatenate(pieces)
    offsets = np.cumsum([0, *map(len, pieces)])
    starts = np.repeat([start for _, start, _ in rows], np.diff(offsets))
    return Recordings(
        joined["t"] - starts,
        joined["x"],
        joined["y"],
        joined["p"],
        offsets,
        np.array([label for label, *_ in rows]) - 1,
        (128, 128),
    )


def _packets(path: Path, raw: bytes) -> list[tuple[tuple[int, int, int], bytes]]:
    """The type, event size and overflow of each packet, with its events."""
    at = _header(path, raw)
    found = []
    while at < len(raw):
        if at + PACKET.size > len(raw):
            raise FormatError(f"file {path}", got=f"a truncated packet at byte {at}", fix=AGAIN)
        kind, _, size, _, overflow, _, number, _ = PACKET.unpack_from(raw, at)
        begin, at = at + PACKET.size, at + PACKET.size + size * number
        if size < 8 or number < 0 or overflow < 0 or at > len(raw):
            raise FormatError(
                f"file {path}",
                got=f"a packet of {number} events of {size} bytes at byte {begin}, of {len(raw)}",
                expected="whole packets to the end of the file",
                fix=AGAIN,
            )
        found.append(((kind, size, overflow), raw[begin:at]))
    return found


def _header(path: Path, raw: bytes) -> int:
    """Where the packets begin."""
    end = raw.find(HEADER_END)
    line = raw.find(b"\n", end)
    if not raw.startswith(MAGIC) or end < 0 or line < 0:
        raise FormatError(
            f"file {path}",
            got=f"a header that begins with {raw[:12]!r}",
            expected="#!AER-DAT3.1 … #!END-HEADER",
            fix="only version 3.1 is read; older recordings must be converted",
        )
    return line + 1


def _polarity(body: bytes, kind: int, size: int, overflow: int) -> np.ndarray:
    words = np.frombuffer(body, "<u4").reshape(-1, size // 4)[:, :2] if size % 4 == 0 else None
    if kind != POLARITY or words is None:
        words = np.empty((0, 2), np.uint32)
    data, stamp = words[words[:, 0] & 1 == 1].T
    fields = [("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("p", np.uint8)]
    events = np.empty(len(data), fields)
    events["t"] = stamp.astype(np.int64) + (overflow << 31)
    events["x"], events["y"] = data >> 17, (data >> 2) & 0x7FFF
    events["p"] = (data >> 1) & 1
    return events


def _table(path: Path) -> list[tuple[int, int, int]]:
    text = read_bytes(path).decode("utf-8", errors="replace")
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if rows and not rows[0][0].strip().isdigit():
        rows = rows[1:]
    found = []
    for number, row in enumerate(rows, start=1):
        entries = [entry.strip() for entry in row[:3]]
        if len(entries) < 3 or not all(entry.isdigit() for entry in entries):
            raise FormatError(
                f"row {number} of {path}", got=",".join(row), expected="class, start, end"
            )
        label, start, end = map(int, entries)
        if not (1 <= label <= GESTURES and start < end):
            raise FormatError(
                f"row {number} of {path}",
                got=f"class {label} from {start} to {end}",
                expected=f"a class from 1 to {GESTURES} and start < end",
            )
        found.append((label, start, end))
    if not found:
        raise FormatError(f"file {path}", got="no row", expected="class, start, end")
    return found
