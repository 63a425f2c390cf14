from __future__ import annotations

import struct
from pathlib import Path

import pytest

from surgrad.data.readers import read_aedat, read_gestures
from surgrad.errors import EventError, FormatError

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
# t in microseconds, x, y, p, valid
EVENTS = [(0, 127, 0, 1, 1), (10, 3, 4, 0, 1), (20, 9, 9, 1, 0), (30, 0, 127, 1, 1)]


def packet(events: list[tuple[int, int, int, int, int]], kind: int = 1, overflow: int = 0) -> bytes:
    body = b"".join(
        struct.pack("<Ii", valid | p << 1 | y << 2 | x << 17, t) for t, x, y, p, valid in events
    )
    count = len(events)
    return struct.pack("<hhiiiiii", kind, 1, 8, 4, overflow, count, count, count) + body


def write(path: Path, *packets: bytes, header: bytes = HEADER) -> Path:
    path.write_bytes(header + b"".join(packets))
    return path


def test_reads_valid_polarity_events_of_all_packets(tmp_path: Path) -> None:
    special = packet([(5, 0, 0, 0, 1)], kind=0)
    path = write(
        tmp_path / "user01.aedat", packet(EVENTS), special, packet([(7, 1, 2, 0, 1)], overflow=1)
    )
    events = read_aedat(path)
    assert events["t"].tolist() == [0, 10, 30, 7 + 2**31]
    assert events["x"].tolist() == [127, 3, 0, 1]
    assert events["y"].tolist() == [0, 4, 127, 2]
    assert events["p"].tolist() == [1, 0, 1, 0]


def test_cuts_out_the_gestures_of_the_table(tmp_path: Path) -> None:
    path = write(tmp_path / "user01_led.aedat", packet(EVENTS))
    table = tmp_path / "user01_led_labels.csv"
    table.write_text("class,startTime_usec,endTime_usec\n2,5,30\n11,30,40\n1,50,60\n")
    found = read_gestures(path)
    assert found.labels.tolist() == [1, 10, 0]
    assert found.offsets.tolist() == [0, 1, 2, 2]
    assert found.t.tolist() == [5, 0] and found.x.tolist() == [3, 0]
    assert found.size == (128, 128)


GOOD = packet(EVENTS)


@pytest.mark.parametrize(
    ("header", "body", "kind", "word"),
    [
        (b"#!AER-DAT2.0\r\n", GOOD, FormatError, "3.1"),
        (HEADER[:-15], GOOD, FormatError, "END-HEADER"),
        (HEADER, GOOD[:-3], FormatError, "whole packets"),
        (HEADER, GOOD + GOOD[:10], FormatError, "truncated packet"),
        (HEADER, b"", EventError, "none"),
        (HEADER, packet([(9, 0, 0, 0, 0)]), EventError, "none"),
        (HEADER, packet([(9, 128, 0, 0, 1)]), EventError, "x = 128"),
        (HEADER, packet([(9, 0, 0, 0, 1), (8, 0, 0, 0, 1)]), EventError, "backwards at event 1"),
    ],
    ids=["version", "header", "cut", "cut header", "no packet", "invalid", "pixel", "unsorted"],
)
def test_refuses(tmp_path: Path, header: bytes, body: bytes, kind, word: str, refuses) -> None:
    path = write(tmp_path / "user01.aedat", body, header=header)
    with refuses(kind, path, word):
        read_aedat(path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("class,start,end\n", "no row"),
        ("class,start,end\n12,0,1\n", "class 12"),
        ("class,start,end\n1,9,9\n", "from 9 to 9"),
        ("class,start,end\n1,9\n", "row 1"),
        ("class,start,end\n1,-9,9\n", "1,-9,9"),
        ("", "empty"),
    ],
)
def test_refuses_a_malformed_table(tmp_path: Path, text: str, word: str, refuses) -> None:
    path = write(tmp_path / "user01.aedat", GOOD)
    table = tmp_path / "table.csv"
    table.write_text(text)
    with refuses(FormatError, table, word):
        read_gestures(path, table)
    with refuses(FormatError, tmp_path / "user01_labels.csv", "no such file"):
        read_gestures(path)
