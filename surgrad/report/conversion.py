"""The page of a converted network: accuracy and cost against time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surgrad import __version__
from surgrad.conversion import Point
from surgrad.extras import need
from surgrad.files import atomic_write
from surgrad.report.page import render


def write(
    folder: Path,
    points: Sequence[Point],
    analogue: float,
    title: str,
    command: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> Path:
    """Draw `conversion.html`.

    Args:
        folder: where it goes.
        points: the converted network after some steps, in order.
        analogue: the accuracy of the analogue network.
        title: what was converted, and how.
        command: that does the same again.
        head: of the table.
        rows: of the table.

    Raises:
        MissingExtraError: if matplotlib or jinja2 is not installed.
    """
    need("matplotlib", extra="report")
    from surgrad.report.sections import Section
    from surgrad.report.svg import theme

    with theme():
        pictures = [
            _curve("Accuracy", points, [100 * p.accuracy for p in points], 100 * analogue),
            _curve("Spikes of one sample", points, [p.spikes for p in points], None),
            _curve("Synaptic operations of one sample", points, [p.operations for p in points]),
        ]
    last = points[-1]
    page = render(
        name="conversion",
        status="finished",
        outline=title,
        tiles=[
            (f"accuracy, T = {last.steps}", f"{100 * last.accuracy:.2f} %"),
            ("analogue network", f"{100 * analogue:.2f} %"),
            (f"spikes, T = {last.steps}", f"{last.spikes:.0f}"),
        ],
        sections=[Section("curves", "Against time", "", pictures, head, rows)],
        command=command,
        config=title,
        tables={"Versions": {"surgrad": __version__}},
    )
    atomic_write(folder / "conversion.html", page)
    return folder / "conversion.html"


def _curve(title: str, points: Sequence[Point], values: list[float], level: float | None = None):
    from surgrad.report.figures import Picture
    from surgrad.report.svg import COLOUR, inline, panels

    figure, (axes,) = panels([1.9], 4.4)
    steps = [point.steps for point in points]
    axes.plot(steps, values, color=COLOUR["accent"], marker="o", markersize=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.set_xlabel("steps")
    keys = []
    if level is not None:
        axes.axhline(level, color=COLOUR["good"], linewidth=1, linestyle=(0, (2, 2)))
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.4g} %")
        keys = [("spiking", "accent", "line"), (f"analogue, {level:.2f} %", "good", "dash")]
    told = "; ".join(f"{value:.4g} after {step}" for step, value in zip(steps, values, strict=True))
    return Picture(title, inline(figure, "curve-" + title.split()[0], f"{title}: {told}"), keys)
