"""Whole training processes, and whether training agrees with and without the kernels."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Iterable
from typing import Any

from benchmarks.child import ROOT, environment
from benchmarks.contenders import CONTENDERS, Entry
from benchmarks.driver import Plan
from benchmarks.results import Row, Run
from benchmarks.training import batches, trainer
from benchmarks.workloads import BATCH, SHD, Workload

STEPS = 30


def train(entries: Iterable[Entry], epochs: int, plan: Plan) -> Run:
    """Time a training of each contender from the start of its process to the end.

    `wall` of a row holds that, in seconds, and behind it the seconds of each epoch.
    """
    rows = []
    for entry in entries:
        row = Row(entry.name, entry.family)
        rows.append(row)
        plan.say(f"{epochs} epochs: {entry.name}")
        _trained(row, entry, epochs, plan)
    title = f"{epochs} epochs of {SHD.title} on {SHD.batch} samples, batch {BATCH}"
    return Run("SHD", title, "epochs", plan.threads, rows)


def _trained(row: Row, entry: Entry, epochs: int, plan: Plan) -> None:
    command = [plan.pythons[entry.name], "-m", "benchmarks.training", entry.builder, str(epochs)]
    start, before = time.perf_counter(), _spent()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(plan.threads), capture_output=True, text=True
    )
    whole = time.perf_counter() - start
    if done.returncode:
        row.status, row.why = "failed", (done.stderr.strip().splitlines() or ["?"])[-1][:200]
        return
    lines: list[dict[str, Any]] = [json.loads(x) for x in done.stdout.splitlines() if x[:1] == "{"]
    row.wall = [whole, *(line["seconds"] for line in lines)]
    row.cpu = [_spent() - before]
    row.why = f"loss {lines[0]['loss']:.3f} → {lines[-1]['loss']:.3f}"


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
