"""Whole training processes, and whether training agrees with and without the kernels."""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

from benchmarks.child import ROOT, environment
from benchmarks.contenders import CONTENDERS, Entry
from benchmarks.driver import Plan
from benchmarks.results import Row, Run
from benchmarks.training import batches, trainer
from benchmarks.workloads import BATCH, SHD, Workload

STEPS = 30


def train(
    entries: Iterable[Entry], epochs: int, plan: Plan, known: Iterable[Run] = ()
) -> Iterator[Run]:
    """Time a training of each contender from the start of its process to the end.

    `wall` of a row holds that, in seconds, and behind it the seconds of each epoch.

    Args:
        entries: the contenders.
        epochs: of each.
        plan: how to run them.
        known: what was measured before; a contender that is in there, at this commit, is not run
            again.

    Yields:
        the run as it grows, after each contender.
    """
    title = f"{epochs} epochs of {SHD.title} on {SHD.batch} samples, batch {BATCH}"
    run = Run("SHD", title, "epochs", plan.threads, [])
    for old in known:
        if (old.title, old.threads, old.commit) == (title, plan.threads, run.commit):
            run.rows += [row for row in old.rows if row.ranked]
    for entry in entries:
        if run.row(entry.name) is None:
            row = Row(entry.name, entry.family)
            _trained(row, entry, epochs, plan)
            run.rows.append(row)
        yield run


def _trained(row: Row, entry: Entry, epochs: int, plan: Plan) -> None:
    command = [plan.pythons[entry.name], "-m", "benchmarks.training", entry.builder, str(epochs)]
    plan.say(f"{entry.name} starts")
    start, before = time.perf_counter(), _spent()
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(plan.threads),
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process:
            for text in cast(IO[str], process.stdout):
                if text.startswith("{"):
                    lines.append(json.loads(text))
                    plan.say(_progress(entry.name, lines[-1], epochs))
        whole = time.perf_counter() - start
        said.seek(0)
        last = (said.read().strip().splitlines() or ["?"])[-1][:200]
    if process.returncode or not lines:
        row.status, row.why = "failed", last
        return
    row.wall = [whole, *(line["seconds"] for line in lines)]
    row.cpu = [_spent() - before]
    row.why = f"loss {lines[0]['loss']:.3f} → {lines[-1]['loss']:.3f}"


def _progress(name: str, line: dict[str, Any], epochs: int) -> str:
    told = f"{name}: epoch {line['epoch']} of {epochs}"
    return f"{told}, loss {line['loss']:.3f}, {line['seconds']:.1f} s"


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def agreement(work: Workload = SHD, batch: int = BATCH, steps: int = STEPS) -> list[float]:
    """How far the losses of a training with the kernels are from those without, step by step.

    Relative to the loss; both runs see the same samples from the same weights.
    """
    indices = next(batches(work.batch, batch, 1))
    indices = (indices * (steps // len(indices) + 1))[:steps]
    with_kernels, without = (
        trainer(CONTENDERS[name].builder, work, batch) for name in ("surgrad", "plain")
    )
    found = []
    for index in indices:
        expected = without(index)
        found.append(abs(with_kernels(index) - expected) / abs(expected))
    return found
