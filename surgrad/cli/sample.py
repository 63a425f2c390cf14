"""What `surgrad data show` says and draws."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from surgrad.cli.raster import curve, raster
from surgrad.data.base import Info, Samples, Splits
from surgrad.data.spec import About
from surgrad.errors import ConfigError
from surgrad.events import SpikeTrain
from surgrad.extras import need
from surgrad.files import atomic_write

PARTS = ("train", "validation", "test")
DARK = "#1f3a5f"


def describe(console: Console, splits: Splits, about: About) -> None:
    """The source, the shape, the numbers of samples, rates and classes."""
    info = splits.info
    units = " × ".join(map(str, info.features))
    lines = [
        f"{info.name}: {about.summary}",
        f"source: {info.source}",
        f"licence: {info.licence}",
        f"input: {units} units, {info.time} steps of {1e3 * info.dt:g} ms, "
        f"{1e3 * info.time * info.dt:g} ms in all",
        f"target: {_target(info)}",
        *([f"note: {info.note}"] if info.note else []),
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
    console.print()
    table = Table("", *PARTS, box=None)
    for name, cells in _numbers(splits):
        table.add_row(name, *cells)
    console.print(table)


def draw(console: Console, samples: Samples, index: int, info: Info, title: str) -> None:
    """One sample in characters."""
    inputs, target = samples[index][:2]
    console.print(f"\n{title}, {_answer(target, info)}:", soft_wrap=True)
    width = max(8, min(console.width, 100) - 2)
    if isinstance(inputs, SpikeTrain):
        plain = not console.encoding.lower().startswith("utf")
        for line in raster(inputs, columns=width, plain=plain):
            console.print(line, no_wrap=True, overflow="crop")
        console.print(
            f"{len(inputs.indices)} spikes of {inputs.units} units (upward) in "
            f"{int(inputs.valid[0])} steps (to the right)",
            soft_wrap=True,
        )
    else:
        for values in inputs[:, 0].flatten(1).T[:8]:
            console.print(curve(values.numpy(), columns=width), no_wrap=True)


def save(path: Path, samples: Samples, index: int, info: Info, title: str) -> None:
    """One sample as an SVG picture."""
    if not path.absolute().parent.is_dir():
        raise ConfigError(str(path.parent), got="no such folder", expected="a folder for --svg")
    figures = need("matplotlib.figure", extra="report")
    inputs, target = samples[index][:2]
    figure = figures.Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    ms = 1e3 * info.dt
    if isinstance(inputs, SpikeTrain):
        step, unit, _ = inputs.events()
        axes.scatter(step * ms, unit, s=4, marker="|", color=DARK, linewidths=1)
        axes.set(ylabel="unit", xlim=(0, inputs.time * ms), ylim=(-0.5, inputs.units - 0.5))
    else:
        values = inputs[:, 0].flatten(1)
        axes.plot(torch.arange(len(values)) * ms, values)
        axes.set(ylabel="value")
    axes.set(xlabel="time, ms", title=f"{title}, {_answer(target, info)}")
    axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    atomic_write(path, file.getvalue())


def _numbers(splits: Splits) -> Iterator[tuple[str, list[str]]]:
    """The rows of the table: a name, and a cell for each part."""
    parts: list[Samples] = [getattr(splits, name) for name in PARTS]
    yield "samples", [str(len(part)) for part in parts]
    inputs = [part.inputs for part in parts]
    trains = [train for train in inputs if isinstance(train, SpikeTrain)]
    if len(trains) == len(parts):
        yield (
            "spikes a sample",
            [f"{len(train.indices) / max(train.batch, 1):.1f}" for train in trains],
        )
        yield "rate of a unit, Hz", [f"{train.density() / splits.info.dt:.3g}" for train in trains]
        silent = [int((train.counts().flatten(1).sum(1) == 0).sum()) for train in trains]
        if any(silent):
            yield "samples without a spike", [str(count) for count in silent]
    targets = [part.targets for part in parts]
    labels = [t for t in targets if isinstance(t, Tensor) and not t.is_floating_point()]
    if splits.info.classes is None or len(labels) < len(parts):
        return
    names = splits.info.labels or tuple(map(str, range(splits.info.classes)))
    counts = [torch.bincount(t.flatten() + 1, minlength=len(names) + 1).tolist() for t in labels]
    for number, name in enumerate(names, start=1):
        yield f"class {name}", [str(count[number]) for count in counts]
    if any(count[0] for count in counts):
        yield "no class", [str(count[0]) for count in counts]


def _target(info: Info) -> str:
    return {
        "class": f"one of {info.classes} classes a sample",
        "step_class": f"one of {info.classes} classes a step",
        "values": f"{info.outputs} values a step",
        "spikes": f"the spikes of {info.outputs} units",
    }[info.target]


def _answer(target: Tensor | SpikeTrain, info: Info) -> str:
    if info.target == "class" and isinstance(target, Tensor):
        number = int(target[0])
        return f"class {info.labels[number] if info.labels else number}"
    return f"target: {_target(info)}"
