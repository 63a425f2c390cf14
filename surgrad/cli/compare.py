"""`surgrad compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from surgrad.errors import ConfigError, MissingExtraError
from surgrad.training.screen import Bar
from surgrad.training.sinks import BatchDone, EpochDone, Event, Started

if TYPE_CHECKING:
    from surgrad.studies.compare import Member, Outcome
    from surgrad.studies.tally import Row


def compare(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *overrides: Annotated[str, Parameter(allow_leading_hyphen=True)],
    rules: str = "all",
    seeds: int = 5,
    out: Path | None = None,
) -> int:
    """Train one network by several rules, on the same data and with the same budget.

    Writes a page, `results.json` and `runs.csv`. What was interrupted goes on where it stopped
    with the same command.

    Args:
        file: a TOML file, or the name of an experiment that comes with surgrad.
        overrides: pairs of `--key.path value`.
        rules: `all`, or names with commas: `bptt,eprop,dfa`.
        seeds: runs of each rule, from the experiment's seed on.
        out: the study's folder; `runs/compare-NAME` by default.
    """
    from surgrad.cli.overrides import experiment_of, split
    from surgrad.studies import compare as study
    from surgrad.studies import tally

    if seeds < 1:
        raise ConfigError("--seeds", got=seeds, expected="1 or more")
    kinds = study.rules_named(rules)
    experiment, named = experiment_of([file, *overrides], flags=("rules", "seeds", "out"))
    place = out or Path("runs") / f"compare-{experiment.name}"
    _, pairs = split(named)
    members = study.plan(named[0], kinds, seeds, place, pairs)
    command = ["surgrad", "compare", *named, "--rules", rules, "--seeds", str(seeds)]
    try:
        with Board(members) as board:
            outcomes = study.run(members, sinks=lambda member: [board], done=board.done)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    table = tally.rows(outcomes)
    place.mkdir(parents=True, exist_ok=True)
    tally.write(place, table, outcomes)
    _print(table)
    try:
        from surgrad.studies.compare_page import write_page

        print(f"report: {write_page(place, experiment, table, outcomes, command)}")
    except MissingExtraError as error:
        print(f"no report: {error}", file=sys.stderr)
    return 0


class Board(Bar):
    """A study on the screen: a bar where there is a terminal, a line a run everywhere.

    Args:
        members: all runs of the study.
    """

    def __init__(self, members: list[Member]) -> None:
        super().__init__()
        self._total = sum(member.experiment.training.epochs for member in members)
        self._count, self._finished, self._past = len(members), 0, 0.0
        self._name, self._batches = "", 1

    def __enter__(self) -> Self:
        self._begin(self._total)
        return self

    def __call__(self, event: Event) -> None:
        """See `Event`."""
        match event:
            case Started():
                experiment = event.run.experiment
                self._name = f"{experiment.rule.kind}, seed {experiment.seed}"
                self._batches = event.run.batches
                for note in event.run.notes if not event.history else ():
                    self.console.print(note, style="dim")
                self._show(len(event.history), "")
            case BatchDone():
                self._show(event.epoch - 1 + event.batch / self._batches, f"epoch {event.epoch}")
            case EpochDone():
                found = event.record["validation"]
                key = "accuracy" if "accuracy" in found else "loss"
                self._show(event.record["epoch"], f"validation {key} {found[key]:.3g}")
            case _:
                pass

    def _show(self, epochs: float, text: str) -> None:
        if self._bar is not None:
            told = f"run {self._finished + 1}/{self._count}  {self._name}  {text}"
            self._bar.update(self._task, completed=self._past + epochs, description=told)

    def done(self, outcome: Outcome) -> None:
        """A run is over."""
        self._finished += 1
        self._past += outcome.member.experiment.training.epochs
        name = f"{outcome.member.rule}, seed {outcome.member.seed}"
        if outcome.summary is None:
            self.console.print(f"{name}: {outcome.status}: {outcome.reason}")
            return
        test = outcome.summary.test
        told = f"{100 * test['accuracy']:.2f} %" if "accuracy" in test else f"{test['loss']:.4g}"
        self.console.print(f"{name}: test {told}, {outcome.summary.seconds:.0f} s")


def _print(table: list[Row]) -> None:
    from surgrad.studies import tally

    shown = Table("rule", "test", "validation", "an epoch", "memory", "cosine", "needs", box=None)
    for row in table:
        if row.status == "not applicable":
            continue
        shown.add_row(
            row.rule,
            tally.show(row.test, row.score),
            tally.show(row.validation, row.score),
            tally.seconds(row.epoch_seconds),
            tally.mebibytes(row.memory),
            _last_cosine(row),
            ", ".join(row.needs) or "–",
        )
    Console(highlight=False, markup=False).print(shown)


def _last_cosine(row: Row) -> str:
    looks = row.angles.get("network", [])
    return "–" if not looks or looks[-1]["cosine"] is None else f"{looks[-1]['cosine']:.2f}"
