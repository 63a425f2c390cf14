"""The tables of a page of the documentation, written anew from a file of results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from benchmarks.results import Row, Run
from benchmarks.table import CELLS, HEADINGS, number, ordered, speed
from surgrad.errors import FormatError

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
LENGTH = re.compile(r"^(W\d) T=(\d+)$")


def rewrite(text: str, results: str) -> str:
    """A page with what stands between its marks replaced.

    Raises:
        FormatError: if the page has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise FormatError("page", got="no marks", expected=f"{BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{results}\n\n{END}{after}"


def single(runs: Iterable[Run]) -> list[Run]:
    """The times of each workload, without those over the length."""
    return [run for run in runs if run.kind == "time" and not LENGTH.match(run.workload)]


def brief(runs: Iterable[Run]) -> str:
    """A table for those in a hurry: how long the fastest peers take on one thread."""
    rows = []
    for run in single(runs):
        own = run.row("surgrad")
        if run.threads == 1 and own is not None and own.ranked:
            fastest = (run.fastest(), run.fastest("PyTorch"))
            rows.append([run.title, *(_times(own, other) for other in fastest)])
    heading = ("network", "fastest library", "fastest PyTorch library")
    text = "How many times longer than surgrad others take for a training step, on one thread:"
    return f"{text}\n\n{markdown(heading, rows)}"


def _times(own: Row, other: Row | None) -> str:
    return "" if other is None else f"{speed(other, own)} ({other.contender})"


def body(runs: list[Run]) -> str:
    """All tables."""
    parts = [*_provenance(runs)]
    timed = single(runs)
    if timed:
        explained = "“Times” is how many times longer the other takes than surgrad."
        parts += ["## In short", _summary(timed), explained]
    for run in timed:
        parts += [f"## {run.workload}: {run.title}{_threads(run)}", _made([run]), _table(run)]
    growing = [run for run in runs if run.kind == "time" and LENGTH.match(run.workload)]
    if growing:
        text = f"Milliseconds of a step of W1 over the number of steps. {_made(growing)}"
        parts += ["## Time over the length", text, _matrix(growing, lambda row: row.median)]
    held = [run for run in runs if run.kind == "memory"]
    if held:
        text = (
            "W6: megabytes by which the first training step of a fresh process raises the "
            "high-water mark of its resident memory, the most of three processes. The input lies "
            "in memory before. " + _made(held)
        )
        parts += ["## Memory", text, _matrix(held, lambda row: row.growth)]
    parts += _rules(runs)
    trained = [run for run in runs if run.kind == "epochs"]
    for run in trained:
        parts += [f"## {run.title}{_threads(run)}", _made([run]), _table(run)]
    return "\n\n".join(parts)


def _rules(runs: list[Run]) -> Iterator[str]:
    """What learning rules cost."""
    timed, held = ([run for run in runs if run.kind == kind] for kind in ("rules", "rules memory"))
    if not timed:
        return
    first = min(timed, key=lambda run: int(run.workload.rpartition("=")[2]))
    yield "## Learning rules"
    yield (
        f"A step of {first.workload} by each rule, with a cross-entropy at every step. The "
        "gradients are those of the rule's definition, which goes step by step in float64 "
        f"(`reward` draws its spikes, and is checked elsewhere). {_made([first])}"
    )
    yield _table(first)
    yield f"Milliseconds of a step over the number of steps. {_made(timed)}"
    yield _matrix(timed, lambda row: row.median)
    if held:
        yield (
            "Megabytes by which a step raises the high-water mark of the resident memory of a "
            "process that has run 210 steps before. The output of all steps, which a rule returns, "
            "and the errors at it are part of them; with the weights of the loss they are what "
            f"grows in the rules that run forward in time. {_made(held)}"
        )
        yield _matrix(held, lambda row: row.growth)


def _threads(run: Run) -> str:
    return "" if run.threads == 1 else f" ({run.threads} threads)"


def _made(runs: list[Run]) -> str:
    """Of which commits, and in how many rounds."""
    commits = ", ".join(sorted({run.commit for run in runs}))
    rounds = {
        len(row.wall)
        for run in runs
        for row in run.rows
        if run.kind in ("time", "rules") and row.ranked
    }
    return f"Commit {commits}" + "".join(f", {count} rounds" for count in sorted(rounds)) + "."


def _provenance(runs: list[Run]) -> Iterator[str]:
    versions: dict[str, str] = {}
    for run in runs:
        for row in run.rows:
            versions |= row.versions
    machines = {(run.machine["processor"], run.machine["cores"]) for run in runs}
    days = sorted({run.day for run in runs})
    for name, cores in sorted(machines):
        yield (
            f"Measured on {cores} cores of {name}, {' and '.join(days)}; "
            + ", ".join(f"{k} {v}" for k, v in sorted(versions.items()) if v != "none")
            + "."
        )


def _summary(runs: list[Run]) -> str:
    heading = (
        "workload", "threads", "surgrad, ms", "fastest peer", "times", "fastest PyTorch peer",
        "times", "dense product", "times",
    )  # fmt: skip
    rows = []
    for run in runs:
        own = run.row("surgrad")
        if own is None or not own.ranked:
            continue
        cells = [run.workload, str(run.threads), number(own.median)]
        others = (run.fastest(), run.fastest("PyTorch"), run.row("dense product"))
        for place, other in enumerate(others):
            named = "" if other is None or not other.wall else number(other.median) + " ms"
            if place < 2 and other is not None:
                named = f"{other.contender}, {named}"
            cells += [named, speed(other, own) if named else ""]
        rows.append(cells)
    return markdown(heading, rows)


def _table(run: Run) -> str:
    text = markdown(HEADINGS[run.kind], (CELLS[run.kind](run, row) for row in ordered(run)))
    left = [f"{row.contender}: {row.why}" for row in run.rows if row.status in ("wrong", "failed")]
    return "\n\n".join([text, *(f"Not timed: {line}." for line in left)])


def _matrix(runs: list[Run], value) -> str:
    """Contenders down, numbers of steps across, a row for each workload."""
    works: dict[str, dict[int, Run]] = {}
    for run in runs:
        found = LENGTH.match(run.workload)
        if found:
            works.setdefault(found[1], {})[int(found[2])] = run
    lengths = sorted({length for work in works.values() for length in work})
    rows = []
    for name, work in works.items():
        contenders = dict.fromkeys(row.contender for run in work.values() for row in run.rows)
        for contender in contenders:
            cells = [_cell(work.get(length), contender, value) for length in lengths]
            if any(cells):
                rows.append([name, contender, *cells])
    return markdown(("workload", "contender", *(f"T = {n}" for n in lengths)), rows)


def _cell(run: Run | None, contender: str, value) -> str:
    row: Row | None = None if run is None else run.row(contender)
    if row is None or not (row.wall or row.growth is not None):
        return ""
    return number(value(row))


def markdown(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    heading = list(heading)
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
