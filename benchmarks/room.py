"""Whether one more contender fits into memory: they all wait side by side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.child import Child, RefusedError

_SYSTEM = Path("/proc/meminfo")


def check(waiting: Iterable[Child]) -> None:
    """Refuse a contender where memory may run out, before the system kills one that waits.

    What it may take is what the largest of the others took.

    Raises:
        RefusedError: with what there is and what there should be.
    """
    if not _SYSTEM.exists():
        return
    wanted = max((_kilobytes(_status(child), "VmHWM") for child in waiting), default=0)
    there = _kilobytes(_SYSTEM, "MemAvailable")
    if there < wanted:
        raise RefusedError(
            "failed",
            f"{there >> 10} MB of memory are left, another contender took {wanted >> 10}: "
            "name fewer at a time with --peers",
        )


def _status(child: Child) -> Path:
    return Path(f"/proc/{child.process.pid}/status")


def _kilobytes(table: Path, name: str) -> int:
    for line in table.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0
