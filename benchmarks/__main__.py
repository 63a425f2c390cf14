"""`python -m benchmarks`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import App, Parameter
from rich.console import Console

from benchmarks import driver, results, table
from benchmarks.contenders import CONTENDERS, RULES, Entry
from benchmarks.workloads import (
    LENGTHS,
    MEMORY_LENGTHS,
    RULE_LENGTHS,
    WORKLOADS,
    Workload,
    lengthened,
)
from surgrad.cli import show
from surgrad.errors import ArgumentError, SurgradError
from surgrad.files import atomic_write

Named = TypeVar("Named", Entry, Workload)
OURS = ("surgrad", "surgrad triangle", "plain", "loop", "compiled")
LIMITS = ("dense product", "xla product", "sparse product", "stream copy")
PEERS = tuple(name for name, entry in CONTENDERS.items() if entry.peer)

app = App(name="python -m benchmarks", help="Verify, then time: surgrad beside its peers.")


@app.command
def cpu(
    *,
    workloads: str = ",".join([*WORKLOADS, "W6", "length"]),
    peers: str = ",".join(PEERS),
    ours: str = ",".join(OURS),
    limits: str = ",".join(LIMITS),
    python: Annotated[list[str] | None, Parameter(negative=())] = None,
    threads: int = 1,
    rounds: int = 7,
    patience: float = 300.0,
    json: Path | None = None,
) -> int:
    """Time a training step of each workload: forward, loss, gradients of all weights.

    Args:
        workloads: names, separated by commas; W6 is the memory of W1 and W2, length the time of W1
            over the number of steps.
        peers: other libraries; "none" for none.
        ours: networks of this library, and plain loops.
        limits: parts of the work that others cannot avoid.
        python: NAME=INTERPRETER for contenders that have an environment of their own, where NAME
            is a contender or the framework of many: pytorch, jax.
        threads: for every contender alike.
        rounds: steps of each contender that are timed, in turn.
        patience: seconds to wait for one answer of a contender.
        json: the file to add the results to.
    """
    names = [name for text in (ours, peers, limits) for name in _split(text)]
    entries = [_known("contender", name, CONTENDERS) for name in names]
    console = Console(stderr=False, highlight=False)
    screen = Console(stderr=True, highlight=False)
    with screen.status("") as status:
        plan = driver.Plan(
            _pythons(python or [], entries), threads, rounds, patience, status.update
        )
        for name in _split(workloads):
            for run in _runs(name, entries, plan):
                table.show(console, run)
                if json is not None:
                    results.save(json, [run])
    return 0


@app.command
def epochs(
    *,
    epochs: int = 100,
    contenders: str = "surgrad,snntorch,spyx",
    python: Annotated[list[str] | None, Parameter(negative=())] = None,
    threads: int = 1,
    json: Path | None = None,
) -> int:
    """Time a whole training process on random spikes of the size of SHD.

    First, trainings with and without the kernels are compared for 30 steps. The results are
    written after each contender; what the file holds of the same training of the same commit is
    not run again.

    Args:
        epochs: each epoch is printed as well, so that a shorter run can be scaled.
        contenders: names, separated by commas.
        python: as for `cpu`.
        threads: for every contender alike.
        json: the file to add the results to.
    """
    from benchmarks.epochs import agreement, train

    console, screen = Console(highlight=False), Console(stderr=True, highlight=False)
    entries = [_known("contender", name, CONTENDERS) for name in _split(contenders)]
    off = agreement()
    console.print(f"losses with and without the kernels differ by at most {max(off):.1e}, relative")
    known = results.load(json) if json is not None and json.exists() else []
    with screen.status("") as status:
        say = status.update if screen.is_terminal else screen.print
        plan = driver.Plan(_pythons(python or [], entries), threads, say=say)
        runs = []
        for run in train(entries, epochs, plan, known):
            runs = [run]
            if json is not None:
                results.save(json, runs)
    for run in runs:
        table.show(console, run)
    return 0


@app.command
def rules(
    *,
    workload: str = "W1",
    rules: str = ",".join(RULES),
    lengths: tuple[int, ...] = RULE_LENGTHS,
    threads: int = 1,
    rounds: int = 7,
    patience: float = 900.0,
    json: Path | None = None,
) -> int:
    """Time a step of each learning rule beside BPTT's, and its memory, over the number of steps.

    Gradients are compared with those of the step-by-step definition first, up to 100 steps.

    Args:
        workload: the network.
        rules: names, separated by commas.
        lengths: numbers of steps.
        threads: for every rule alike.
        rounds: steps of each rule that are timed, in turn; at most three of more than 400 steps.
        patience: seconds to wait for one answer.
        json: the file to add the results to.
    """
    from benchmarks.rules import measured

    _known("workload", workload, WORKLOADS)
    entries = [_known("rule", name, RULES) for name in _split(rules)]
    console = Console(highlight=False)
    with Console(stderr=True, highlight=False).status("") as status:
        plan = driver.Plan(_pythons([], entries), threads, rounds, patience, status.update)
        for work in lengthened(workload, lengths):
            for run in measured(work, entries, plan):
                table.show(console, run)
                if json is not None:
                    results.save(json, [run])
    return 0


@app.command
def chart(file: Path, /, *, out: Path = Path("docs/images/benchmarks.svg")) -> int:
    """Draw how many times longer others take.

    Args:
        file: results that `cpu --json` has written.
        out: the picture, an SVG file.
    """
    from benchmarks.chart import draw

    draw(results.load(file), out)
    return 0


@app.command
def page(
    file: Path,
    /,
    *,
    out: Path = Path("docs/performance.md"),
    readme: Path = Path("README.md"),
) -> int:
    """Write the tables of a page of the documentation anew, and the sentence of the README.

    Args:
        file: results that `cpu --json` has written.
        out: the page; the tables stand between two marks.
        readme: the sentence as well.
    """
    from benchmarks.page import body, brief, rewrite

    runs = results.load(file)
    for path, text in ((out, body(runs)), (readme, brief(runs))):
        atomic_write(path, rewrite(path.read_text(encoding="utf-8"), text))
    return 0


def _runs(name: str, entries: list[Entry], plan: driver.Plan):
    if name == "W6":
        for which in ("W1", "W2"):
            for work in lengthened(which, MEMORY_LENGTHS):
                networks = [entry for entry in entries if entry.family != "limit"]
                yield driver.memory(work, networks, plan, repeats=3)
    elif name == "length":
        left = [entry for entry in entries if entry.family != "limit"]
        for work in lengthened("W1", LENGTHS):
            run = driver.time(work, left, plan)
            left = [e for e in left if (row := run.row(e.name)) is not None and row.wall]
            yield run
    else:
        yield driver.time(_known("workload", name, WORKLOADS), entries, plan)


def _split(text: str) -> list[str]:
    return [] if text == "none" else [name.strip() for name in text.split(",") if name.strip()]


def _known(what: str, name: str, among: dict[str, Named]) -> Named:
    if name not in among:
        raise ArgumentError(what, got=repr(name), expected="one of " + ", ".join(among))
    return among[name]


def _pythons(given: list[str], entries: list[Entry]) -> dict[str, str]:
    """The interpreter of each contender."""
    named = {}
    for text in given:
        name, _, path = text.partition("=")
        if not Path(path).is_file():
            raise ArgumentError("--python", got=repr(text), expected="NAME=INTERPRETER")
        named[name.lower()] = path
    found = {}
    for entry in entries:
        family = "jax" if "jax" in entry.packages else entry.family.lower()
        found[entry.name] = named.get(entry.name) or named.get(family) or sys.executable
    return found


def main() -> int:
    """Run a command; 2 where the input is wrong."""
    try:
        code = app(result_action="return_value")
    except SurgradError as error:
        show(error)
        return 2
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
