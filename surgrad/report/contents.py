"""What a report shows beside the numbers of the run: plain arrays, saved as `examples.npz`."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from surgrad.errors import FormatError
from surgrad.files import atomic_write

Array = np.ndarray
_DAMAGE = (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Layer:
    """The activity of one spiking layer over the batch.

    Attributes:
        name: as the network calls it.
        rates: Hz, one a neuron.
        silent: the share of neurons that never fired.
        saturated: the share that fired in nine of ten steps or more.
        edges: of the histogram of `U - ϑ`, `(bins + 1,)`; the outermost bins hold the tails.
        counts: neurons × steps in each bin.
        surrogate: name and scale of the surrogate derivative, empty where there is none.
        curve: `v` and `h(v)`, `(2, points)`.
        level: the fraction of its peak above which `h` is said to pass a gradient on.
        inside: the share of neurons × steps where it does.
    """

    name: str
    rates: Array
    silent: float
    saturated: float
    edges: Array
    counts: Array
    surrogate: str
    curve: Array
    level: float
    inside: float


@dataclass(frozen=True)
class Constants:
    """A learnable or heterogeneous parameter before and after training, in SI units."""

    layer: str
    name: str
    learnt: bool
    initial: Array
    final: Array


@dataclass(frozen=True)
class Trace:
    """The spikes of a layer in one example, and the potentials of a few of its neurons.

    Attributes:
        layer: its name.
        size: the number of its neurons.
        events: step and neuron of each spike, int `(spikes, 2)`.
        neurons: those whose potential is kept, `(k,)`.
        potentials: `(time, k)`.
        thresholds: `(k,)`.
    """

    layer: str
    size: int
    events: Array
    neurons: Array
    potentials: Array
    thresholds: Array


@dataclass(frozen=True)
class Example:
    """One test example.

    Attributes:
        index: its place in the test batch.
        group: "right" or "wrong", "best" or "worst", "low loss" or "high loss".
        score: the share of steps that are right, or the loss.
        size: the number of input units.
        input: events (int, `(spikes, 2)`: step, unit) or values (float, `(time, units)`).
        hidden: the first few hidden layers.
        output: the read-out, `(time, K)`.
        target: a class `()`, classes `(time,)`, values `(time, K)` or events `(spikes, 2)`.
        prediction: a class `()` or classes `(time,)`, else empty.
    """

    index: int
    group: str
    score: float
    size: int
    input: Array
    hidden: list[Trace]
    output: Array
    target: Array
    prediction: Array


@dataclass(frozen=True)
class Evidence:
    """What a network did on one test batch.

    Attributes:
        dt: seconds a step.
        target: "class", "step_class", "values" or "spikes".
        labels: the names of the classes.
        spiking_output: whether the read-out spikes.
        samples: the size of the batch.
        layers: all spiking layers.
        constants: learnable and heterogeneous parameters of all layers.
        examples: at most four.
        versions: python, torch, surgrad, …, platform and device.
    """

    dt: float
    target: str
    labels: list[str]
    spiking_output: bool
    samples: int
    layers: list[Layer]
    constants: list[Constants]
    examples: list[Example]
    versions: dict[str, str]

    def save(self, path: Path) -> None:
        """Write an `.npz` of arrays named by their place, and a JSON outline of the rest."""
        arrays: dict[str, Array] = {}
        outline = json.dumps(_pack(asdict(self), "", arrays))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, outline=np.array(outline), **arrays)
        atomic_write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read what `save` wrote.

        Raises:
            FormatError: if it is something else.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                raw = json.loads(str(file["outline"]), object_hook=lambda node: _unpack(node, file))
            raw["layers"] = [Layer(**layer) for layer in raw["layers"]]
            raw["constants"] = [Constants(**constants) for constants in raw["constants"]]
            for example in raw["examples"]:
                example["hidden"] = [Trace(**trace) for trace in example["hidden"]]
            raw["examples"] = [Example(**example) for example in raw["examples"]]
            return cls(**{item.name: raw[item.name] for item in fields(cls)})
        except _DAMAGE as error:
            raise FormatError(
                str(path),
                got=f"{type(error).__name__} while reading it",
                expected="the examples of a run",
                fix="delete it; `surgrad report` makes it anew from the weights",
            ) from error


def _pack(node: Any, place: str, arrays: dict[str, Array]) -> Any:
    if isinstance(node, np.ndarray):
        arrays[place] = node
        return {"array": place}
    if isinstance(node, dict):
        return {key: _pack(item, f"{place}.{key}".strip("."), arrays) for key, item in node.items()}
    if isinstance(node, list):
        return [_pack(item, f"{place}.{index}", arrays) for index, item in enumerate(node)]
    return node


def _unpack(node: dict[str, Any], file: Any) -> Any:
    return file[node["array"]] if node.keys() == {"array"} else node
