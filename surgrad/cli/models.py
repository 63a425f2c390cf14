"""A network that a command line names, its weights, and the samples that it is made for."""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from surgrad.data.base import Samples
from surgrad.data.catalogue import DATASETS
from surgrad.errors import ArgumentError, FormatError
from surgrad.files import atomic_write

BATCH = 100


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


def load(net: Any, weights: Path | None) -> nn.Module:
    """The network in evaluation mode, with the weights of a file if there is one.

    Raises:
        ArgumentError: if it is no module.
        FormatError: if the file has no weights for it.
    """
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


def samples(net: nn.Module, data: str, part: str) -> tuple[Tensor, Tensor]:
    """Values and labels, with the channel axis that a convolution wants."""
    known = [name for name, spec in DATASETS.items() if _constant(spec)]
    if data not in known:
        raise ArgumentError("--data", got=data, expected="one of " + ", ".join(known))
    splits = DATASETS[data].model_validate({"encoding": "constant", "time": 1}).load()
    held: Samples = getattr(splits, part)
    assert isinstance(held.inputs, Tensor) and isinstance(held.targets, Tensor)
    x = held.inputs[:, 0]
    first = next((m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)), None)
    return (x.unsqueeze(1) if isinstance(first, nn.Conv2d) and x.dim() == 3 else x), held.targets


def _constant(spec: type[Any]) -> bool:
    field = spec.model_fields.get("encoding")
    return field is not None and "constant" in getattr(field.annotation, "__args__", ())


def fit(net: nn.Module, samples: tuple[Tensor, Tensor], data: str) -> None:
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


def batches(samples: tuple[Tensor, Tensor], count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The first `count` samples, some at a time."""
    return zip(*(part[:count].split(BATCH) for part in samples), strict=True)


def accuracy(net: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> float:
    """The share of samples that the network classifies right."""
    with torch.no_grad():
        right = sum(int((net(x).argmax(1) == y).sum()) for x, y in batches)
    return right / sum(len(y) for _, y in batches)


def save(net: nn.Module, path: Path) -> None:
    """Write the weights of a network."""
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    atomic_write(path, buffer.getvalue())
