"""Rounds over all contenders in turn, so that whatever disturbs the machine disturbs all alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import NamedTuple

from benchmarks import room
from benchmarks.child import Child, RefusedError, build
from benchmarks.contenders import Entry
from benchmarks.results import Row, Run
from benchmarks.verify import complaints, silent
from benchmarks.workloads import Workload

Say = Callable[[str], None]
WARM_UP = 3
# seconds after which a contender is warm, however few steps it has made
WARM = 5.0


class Plan(NamedTuple):
    """How to run contenders.

    Attributes:
        pythons: the interpreter of each contender by its name.
        threads: for each.
        rounds: steps that are timed.
        patience: the seconds to wait for an answer.
        say: what to tell of the progress.
    """

    pythons: Mapping[str, str]
    threads: int = 1
    rounds: int = 7
    patience: float = 300.0
    say: Say = lambda _: None

    def child(self, entry: Entry) -> Child:
        """A new process for a contender."""
        return Child(self.pythons[entry.name], self.threads, self.patience)


def time(work: Workload, entries: Iterable[Entry], plan: Plan) -> Run:
    """Verify all contenders, then time those that passed."""
    rows, timed, data = [], [], set()
    with ExitStack() as stack:
        for entry in entries:
            row = Row(entry.name, entry.family)
            rows.append(row)
            plan.say(f"{work.name}: {entry.name} is built and verified")
            child = stack.enter_context(plan.child(entry))
            try:
                room.check([waiting for waiting, _ in timed])
                data.add(_verified(child, entry, work, row))
                if row.status in ("ok", "SILENT"):
                    _warm(child)
                    timed.append((child, row))
            except RefusedError as error:
                _refuse(row, entry, error)
        if len(data) > 1:
            raise RuntimeError("contenders made different data from the same seed")
        for turn in range(plan.rounds):
            plan.say(f"{work.name}: round {turn + 1} of {plan.rounds}")
            first = turn % max(len(timed), 1)
            for child, row in timed[first:] + timed[:first]:
                _time(child, row)
    return Run(work.name, work.title, "time", plan.threads, rows)


def _verified(child: Child, entry: Entry, work: Workload, row: Row) -> str:
    """Fill a row with all but times; returns the checksum of the data."""
    built = build(child, entry, asdict(work))
    report = child.ask("verify")
    row.model, row.versions, row.why = built["model"], built["versions"], built["note"]
    row.rates, row.errors = report["rates"], report.get("errors", {})
    found = complaints(report)
    if silent(row.rates):
        row.status, row.why = "SILENT", "; ".join(["a layer hardly spikes", *found])
    elif found:
        row.status, row.why = "wrong", "; ".join(found)
    return built["data"]


def _warm(child: Child) -> None:
    spent = 0.0
    for _ in range(WARM_UP):
        spent += child.ask("step")["wall"] / 1e3
        if spent > WARM:
            return


def _time(child: Child, row: Row) -> None:
    if row.status not in ("ok", "SILENT"):
        return
    try:
        taken = child.ask("step")
    except RefusedError as error:
        row.status, row.why = "failed", str(error)
        return
    row.wall.append(taken["wall"])
    row.cpu.append(taken["cpu"])


def memory(work: Workload, entries: Iterable[Entry], plan: Plan, repeats: int = 1) -> Run:
    """By how much the first step of a fresh process raises the high-water mark of its memory.

    The most of some processes: the system may take pages back in the meantime, it adds none.
    """
    rows = []
    for entry in entries:
        row = Row(entry.name, entry.family)
        rows.append(row)
        plan.say(f"memory, {work.name}: {entry.name}")
        try:
            row.growth = max(_growth(work, entry, plan, row) for _ in range(repeats))
        except RefusedError as error:
            _refuse(row, entry, error)
    return Run(work.name, work.title, "memory", plan.threads, rows)


def _growth(work: Workload, entry: Entry, plan: Plan, row: Row) -> float:
    with plan.child(entry) as child:
        built = build(child, entry, asdict(work))
        row.model, row.versions = built["model"], built["versions"]
        return child.ask("memory")["growth"]


def _refuse(row: Row, entry: Entry, error: RefusedError) -> None:
    row.status, row.why = error.status, str(error)
    if error.status == "missing" and entry.install:
        row.why += f"; in an environment of its own: {entry.install}"
