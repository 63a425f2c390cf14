"""The runs of a study as one row a rule: means, standard deviations, what each rule needs."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from surgrad.files import atomic_write
from surgrad.studies.compare import Outcome, summary_of


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (0 of a single number) of `count` numbers."""

    mean: float
    deviation: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None of nothing.

        Example:
            >>> Spread.of([1.0, 2.0, 3.0])
            Spread(mean=2.0, deviation=1.0, count=3)
        """
        known = [value for value in values if math.isfinite(value)]
        if not known:
            return None
        return cls(
            statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else 0.0, len(known)
        )


@dataclass(frozen=True)
class Row:
    """A rule in a study.

    Attributes:
        rule: its kind.
        about: what it is, in a sentence.
        exact: of what it gives the exact gradient.
        exact_when: where that holds.
        needs: the information that it needs.
        status: "finished", "diverged", "not applicable", or what the seeds had.
        reason: why it did not finish.
        test: the score on the test samples, `accuracy` or `loss`.
        validation: on the validation samples.
        epoch_seconds: the median of an epoch, over the seeds.
        memory: bytes that the gradient of a batch needs, over the seeds.
        angles: by layer, the epoch, cosine and norm ratio to BPTT's gradient.
    """

    rule: str
    about: str
    exact: str | None
    exact_when: str
    needs: list[str]
    status: str
    reason: str
    score: str
    test: Spread | None
    validation: Spread | None
    epoch_seconds: Spread | None
    memory: Spread | None
    angles: dict[str, list[dict[str, Any]]]


def rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """One for each rule, in the order of the runs."""
    kinds = dict.fromkeys(outcome.member.rule for outcome in outcomes)
    return [_row(kind, [o for o in outcomes if o.member.rule == kind]) for kind in kinds]


def _row(kind: str, found: list[Outcome]) -> Row:
    rule = found[0].member.experiment.rule.make()
    summaries = [o.summary for o in found if o.summary is not None]
    score = "accuracy" if all("accuracy" in s.test for s in summaries) else "loss"
    states = dict.fromkeys(o.status for o in found)
    counted = (f"{status} ({sum(o.status == status for o in found)})" for status in states)
    memory = [o.looks[0]["memory"] for o in found if o.looks and o.looks[0].get("memory")]
    return Row(
        rule=kind,
        about=summary_of(kind),
        exact=rule.exact,
        exact_when=rule.exact_when,
        needs=sorted(rule.needs),
        status=next(iter(states)) if len(states) == 1 else ", ".join(counted),
        reason=next((o.reason for o in found if o.reason), ""),
        score=score,
        test=Spread.of(s.test[score] for s in summaries),
        validation=Spread.of(s.validation[score] for s in summaries),
        epoch_seconds=Spread.of(_median_epoch(o) for o in found if o.epochs),
        memory=Spread.of(memory),
        angles=_angles(found),
    )


def _median_epoch(outcome: Outcome) -> float:
    return statistics.median(record["seconds"] for record in outcome.epochs)


def _angles(found: list[Outcome]) -> dict[str, list[dict[str, Any]]]:
    values: dict[str, dict[int, list[dict[str, float]]]] = {}
    for look in (look for outcome in found for look in outcome.looks):
        for layer, angle in look["layers"].items():
            values.setdefault(layer, {}).setdefault(look["epoch"], []).append(angle)
    return {
        layer: [
            {"epoch": epoch, **{key: _mean(angle[key] for angle in each) for key in each[0]}}
            for epoch, each in sorted(by_epoch.items())
        ]
        for layer, by_epoch in values.items()
    }


def _mean(values: Iterable[float]) -> float | None:
    spread = Spread.of(values)
    return spread.mean if spread else None


def write(out: Path, table: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
    """`results.json` with a row a rule, and `runs.csv` with a line a run."""
    text = json.dumps({"rules": [asdict(row) for row in table]}, indent=2, allow_nan=False)
    atomic_write(out / "results.json", text + "\n")
    atomic_write(out / "runs.csv", _lines(outcomes))


_COLUMNS = ("rule", "seed", "status", "test", "validation", "best_epoch", "epochs", "seconds")


def _lines(outcomes: Sequence[Outcome]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for outcome in outcomes:
        start, end = (outcome.member.rule, outcome.member.seed, outcome.status), outcome.summary
        if end is None:
            writer.writerow([*start, *[""] * 5])
            continue
        scores = [part.get("accuracy", part["loss"]) for part in (end.test, end.validation)]
        writer.writerow([*start, *scores, end.best_epoch, end.epochs, round(end.seconds, 2)])
    return text.getvalue()


def show(spread: Spread | None, score: str = "number") -> str:
    """A mean and its deviation as a table has them.

    Example:
        >>> show(Spread(0.9712, 0.0031, 5), "accuracy"), show(Spread(12.3456, 0.0, 1)), show(None)
        ('97.12 ± 0.31 %', '12.3', '–')
    """
    if spread is None:
        return "–"
    factor, unit, digits = (100, " %", ".2f") if score == "accuracy" else (1, "", ".3g")
    mean = format(factor * spread.mean, digits)
    more = f" ± {factor * spread.deviation:{digits}}" if spread.count > 1 else ""
    return f"{mean}{more}{unit}"


def seconds(spread: Spread | None) -> str:
    """A mean time.

    Example:
        >>> seconds(Spread(1.5, 0.1, 5))
        '1.50 s'
    """
    return "–" if spread is None else f"{spread.mean:.2f} s"


def mebibytes(spread: Spread | None) -> str:
    """A mean number of bytes.

    Example:
        >>> mebibytes(Spread(3 * 2**20, 0.0, 1))
        '3.0 MiB'
    """
    return "–" if spread is None else f"{spread.mean / 2**20:.1f} MiB"
