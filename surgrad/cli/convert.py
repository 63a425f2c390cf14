"""`surgrad convert`."""

from __future__ import annotations

import importlib
import importlib.util
import io
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from surgrad.conversion import METHODS, Point, against_time, multiplications
from surgrad.conversion import convert as converted
from surgrad.data.base import Samples
from surgrad.data.catalogue import DATASETS
from surgrad.errors import ArgumentError, FormatError, MissingExtraError
from surgrad.files import atomic_write
from surgrad.report.conversion import write

BATCH = 100
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
    marks = _numbers(steps)
    net = _load(make_of(model)(), weights)
    samples = {part: _samples(net, data, part) for part in ("train", "test")}
    _fit(net, samples["test"], data)
    batches = list(_batches(samples["train"], CALIBRATION))
    spiking = converted(net, batches, method=method, share=share, steps=max(marks), correct=correct)
    tested = list(_batches(samples["test"], limit or len(samples["test"][1])))
    points = against_time(spiking, tested, marks)
    analogue = _accuracy(net, tested)
    cost = multiplications(net, tested[0][0][:1])
    title = f"{model} on {data}, method {method} ({METHODS[method].source})"
    Console(highlight=False, markup=False).print(_table(points, analogue, cost, title))
    name = model.rpartition(":")[2]
    place = out or Path("runs") / f"convert-{name}-{data}-{method}"
    place.mkdir(parents=True, exist_ok=True)
    save(spiking, place / "weights.pt")
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


def save(net: nn.Module, path: Path) -> None:
    """Write the weights of a network."""
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    atomic_write(path, buffer.getvalue())


def make_of(model: str) -> Any:
    """The function that a command line names.

    Raises:
        ArgumentError: if there is no such file, module or function.
    """
    place, colon, name = model.rpartition(":")
    if not colon:
        raise ArgumentError(
            "MODEL", got=model, expected="FILE.py:FUNCTION or MODULE:FUNCTION that makes a network"
        )
    made = getattr(_module(place), name, None)
    if not callable(made):
        raise ArgumentError(
            "MODEL",
            got=f"no function {name} in {place}",
            expected="the name of one that makes a network and needs no arguments",
        )
    return made


def _module(place: str) -> ModuleType:
    if place.endswith(".py"):
        path = Path(place)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise ArgumentError("MODEL", got=f"no file {place}", expected="a Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise ArgumentError(
            "MODEL", got=f"no module {place}", expected="one on the path"
        ) from error


def _load(net: Any, weights: Path | None) -> nn.Module:
    if not isinstance(net, nn.Module):
        raise ArgumentError("MODEL", got=f"a {type(net).__name__}", expected="a torch.nn.Module")
    if weights is None:
        return net.eval()
    try:
        if weights.suffix == ".safetensors":
            from safetensors.torch import load_file

            net.load_state_dict(load_file(weights))
        else:
            net.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    except Exception as error:
        raise FormatError(
            f"weights {weights}", got=str(error), expected="a state dict of the network"
        ) from error
    return net.eval()


def _samples(net: nn.Module, data: str, part: str) -> tuple[Tensor, Tensor]:
    """Values and labels, with the channel axis that a convolution wants."""
    known = [name for name, spec in DATASETS.items() if _constant(spec)]
    if data not in known:
        raise ArgumentError("--data", got=data, expected="one of " + ", ".join(known))
    splits = DATASETS[data].model_validate({"encoding": "constant", "time": 1}).load()
    samples: Samples = getattr(splits, part)
    assert isinstance(samples.inputs, Tensor) and isinstance(samples.targets, Tensor)
    x = samples.inputs[:, 0]
    first = next((m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)), None)
    return (x.unsqueeze(1) if isinstance(first, nn.Conv2d) and x.dim() == 3 else x), samples.targets


def _constant(spec: type[Any]) -> bool:
    field = spec.model_fields.get("encoding")
    return field is not None and "constant" in getattr(field.annotation, "__args__", ())


def _fit(net: nn.Module, samples: tuple[Tensor, Tensor], data: str) -> None:
    """Refuse a network that is not made for the data before anything is measured."""
    x = samples[0][:2]
    try:
        with torch.no_grad():
            shape = tuple(net(x).shape)
    except (RuntimeError, ValueError) as error:
        raise ArgumentError(
            f"the network on {data}",
            got=f"an error for inputs of the shape {tuple(x.shape)}: {error}",
            expected="a network for them; begin it with nn.Flatten() where it is linear",
        ) from error
    if len(shape) != 2 or shape[1] <= int(samples[1].max()):
        raise ArgumentError("output of the network", got=shape, expected="(batch, classes)")


def _batches(samples: tuple[Tensor, Tensor], count: int) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(*(part[:count].split(BATCH) for part in samples), strict=True)


def _accuracy(net: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> float:
    with torch.no_grad():
        right = sum(int((net(x).argmax(1) == y).sum()) for x, y in batches)
    return right / sum(len(y) for _, y in batches)


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
