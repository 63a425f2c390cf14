"""Runs as tables on the screen."""

from __future__ import annotations

import statistics

from rich.console import Console
from rich.table import Table

from benchmarks.results import Row, Run


def show(console: Console, run: Run) -> None:
    """Print a run."""
    threads = f"{run.threads} thread" + ("s" if run.threads > 1 else "")
    title = f"{run.workload}: {run.title}; {threads}"
    headings = HEADINGS[run.kind]
    table = Table(*headings, title=title, title_justify="left", box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in ordered(run):
        style = {"limit": "italic", "surgrad": "bold"}.get(row.family, "")
        table.add_row(*CELLS[run.kind](run, row), style=style)
    console.print(table)
    for row in run.rows:
        if row.why:
            console.print(f"  {row.contender}: {row.why}", style="dim", soft_wrap=True)
    console.print()


def ordered(run: Run) -> list[Row]:
    """Those that have a result, the best first."""
    if run.kind.endswith("memory"):
        found = [row for row in run.rows if row.growth is not None]
        return sorted(found, key=lambda row: row.growth or 0.0)
    whole = run.kind == "epochs"
    found = [row for row in run.rows if row.wall]
    return sorted(found, key=lambda row: row.wall[0] if whole else row.median)


def timed(run: Run, row: Row) -> tuple[str, ...]:
    """The cells of a row of times."""
    mark = "" if row.status == "ok" else f" ({row.status})"
    return (
        row.contender + mark,
        row.model if row.family != "limit" else "",
        number(row.median),
        f"{number(min(row.wall))}..{number(max(row.wall))}",
        number(statistics.median(row.cpu)),
        speed(run.fastest(), row),
        speed(run.fastest("PyTorch"), row),
        " ".join(f"{100 * rate:.1f}" for rate in row.rates),
    )


def speed(than: Row | None, row: Row) -> str:
    """How many times faster a row is than another."""
    if than is None or not row.ranked:
        return ""
    return f"{than.median / row.median:.2f}"


def held(run: Run, row: Row) -> tuple[str, ...]:
    """The cells of a row of memory."""
    plain = run.row("plain")
    share = ""
    if plain is not None and plain.growth and row.growth is not None:
        share = f"{row.growth / plain.growth:.3f}"
    return row.contender, row.model, number(row.growth or 0.0), share


def ruled(run: Run, row: Row) -> tuple[str, ...]:
    """The cells of a row of a rule's times."""
    bptt = run.row("bptt")
    times = f"{row.median / bptt.median:.2f}" if bptt is not None and bptt.wall else ""
    spread = f"{number(min(row.wall))}..{number(max(row.wall))}"
    cpu = number(statistics.median(row.cpu))
    rates = " ".join(f"{100 * rate:.1f}" for rate in row.rates)
    return row.contender, number(row.median), spread, cpu, times, rates


def held_by_rule(run: Run, row: Row) -> tuple[str, ...]:
    """The cells of a row of a rule's memory."""
    return row.contender, number(row.growth or 0.0)


def trained(run: Run, row: Row) -> tuple[str, ...]:
    """The cells of a row of training runs."""
    own = run.row("surgrad")
    epochs = row.wall[1:]
    times = f"{row.wall[0] / own.wall[0]:.2f}" if own is not None and own.wall else ""
    each = number(sum(epochs) / len(epochs))
    return row.contender, number(row.wall[0]), each, number(row.cpu[0]), times, row.why


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


HEADINGS = {
    "time": ("contender", "neuron", "ms", "min..max", "CPU ms", "speed, fastest peer = 1",
             "fastest PyTorch peer = 1", "spikes, %"),
    "memory": ("contender", "neuron", "MB", "of plain"),
    "rules": ("rule", "ms", "min..max", "CPU ms", "times BPTT", "spikes, %"),
    "rules memory": ("rule", "MB"),
    "epochs": ("contender", "whole process, s", "an epoch, s", "CPU s", "times surgrad", ""),
}  # fmt: skip
CELLS = {
    "time": timed, "memory": held, "rules": ruled, "rules memory": held_by_rule, "epochs": trained,
}  # fmt: skip
