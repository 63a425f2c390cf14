"""A picture of how many times longer others take, for the README."""

from __future__ import annotations

import io
from pathlib import Path

from benchmarks.page import single
from benchmarks.results import Row, Run
from surgrad.extras import need
from surgrad.files import atomic_write

COLOURS = {"PyTorch": "#d1603d", "JAX": "#3f72af", "loop": "#8a8f98", "limit": "#c9ccd1"}
LABELS = {
    "PyTorch": "fastest PyTorch library",
    "JAX": "fastest JAX library",
    "loop": "plain torch loop",
    "limit": "dense products alone",
}


def bars(run: Run) -> dict[str, tuple[str, float]]:
    """For each colour, who it stands for and how many times longer it takes than surgrad."""
    own = run.row("surgrad")
    if own is None or not own.ranked:
        return {}
    found: dict[str, Row | None] = {
        "PyTorch": run.fastest("PyTorch"),
        "JAX": run.fastest("JAX"),
        "loop": run.row("loop"),
        "limit": run.row("dense product"),
    }
    return {
        name: (row.contender, row.median / own.median)
        for name, row in found.items()
        if row is not None and row.ranked
    }


def label(name: str, contender: str, ratio: float) -> str:
    """What stands behind a bar."""
    return f"{ratio:.1f}×" + (f"  {contender}" if name in ("PyTorch", "JAX") else "")


def draw(runs: list[Run], out: Path) -> None:
    """Write the picture: a group of horizontal bars for each workload."""
    matplotlib = need("matplotlib", extra="report")
    need("matplotlib.figure", extra="report")
    groups = [(run, bars(run)) for run in single(runs) if run.threads == 1]
    height = 0.9 + sum(0.32 + 0.2 * len(group) for _, group in groups)
    fixed = {"svg.hashsalt": "surgrad", "svg.fonttype": "none", "font.size": 8.5}
    with matplotlib.rc_context(fixed):
        figure = matplotlib.figure.Figure(figsize=(7, height), layout="constrained")
        axes = figure.add_subplot()
        place, ticks = 0.0, []
        for run, group in groups:
            middle = place + (len(group) - 1) / 2
            ticks.append((middle, f"{run.workload}  {run.title}"))
            for name, (contender, ratio) in group.items():
                axes.barh(place, ratio, 0.86, color=COLOURS[name])
                said = " " + label(name, contender, ratio)
                axes.text(ratio, place, said, va="center", fontsize=7.5)
                place += 1
            place += 1.2
        axes.set_yticks([t for t, _ in ticks], [label for _, label in ticks])
        axes.invert_yaxis()
        axes.axvline(1, color="#222222", linewidth=1)
        axes.set_xlabel("time of a training step, surgrad = 1 (one thread; less is better)")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(left=False)
        handles = [
            matplotlib.patches.Patch(color=COLOURS[name], label=LABELS[name]) for name in COLOURS
        ]
        figure.legend(
            handles=handles,
            loc="outside upper center",
            ncols=len(handles),
            frameon=False,
            fontsize=8,
        )
        axes.margins(x=0.18)
        picture = io.StringIO()
        figure.savefig(picture, format="svg", facecolor="white", metadata={"Date": None})
    # matplotlib leaves spaces at the ends of lines
    atomic_write(out, "\n".join(line.rstrip() for line in picture.getvalue().splitlines()) + "\n")
