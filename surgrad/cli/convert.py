"""`surgrad convert`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from surgrad.errors import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    from surgrad.conversion import Point

# training samples that activations are measured on
CALIBRATION = 1024


def convert(
    model: str,
    /,
    *,
    data: str = "mnist",
    weights: Path | None = None,
    method: str = "percentile",
    steps: str = "4,8,16,32",
    share: float = 99.9,
    correct: bool | None = None,
    limit: int | None = None,
    out: Path | None = None,
) -> int:
    """Turn a trained network into a spiking one, and show its accuracy and cost against time.

    Args:
        model: a function that makes the network, `FILE.py:FUNCTION` or `MODULE:FUNCTION`.
        data: mnist, fashion_mnist or digits; each sample is a constant current.
        weights: a state dict for it, `.safetensors` or `.pt`; without one the function brings
            them.
        method: max, percentile, shift, qcfs or calibrated, the last for the most steps.
        steps: numbers of steps with commas between them.
        share: percent of the activations that the method percentile does not clip.
        correct: correct biases by the rates of the spiking network after the most steps; by
            default only calibrated does.
        limit: use only so many test samples.
        out: a folder for `conversion.html`, and `weights.pt` of the spiking network;
            `runs/convert-FUNCTION-DATA-METHOD` by default.
    """
    from surgrad.cli import models
    from surgrad.conversion import METHODS, against_time, multiplications
    from surgrad.conversion import convert as converted
    from surgrad.report.conversion import write

    marks = _numbers(steps)
    net = models.load(models.make_of(model)(), weights)
    samples = {part: models.samples(net, data, part) for part in ("train", "test")}
    models.fit(net, samples["test"], data)
    shown = list(models.batches(samples["train"], CALIBRATION))
    spiking = converted(net, shown, method=method, share=share, steps=max(marks), correct=correct)
    tested = list(models.batches(samples["test"], limit or len(samples["test"][1])))
    points = against_time(spiking, tested, marks)
    analogue = models.accuracy(net, tested)
    cost = multiplications(net, tested[0][0][:1])
    title = f"{model} on {data}, method {method} ({METHODS[method].source})"
    Console(highlight=False, markup=False).print(_table(points, analogue, cost, title))
    name = model.rpartition(":")[2]
    place = out or Path("runs") / f"convert-{name}-{data}-{method}"
    place.mkdir(parents=True, exist_ok=True)
    models.save(spiking, place / "weights.pt")
    given = {"data": data, "weights": weights, "method": method, "steps": steps}
    given |= {"share": share, "limit": limit}
    options = [f"--{key}={value}" for key, value in given.items() if value is not None]
    switch = [] if correct is None else ["--correct" if correct else "--no-correct"]
    command = shlex.join(["surgrad", "convert", model, *options, *switch])
    try:
        page = write(place, points, analogue, title, command, HEAD, rows(points, analogue, cost))
        print(f"report: {page}")
    except MissingExtraError as error:
        print(f"no report: {error}", file=sys.stderr)
    return 0


def _numbers(steps: str) -> list[int]:
    try:
        marks = sorted({int(part) for part in steps.split(",")})
    except ValueError:
        marks = [0]
    if marks[0] < 1:
        raise ArgumentError("--steps", got=steps, expected="whole numbers, 1 or more: 4,8,16,32")
    return marks


HEAD = ("steps", "accuracy", "to the analogue", "spikes", "operations", "of the products")


def rows(points: Sequence[Point], analogue: float, cost: int) -> list[tuple[str, ...]]:
    """The table as text."""
    return [
        (
            str(point.steps),
            f"{100 * point.accuracy:.2f} %",
            f"{100 * (point.accuracy - analogue):+.2f}",
            f"{point.spikes:.0f}",
            f"{point.operations:.0f}",
            f"{point.operations / cost:.2f}",
        )
        for point in points
    ]


def _table(points: Sequence[Point], analogue: float, cost: int, title: str) -> Table:
    table = Table(*HEAD, title=title, title_justify="left", box=None)
    for row in rows(points, analogue, cost):
        table.add_row(*row)
    table.caption = (
        f"the analogue network: {100 * analogue:.2f} %, {cost} products; "
        "spikes and synaptic operations are those of one sample"
    )
    return table
