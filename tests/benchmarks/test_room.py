"""A contender for whom there is no memory is refused; those that wait are left alone."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks import room
from benchmarks.child import Child, RefusedError

WAITING = cast(Child, SimpleNamespace(process=SimpleNamespace(pid=os.getpid())))


def test_memory_for_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "meminfo"
    monkeypatch.setattr(room, "_SYSTEM", table)
    table.write_text("MemTotal: 9 kB\nMemAvailable: 3072 kB\n")
    room.check([])
    with pytest.raises(RefusedError, match=r"^3 MB of memory are left, .* with --peers$"):
        room.check([WAITING])
    table.write_text(f"MemAvailable: {1 << 40} kB\n")
    room.check([WAITING])


def test_systems_that_do_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_SYSTEM", tmp_path / "absent")
    room.check([WAITING])
