"""Pictures of several rules at once: curves with their names at the end, and a row of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from surgrad.report.figures import Picture
from surgrad.report.svg import COLOUR, SERIES, inline, panels

Line = tuple[Sequence[float], Sequence[float]]
"""Abscissas and ordinates."""

_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
# of the height of a picture, between two names
_APART = 0.055


def curves(
    name: str,
    title: str,
    lines: Mapping[str, Line],
    *,
    x: str = "epoch",
    unit: Literal["", "%"] = "",
    scale: Literal["linear", "log"] = "linear",
    x_scale: Literal["linear", "log", "symlog"] = "linear",
    floor: float | None = None,
    level: float | None = None,
    note: str = "",
    order: Sequence[str] = (),
) -> Picture:
    """A line for each name, which stands at its end in the line's colour.

    Args:
        name: of the picture, unique in the page.
        title: what is drawn.
        lines: by name; what is not finite is left out.
        x: the label of the abscissa.
        unit: "%" shows shares as percentages.
        scale: of the ordinate.
        x_scale: of the abscissa.
        floor: what lies below this is not shown.
        level: where a thin line marks a value of interest.
        note: below the picture.
        order: names that decide the colours, so that they agree between pictures.
    """
    figure, (axes,) = panels([2.6], 4.8)
    axes.set_yscale(scale)
    axes.set_xscale(x_scale, **({"linthresh": 1} if x_scale == "symlog" else {}))
    names, ends = list(order or lines), {}
    for label, line in lines.items():
        where, values = (np.asarray(part, float) for part in line)
        known = np.isfinite(values) & (values > 0 if scale == "log" else True)
        if not known.any():
            continue
        place = names.index(label) if label in names else 0
        colour = COLOUR[SERIES[place % len(SERIES)]]
        style = _DASHES[place // len(SERIES) % len(_DASHES)]
        marker = "o" if np.count_nonzero(known) < 12 else ""
        axes.plot(
            where[known],
            values[known],
            color=colour,
            linestyle=style,
            marker=marker,
            markersize=2.5,
        )
        ends[label] = (float(where[known][-1]), float(values[known][-1]), colour)
    if level is not None:
        axes.axhline(level, color=COLOUR["muted"], linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    if floor is not None:
        axes.set_ylim(bottom=floor)
    if unit:
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.4g} %")
    if x_scale == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel(x)
    _name_ends(axes, ends)
    told = "; ".join(f"{label} ends at {value:.3g}" for label, (_, value, _) in ends.items())
    return Picture(title, inline(figure, name, f"{title}: {told}"), note=note)


def _name_ends(axes: Axes, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Write names to the right of the picture, apart from each other."""
    to_height = axes.transData + axes.transAxes.inverted()
    heights = {
        label: float(np.clip(to_height.transform((place, value))[1], 0.0, 1.0))
        for label, (place, value, _) in ends.items()
    }
    ordered = sorted(heights, key=lambda label: heights[label])
    free = -1.0
    placed = {}
    for label in ordered:
        free = max(heights[label], free + _APART)
        placed[label] = free
    # names that were pushed above the picture move down together
    limit = 1.0
    for label in reversed(ordered):
        placed[label] = min(placed[label], limit)
        limit = placed[label] - _APART
    for label, height in placed.items():
        axes.annotate(
            label,
            (1.02, height),
            xycoords="axes fraction",
            va="center",
            color=ends[label][2],
            annotation_clip=False,
        )


def scores(
    name: str,
    title: str,
    values: Mapping[str, tuple[float, float]],
    *,
    unit: Literal["", "%"] = "",
    note: str = "",
) -> Picture:
    """A dot for each name with a bar of one standard deviation to both sides, best first.

    Args:
        name: of the picture, unique in the page.
        title: what is drawn.
        values: mean and deviation.
        unit: "%" shows shares as percentages, and more is better; else less is.
        note: below the picture.
    """
    best = sorted(values, key=lambda label: values[label][0], reverse=not unit)
    figure, (axes,) = panels([0.35 + 0.17 * len(best)], 4.8)
    for height, label in enumerate(reversed(best) if unit else best):
        mean, deviation = values[label]
        colour = COLOUR["accent"]
        axes.plot([mean - deviation, mean + deviation], [height] * 2, color=colour, linewidth=2.2)
        axes.plot([mean], [height], color=colour, marker="o", markersize=4.5)
    axes.set_yticks(range(len(best)), list(reversed(best) if unit else best))
    axes.set_ylim(-0.6, len(best) - 0.4)
    axes.grid(True, axis="x")
    if unit:
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    told = "; ".join(f"{label} {values[label][0]:.4g}" for label in best)
    return Picture(title, inline(figure, name, f"{title}: {told}"), note=note)
