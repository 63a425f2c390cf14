"""The pictures of a run: curves, confusion, distributions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from surgrad.report.contents import Array, Constants, Layer
from surgrad.report.svg import COLOUR, SERIES, inline, panels

# what is drawn at most of a curve, of layers in one picture, and of a confusion matrix
POINTS, LAYERS, CELLS = 500, 12, 1300
# the share of silent or saturated neurons from which a layer is marked
ALARM = 0.3
Epochs = Sequence[dict[str, Any]]


class Picture(NamedTuple):
    """A figure with its title, the keys of its colours `(name, colour, style)`, and a remark."""

    title: str
    svg: str
    keys: Sequence[tuple[str, str, str]] = ()
    note: str = ""
    badge: str = ""


def _series(epochs: Epochs, key: str) -> Array:
    """Epochs and values of one number, where it is there and finite, `(2, points)`."""
    pairs = [(row.get("epoch", i + 1), row[key]) for i, row in enumerate(epochs) if key in row]
    pairs = [pair for pair in pairs if isinstance(pair[1], int | float) and np.isfinite(pair[1])]
    return np.array(pairs[:: max(1, -(-len(pairs) // POINTS))], float).reshape(-1, 2).T


def _curve(
    title: str, epochs: Epochs, lines: dict[str, tuple[str, str]], best: Any
) -> Iterator[Picture]:
    """One picture, if there is anything to draw; `lines` are key and colour by name."""
    found = {name: (colour, *_series(epochs, key)) for name, (key, colour) in lines.items()}
    found = {name: line for name, line in found.items() if len(line[1])}
    if not found:
        return
    figure, (axes,) = panels([1.75], 4.4)
    for colour, x, y in found.values():
        axes.plot(x, y, color=COLOUR[colour], marker="o" if len(x) < 3 else "", markersize=3)
    low, high = min(y.min() for *_, y in found.values()), max(y.max() for *_, y in found.values())
    if title == "Accuracy":
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.4g} %")
    elif low > 0 and high > 20 * low:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
    keys = [(name, colour, "line") for name, (colour, *_) in found.items() if len(found) > 1]
    if best is not None:
        axes.axvline(best, color=COLOUR["good"], linewidth=1, linestyle=(0, (2, 2)), zorder=0)
        keys.append((f"best epoch, {best}", "good", "dash"))
    ends = "; ".join(f"{name} ends at {y[-1]:.4g}" for name, (*_, y) in found.items())
    name = "curve-" + title.split()[0]
    yield Picture(title, inline(figure, name, f"{title} by epoch: {ends}"), keys)


def curves(epochs: Epochs, best: int | None, layers: Sequence[str]) -> list[Picture]:
    """Whatever the run has of loss, accuracy, firing rates and gradient norm."""
    rates = {}
    for i in range(min(LAYERS, sum(key.startswith("rates.") for key in epochs[-1]))):
        name = layers[i] if i < len(layers) else f"layer {i + 1}"
        rates[name] = (f"rates.{i}", SERIES[i % len(SERIES)])
    parts = {"train": "muted", "validation": "accent"}
    both = {key: {part: (f"{part}.{key}", colour) for part, colour in parts.items()}
            for key in ("loss", "accuracy")}  # fmt: skip
    return [
        *_curve("Loss", epochs, both["loss"], best),
        *_curve("Accuracy", epochs, both["accuracy"], best),
        *_curve("Firing rates, Hz", epochs, rates, best),
        *_curve("Gradient norm", epochs, {"norm": ("gradient_norm", "c4")}, best),
    ]


def confusion(matrix: Array, labels: Sequence[str]) -> Picture:
    """Rows are what was true, columns what was predicted; the shade is the share of the row."""
    count = len(matrix)
    figure, (axes,) = panels([4.2], 4.6)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    for place in np.argsort(-matrix, axis=None, kind="stable")[:CELLS]:
        row, column = divmod(int(place), count)
        if not matrix[row, column]:
            break
        colour, base = ("accent", 0.12) if row == column else ("bad", 0.2)
        strength = min(1.0, base + (0.88 if row == column else 2) * share[row, column])
        corner = (column - 0.47, row - 0.47)
        axes.add_patch(Rectangle(corner, 0.94, 0.94, color=COLOUR[colour], alpha=strength, lw=0))
        if count <= 15:
            ink = COLOUR["card" if strength > 0.55 else "ink"]
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=ink)
    ticks = np.arange(0, count, -(-count // 40))
    names, size = [labels[int(i)] for i in ticks], 7.5 if count <= 20 else 5.5
    axes.set_xticks(ticks, names, fontsize=size, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(ticks, names, fontsize=size)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    wrong = matrix * (1 - np.eye(count, dtype=int))
    worst = [divmod(int(i), count) for i in np.argsort(-wrong, axis=None, kind="stable")[:3]]
    pairs = [f"{labels[t]} for {labels[p]} ({wrong[t, p]})" for t, p in worst if wrong[t, p]]
    note = f"{np.trace(matrix)} of {matrix.sum()} right. "
    note += "Most often taken: " + ", ".join(pairs) + "." if pairs else "No mistake."
    return Picture(note, inline(figure, "confusion", "confusion matrix: " + note))


def rates(layer: Layer, colour: str, name: str) -> Picture:
    """How the firing rates of a layer's neurons are distributed."""
    figure, (axes,) = panels([1.8])
    highest = max(float(layer.rates.max(initial=0)), 1.0)
    counts, edges = np.histogram(layer.rates[layer.rates > 0], bins=30, range=(0, highest))
    _bars(axes, edges, counts, colour)
    silent, width = int((layer.rates == 0).sum()), edges[1]
    keys = [("mean", "ink", "line")]
    if silent:
        axes.bar(-1.5 * width, silent, width, color=COLOUR["bad"], alpha=0.75)
        axes.set_ylim(0, 1.1 * max(silent, counts.max()))
        keys.append(("silent", "bad", "box"))
    axes.axvline(layer.rates.mean(), color=COLOUR["ink"], linewidth=1)
    axes.set_xlabel("rate, Hz")
    axes.set_title("neurons")
    note = (
        f"{len(layer.rates)} neurons, mean {layer.rates.mean():.3g} Hz. "
        f"Silent: {layer.silent:.1%}. Saturated: {layer.saturated:.1%}."
    )
    share, badge = max((layer.silent, "silent"), (layer.saturated, "saturated"))
    title = f"{layer.name}: firing rates"
    svg = inline(figure, name, f"{title}. {note}")
    return Picture(title, svg, keys, note, badge if share > ALARM else "")


def surrogate(layer: Layer, colour: str, name: str) -> Picture:
    """Where the membrane was, and what the surrogate derivative made of it."""
    figure, (axes,) = panels([1.8])
    density = layer.counts / max(layer.counts.sum(), 1)
    _bars(axes, layer.edges, 100 * density, colour)
    axes.axvline(0, color=COLOUR["muted"], linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set_title("% of neurons × steps")
    axes.set_xlabel("U − ϑ")
    keys = [("U − ϑ", colour, "box"), ("threshold", "muted", "dash")]
    note = f"{density[layer.edges[1:] > 0].sum():.1%} above the threshold. "
    if layer.curve.size:
        v, h = layer.curve
        axes.plot(v, h / h.max() * 105 * density.max(), color=COLOUR["bad"], linewidth=1.2)
        keys.insert(1, (layer.surrogate, "bad", "line"))
        where = f"above {layer.level:.0%} of its peak" if layer.level else "not zero"
        note = f"h is {where} for {layer.inside:.1%} of neurons × steps."
    title = f"{layer.name}: surrogate derivative"
    return Picture(title, inline(figure, name, f"{title}. {note}"), keys, note)


def constants(found: Constants, colour: str, name: str) -> Picture:
    """A parameter of the neurons before (outline) and after (filled) training."""
    figure, (axes,) = panels([1.8])
    factor, unit = (1e3, "ms") if found.name.startswith("tau") else (1.0, "")
    initial, final = factor * found.initial, factor * found.final
    everything = np.concatenate([initial, final])
    low, high = everything.min(), everything.max()
    pad = 0.05 * (high - low) or 0.05 * abs(high)
    edges = np.linspace(low - pad, high + pad, 31)
    if len(final) > 1:
        _bars(axes, edges, np.histogram(final, edges)[0], colour)
        axes.set_title("neurons")
    else:
        axes.axvline(final[0], color=COLOUR[colour], linewidth=3)
        axes.set_yticks([])
    spread = np.ptp(initial) > 0
    if spread:
        axes.stairs(np.histogram(initial, edges)[0], edges, color=COLOUR["ink"], linewidth=1)
    else:
        axes.axvline(initial[0], color=COLOUR["ink"], linewidth=1, linestyle=(0, (2, 2)))
    axes.set(xlim=(edges[0], edges[-1]), xlabel=f"{found.name}, {unit}".strip(", "))
    keys = [("initial", "ink", "line" if spread else "dash"), ("final", colour, "box")]
    note = "Learnt" if found.learnt else "Fixed"
    note += f", mean {initial.mean():.3g} → {final.mean():.3g} {unit}"
    if len(final) > 1:
        note += f", now from {final.min():.3g} to {final.max():.3g} {unit}"
    note = note.strip() + "."
    title = f"{found.layer}: {found.name}"
    return Picture(title, inline(figure, name, f"{title}. {note}"), keys, note)


def _bars(axes: Any, edges: Array, heights: Array, colour: str) -> None:
    axes.stairs(heights, edges, fill=True, color=COLOUR[colour], alpha=0.75, linewidth=0)
    axes.set_ylim(0, max(float(heights.max()) * 1.1, 1e-9))
    axes.margins(x=0.02)
