"""The pictures of one example: its input, the hidden spikes and potentials, the read-out."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from surgrad.report.contents import Array, Evidence, Example, Trace
from surgrad.report.figures import Picture
from surgrad.report.svg import COLOUR, PIXEL, SERIES, inline, panels

Keys = list[tuple[str, str, str]]

# spikes that are drawn one by one; more become pixels, whose number does not grow
DRAWN = 1500
COLUMNS, ROWS = 500, 200
# what is drawn at most of a trace, of the classes, and of the hidden layers
STEPS, LINES, LAYERS = 300, 30, 3


def example(evidence: Evidence, shown: Example, name: str) -> Picture:
    """All about one example, over a common axis of time."""
    hidden = shown.hidden[:LAYERS]
    drawing = evidence.target == "spikes" and shown.output.shape[1] > LINES
    heights = [0.95, *[0.95, 0.85] * len(hidden), *([3.2, 3.2] if drawing else [1.25])]
    figure, axes = panels(heights, 4.4)
    ms = 1e3 * evidence.dt
    steps = max(len(shown.output), 1)
    _input(axes[0], shown, ms, steps)
    for index, trace in enumerate(hidden):
        colour = SERIES[index % len(SERIES)]
        _raster(axes[1 + 2 * index], trace.events, trace.size, ms, steps, colour)
        spikes = f"{trace.layer} · {trace.size} neurons · {len(trace.events)} spikes"
        axes[1 + 2 * index].set_title(spikes)
        _potentials(axes[2 + 2 * index], trace, ms, colour)
    if drawing:
        keys = _drawing(axes[-2:], shown, ms)
    else:
        keys = _READ_OUT[evidence.target](axes[-1], evidence, shown, ms)
    axes[-1].set(xlim=(-0.5 * ms, (steps - 0.5) * ms), xlabel="time, ms")
    for each in axes[:-1]:
        each.tick_params(axis="x", length=0)
    title, badge = _verdict(evidence, shown)
    return Picture(title, inline(figure, name, f"example {shown.index}: {title}"), keys, "", badge)


def label(evidence: Evidence | None, index: int) -> str:
    """The name of a class, no longer than a picture can bear."""
    known = evidence.labels if evidence is not None else []
    text = known[index] if 0 <= index < len(known) else str(index)
    return text if len(text) <= 24 else text[:23] + "…"


def _verdict(evidence: Evidence, shown: Example) -> tuple[str, str]:
    if evidence.target == "class":
        true, predicted = (label(evidence, int(i)) for i in (shown.target, shown.prediction))
        return (
            f"{true}, recognised" if true == predicted else f"{true}, taken for {predicted}",
            shown.group,
        )
    if evidence.target == "step_class":
        return f"{shown.score:.1%} of its steps right", shown.group
    return f"loss {shown.score:.4g}", shown.group


def _input(axes: Any, shown: Example, ms: float, steps: int) -> None:
    spikes = np.issubdtype(shown.input.dtype, np.integer)
    if spikes:
        _raster(axes, shown.input, shown.size, ms, steps, "ink")
        axes.set_title(f"input · {shown.size} units · {len(shown.input)} spikes")
    elif shown.input.shape[1] <= 8:
        t, values = _thinned(shown.input, ms)
        axes.plot(t, values, color=COLOUR["ink"], linewidth=1)
        axes.set_title("input")
    else:
        span = np.ptp(shown.input) or 1.0
        _pixels(axes, (shown.input.T - shown.input.min()) / span, steps * ms, shown.size, "ink")
        axes.set_title(f"input · {shown.size} values, the darker the higher")


def _raster(
    axes: Any, events: Array, size: int, ms: float, steps: int, colour: str, weight: float = 1.0
) -> None:
    if len(events) > DRAWN:
        bins = [min(ROWS, size), min(COLUMNS, steps)]
        grid, _, _ = np.histogram2d(
            events[:, 1], events[:, 0], bins, [[-0.5, size - 0.5], [-0.5, steps - 0.5]]
        )
        _pixels(axes, (grid / max(grid.max(), 1)) ** 0.6, steps * ms, size, colour)
    elif len(events):
        half = max(0.4, size / 44)
        x = np.repeat(events[:, 0] * ms, 2)
        y = np.repeat(events[:, 1].astype(float), 2) + np.tile([-half, half], len(events))
        codes = np.tile([Path.MOVETO, Path.LINETO], len(events))
        path = Path(np.stack([x, y], 1), codes, readonly=True)
        width = weight * (1.0 if len(events) < 600 else 0.8)
        axes.add_patch(PathPatch(path, fill=False, edgecolor=COLOUR[colour], linewidth=width))
    axes.set(ylim=(-0.7 - size / 40, size - 0.3 + size / 40))
    axes.grid(False)
    axes.yaxis.get_major_locator().set_params(integer=True, nbins=3)


def _pixels(axes: Any, strength: Array, width: float, size: int, colour: str) -> None:
    image = np.zeros((*strength.shape, 4))
    image[..., :3] = to_rgb(PIXEL.get(colour, PIXEL["c1"]))
    image[..., 3] = strength
    step = width / strength.shape[1]
    extent = (-0.5 * step, width - 0.5 * step, -0.5, size - 0.5)
    axes.imshow(image, origin="lower", aspect="auto", interpolation="none", extent=extent)
    axes.grid(False)


def _thinned(values: Array, ms: float) -> tuple[Array, Array]:
    every = max(1, -(-len(values) // STEPS))
    return np.arange(0, len(values), every) * ms, values[::every]


def _potentials(axes: Any, trace: Trace, ms: float, colour: str) -> None:
    """A band for each neuron, on its own scale, with its threshold."""
    t, potentials = _thinned(trace.potentials, ms)
    bands = len(trace.neurons)
    for band in range(bands):
        u, theta = potentials[:, band], trace.thresholds[band]
        low, high = min(u.min(initial=0), 0), max(u.max(initial=theta), theta)
        base = bands - 1 - band
        axes.plot(t, base + 0.86 * (u - low) / (high - low), color=COLOUR[colour], linewidth=1.1)
        level = base + 0.86 * (theta - low) / (high - low)
        axes.axhline(level, color=COLOUR["muted"], linewidth=0.7, linestyle=(0, (1, 2)))
    axes.set_yticks(np.arange(bands) + 0.4, [f"{n}" for n in trace.neurons[::-1]])
    axes.set(ylim=(-0.08, bands))
    axes.grid(False)
    axes.set_title("membrane potentials of a few neurons, and their thresholds")


def _class(axes: Any, evidence: Evidence, shown: Example, ms: float) -> Keys:
    true, predicted = int(shown.target), int(shown.prediction)
    axes.set_title("read-out")
    keys = [(f"{label(evidence, true)}, true", "good", "line")]
    if predicted != true:
        keys.append((f"{label(evidence, predicted)}, predicted", "bad", "line"))
    if evidence.spiking_output:
        steps, size = shown.output.shape
        events = np.argwhere(shown.output > 0.5)
        for colour, units in (("muted", range(size)), ("bad", [predicted]), ("good", [true])):
            _raster(axes, events[np.isin(events[:, 1], units)], size, ms, steps, colour)
        return [*keys, ("other classes", "muted", "line")]
    t, values = _thinned(shown.output, ms)
    others = [k for k in range(values.shape[1]) if k not in (true, predicted)][:LINES]
    axes.plot(t, values[:, others], color=COLOUR["muted"], linewidth=0.7, alpha=0.55)
    for k, colour in ((predicted, "bad"), (true, "good")):
        axes.plot(t, values[:, k], color=COLOUR[colour], linewidth=1.8)
    return [*keys, ("other classes", "muted", "line")]


def _step_class(axes: Any, evidence: Evidence, shown: Example, ms: float) -> Keys:
    """The read-out, and below it what was true and what was predicted at each step."""
    t, values = _thinned(shown.output, ms)
    names = sorted({int(k) for k in (*shown.target, *shown.prediction) if k >= 0})
    colours = {k: SERIES[i % len(SERIES)] for i, k in enumerate(names)}
    for k in range(values.shape[1])[:LINES]:
        style = {"linewidth": 1.3} if k in colours else {"linewidth": 0.7, "alpha": 0.55}
        axes.plot(t, values[:, k], color=COLOUR[colours.get(k, "muted")], **style)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    unit = (high - low or 1.0) * 0.1
    for row, classes in ((1, shown.target), (2, shown.prediction)):
        changes = np.flatnonzero(np.diff(classes)) + 1
        for start, stop in zip([0, *changes], [*changes, len(classes)], strict=True):
            if classes[start] >= 0:
                corner = ((start - 0.5) * ms, low - (1.35 * row + 0.2) * unit)
                colour = COLOUR[colours[int(classes[start])]]
                axes.add_patch(Rectangle(corner, (stop - start) * ms, unit, color=colour, lw=0))
        place = (len(classes) * ms, low + (0.3 - 1.35 * row) * unit)
        name = ("true", "predicted")[row - 1]
        axes.text(*place, name, va="center", fontsize=6.5, color=COLOUR["muted"])
    axes.set_ylim(low - 3.1 * unit, high + 0.5 * unit)
    axes.set_title("read-out, and the class of each step")
    return [(label(evidence, k), colours[k], "line") for k in names[:12]]


def _values(axes: Any, evidence: Evidence, shown: Example, ms: float) -> Keys:
    for k in range(shown.target.shape[1])[: len(SERIES)]:
        t, target = _thinned(shown.target[:, k], ms)
        axes.plot(t, target, color=COLOUR["ink"], linewidth=1, linestyle=(0, (3, 2)))
        axes.plot(*_thinned(shown.output[:, k], ms), color=COLOUR[("accent", *SERIES[1:])[k]])
    axes.set_title("prediction and target")
    return [("target", "ink", "dash"), ("prediction", "accent", "line")]


def _spikes(axes: Any, evidence: Evidence, shown: Example, ms: float) -> Keys:
    size, steps = shown.output.shape[1], len(shown.output)
    _raster(axes, shown.target, size, ms, steps, "c2", weight=4.0)
    _raster(axes, np.argwhere(shown.output > 0.5), size, ms, steps, "accent", weight=1.2)
    axes.set_title("output spikes over target spikes")
    return [("target", "c2", "box"), ("output", "accent", "line")]


def _drawing(axes: Any, shown: Example, ms: float) -> Keys:
    """The spikes of many outputs, which together may be a picture, below those wanted."""
    size, steps = shown.output.shape[1], len(shown.output)
    spikes = np.argwhere(shown.output > 0.5)
    for each, events, colour, name in (
        (axes[0], shown.target, "c2", "target"),
        (axes[1], spikes, "accent", "output"),
    ):
        _raster(each, events, size, ms, steps, colour)
        each.set_title(f"{name} spikes · {len(events)}")
    return []


_READ_OUT = {"class": _class, "step_class": _step_class, "values": _values, "spikes": _spikes}
