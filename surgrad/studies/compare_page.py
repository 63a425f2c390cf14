"""The page of a comparison: which rule gets how far, at what price, along which direction."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from surgrad import __version__
from surgrad.files import atomic_write
from surgrad.report.page import outline, render
from surgrad.report.sections import Section
from surgrad.report.svg import theme
from surgrad.studies.compare import Outcome
from surgrad.studies.pictures import curves, scores
from surgrad.studies.tally import Row, Spread, mebibytes, seconds, show
from surgrad.training.schema import Experiment

HEAD = ("rule", "test", "validation", "time an epoch", "memory of a step", "exact for", "needs")
_EXACT = {
    "surrogate": "the surrogate network",
    "event": "spike times",
    "expectation": "the expected loss",
    None: "nothing",
}


def write_page(
    out: Path,
    experiment: Experiment,
    table: Sequence[Row],
    outcomes: Sequence[Outcome],
    tokens: Sequence[str],
) -> Path:
    """Write `report.html` into a study's folder.

    Args:
        out: the folder.
        experiment: what all runs have in common.
        table: a row a rule.
        outcomes: the runs.
        tokens: the command that makes the study.

    Returns:
        the path of the page.
    """
    with theme():
        sections = [part for part in _sections(table, outcomes) if part.rows or part.pictures]
    done = [row for row in table if row.test is not None]
    seeds = {o.member.seed for o in outcomes}
    page = render(
        name=f"{experiment.name}: rules",
        status="finished",
        outline=outline(experiment.model_dump()),
        tiles=list(_tiles(table, done, len(seeds))),
        sections=sections,
        command=shlex.join(tokens),
        config=experiment.to_toml(),
        tables={
            "Versions": {"surgrad": __version__},
            "Numbers": {"seeds": ", ".join(map(str, sorted(seeds))), "rules": str(len(table))},
        },
    )
    atomic_write(out / "report.html", page)
    return out / "report.html"


def _tiles(table: Sequence[Row], done: Sequence[Row], seeds: int) -> Iterator[tuple[str, str]]:
    if done:
        best = max(done, key=_rank)
        yield f"best: {best.rule}", show(best.test, best.score)
    yield "rules that ran", f"{len(done)} of {len(table)}"
    yield "seeds", str(seeds)


def _rank(row: Row) -> float:
    mean = row.test.mean if row.test else 0.0
    return mean if row.score == "accuracy" else -mean


def cells(row: Row) -> list[str]:
    """A row of the table."""
    needs = ", ".join(row.needs) or "its own layer, present and past"
    name = row.rule if row.status == "finished" else f"{row.rule} ({row.status})"
    return [
        name,
        show(row.test, row.score),
        show(row.validation, row.score),
        seconds(row.epoch_seconds),
        mebibytes(row.memory),
        _EXACT[row.exact],
        needs,
    ]


def _sections(table: Sequence[Row], outcomes: Sequence[Outcome]) -> Iterator[Section]:
    ran = [row for row in table if row.status != "not applicable"]
    done = {row.rule: row for row in ran if row.test is not None}
    text = (
        "Mean ± standard deviation over the seeds. The epoch is chosen on the validation samples; "
        "the test samples are used once. Memory is what the gradient of one training batch needs "
        "at once beyond network and data. A rule needs nothing but its own layer's present and "
        "past, beside an error that is broadcast, unless the last column says so: what comes later "
        "(future), the state of other layers, or their weights on the way back (weight transport)."
    )
    pictures = []
    if done:
        unit = _unit(done.values())
        values = {kind: _pair(row.test) for kind, row in done.items()}
        pictures = [scores("scores", "Test samples", values, unit=unit)]
        order = [row.rule for row in ran]
        key = "accuracy" if unit else "loss"
        lines = {kind: _history(kind, key, outcomes) for kind in done}
        pictures.append(
            curves("validation", f"Validation {key} by epoch", lines, unit=unit, order=order)
        )
    yield Section("rules", "Rules", text, pictures, HEAD, [cells(row) for row in ran])
    yield _alignment(ran)
    refused = [[row.rule, row.reason] for row in table if row.status != "finished"]
    yield Section(
        "refused", "Not applicable", "What did not run, and why.", (), ("rule", "reason"), refused
    )
    about = [[row.rule, row.about, f"{_EXACT[row.exact]}: {row.exact_when}"] for row in table]
    yield Section("about", "What they are", "", (), ("rule", "in a sentence", "exact"), about)


def _unit(done: Any) -> Literal["", "%"]:
    return "%" if all(row.score == "accuracy" for row in done) else ""


def _pair(spread: Spread | None) -> tuple[float, float]:
    return (spread.mean, spread.deviation) if spread else (0.0, 0.0)


def _history(kind: str, key: str, outcomes: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    """Epochs, and the mean over the seeds."""
    values: dict[int, list[float]] = {}
    for outcome in outcomes:
        for record in outcome.epochs if outcome.member.rule == kind else ():
            values.setdefault(record["epoch"], []).append(record["validation"][key])
    epochs = sorted(values)
    return [float(e) for e in epochs], [sum(values[e]) / len(values[e]) for e in epochs]


def _alignment(ran: Sequence[Row]) -> Section:
    order, pictures = [row.rule for row in ran], []
    layers = dict.fromkeys(layer for row in ran for layer in row.angles)
    for index, layer in enumerate(layers):
        cosines = {row.rule: _angles(row, layer, "cosine") for row in ran if layer in row.angles}
        ratios = {row.rule: _angles(row, layer, "ratio") for row in ran if layer in row.angles}
        pictures += [
            curves(
                f"cosine-{index}",
                f"{layer}: cosine to BPTT's gradient",
                cosines,
                x_scale="symlog",
                order=order,
                level=0.0,
            ),
            curves(
                f"ratio-{index}",
                f"{layer}: length, in units of BPTT's gradient",
                ratios,
                x_scale="symlog",
                scale="log",
                order=order,
                level=1.0,
            ),
        ]
    text = (
        "The gradient of each rule beside that of back-propagation through time, on one batch of "
        "training samples, with the network as it was after so many epochs of that rule's own "
        "training. Where neurons spike by chance, BPTT goes through the same spikes."
    )
    return Section("alignment", "Direction", text, pictures)


def _angles(row: Row, layer: str, key: str) -> tuple[list[float], list[float]]:
    looks = [look for look in row.angles[layer] if look[key] is not None]
    return [float(look["epoch"]) for look in looks], [look[key] for look in looks]
