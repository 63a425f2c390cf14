"""What was measured, as it lies in a file: raw times, and all that is needed to read them."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from benchmarks.child import ROOT
from surgrad import __version__
from surgrad.files import atomic_write

Status = Literal["ok", "SILENT", "wrong", "missing", "unsupported", "failed"]


@dataclass
class Row:
    """One contender.

    Attributes:
        status: "ok", or why its time does not count.
        why: in words.
        model: its neurons.
        rates: spikes per neuron and step of each layer.
        errors: of its gradients against the definition, where that is the same network.
        wall: milliseconds of each round.
        cpu: the same in processor time.
        growth: MB by which the first step raises the resident memory.
    """

    contender: str
    family: str
    status: Status = "ok"
    why: str = ""
    model: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    growth: float | None = None

    @property
    def median(self) -> float:
        """Milliseconds of a step."""
        return statistics.median(self.wall)

    @property
    def ranked(self) -> bool:
        """Whether its time counts."""
        return self.status == "ok" and bool(self.wall)


@dataclass
class Run:
    """One workload with all contenders.

    Attributes:
        kind: "time", "memory", "rules", "rules memory" or "epochs".
        threads: for each contender.
    """

    workload: str
    title: str
    kind: str
    threads: int
    rows: list[Row]
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    commit: str = field(default_factory=lambda: commit())
    day: str = field(default_factory=lambda: date.today().isoformat())

    def row(self, contender: str) -> Row | None:
        """That of a contender."""
        return next((row for row in self.rows if row.contender == contender), None)

    def fastest(self, family: str | None = None) -> Row | None:
        """The fastest peer, of one framework or of any."""
        families = (family,) if family else ("PyTorch", "JAX")
        found = [row for row in self.rows if row.ranked and row.family in families]
        return min(found, key=lambda row: row.median, default=None)


def load(path: Path) -> list[Run]:
    """The runs in a file."""
    found = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        rows = [Row(**row) for row in entry.pop("rows")]
        found.append(Run(**entry, rows=rows))
    return found


def save(path: Path, runs: list[Run]) -> None:
    """Add runs to a file, in the place of older ones of the same workload, kind and threads."""
    kept = {_key(run): run for run in (load(path) if path.exists() else [])}
    kept |= {_key(run): run for run in runs}
    ordered = sorted(kept.values(), key=lambda run: (run.threads, run.kind, _natural(run)))
    lines = [json.dumps(_rounded(asdict(run)), ensure_ascii=False) for run in ordered]
    atomic_write(path, "[\n" + ",\n".join(lines) + "\n]\n")


def _key(run: Run) -> tuple[str, str, int]:
    return run.workload, run.kind, run.threads


def _natural(run: Run) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", run.workload)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def machine() -> dict[str, Any]:
    """What the times belong to."""
    name, cores = platform.processor() or platform.machine(), os.cpu_count()
    text = Path("/proc/cpuinfo")
    if text.exists():
        facts = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text.read_text(), re.M))
        name = f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"
    return {"processor": name, "cores": cores, "system": platform.system(), "surgrad": __version__}


def commit() -> str:
    """Of the working tree, with a "+" where something is not committed."""
    command = ["git", "describe", "--always", "--abbrev=10", "--dirty=+"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
