"""What is timed: networks, their input and their weights, the same numbers for every contender.

Nothing but NumPy is needed here, since this module is imported under the interpreter of each peer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

Array = np.ndarray
Kind = Literal["layers", "convolution", "neurons"]
Model = Literal["CuBa", "LIF"]

DT, TAU_MEM, TAU_SYN = 1e-3, 20e-3, 10e-3
ALPHA, BETA = math.exp(-DT / TAU_SYN), math.exp(-DT / TAU_MEM)
SEED = 2019
# of Adam
RATE = 1e-3
# how many thresholds the membrane would fluctuate by if it had none
FLUCTUATION = 4.0
# what the weights behind a hidden layer expect of it, in spikes per neuron and step
HIDDEN_DENSITY = 0.05
# of the variance of a recurrent layer's membrane, what its input brings
FEED_FORWARD_SHARE = 0.9
# of the triangular surrogate derivative, per threshold: it is zero beyond a fifth of it
TRIANGLE = 5.0
KERNEL, POOL, CHANNELS = 5, 2, (2, 16, 32)


@dataclass(frozen=True)
class Workload:
    """A network and its input.

    Attributes:
        name: "W1", …
        kind: fully connected layers, convolutions, or neurons without weights.
        sizes: the units from the input to the read-out.
        time: the number of steps.
        batch: the number of samples.
        density: spikes per input unit and step.
        recurrent: whether the hidden layer is connected to itself.
        once: whether each input spikes once, at a random step.
        features: the shape of the input units, if not `(sizes[0],)`.
    """

    name: str
    kind: Kind
    sizes: tuple[int, ...]
    time: int
    batch: int
    density: float
    recurrent: bool = False
    once: bool = False
    features: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input step of one sample."""
        return self.features or self.sizes[:1]

    @property
    def hidden(self) -> list[tuple[int, ...]]:
        """The shape of each hidden layer, channels first."""
        if self.kind != "convolution":
            return [(size,) for size in self.sizes[1:-1]]
        found, side = [], self.features[-1]
        for place, channels in enumerate(CHANNELS[1:]):
            side = (side // POOL if place else side) - KERNEL + 1
            found.append((channels, side, side))
        return found

    @property
    def title(self) -> str:
        """The network in a few characters."""
        if self.kind == "neurons":
            return f"{self.batch * self.sizes[0]} neurons without weights"
        if self.kind == "convolution":
            place = "×".join(map(str, self.features))
            layers = "-".join(f"{n}c{KERNEL}-pool{POOL}" for n in CHANNELS[1:])
            return f"{place} → {layers} → {self.sizes[-1]}"
        return "→".join(map(str, self.sizes)) + (", recurrent" if self.recurrent else "")

    def weights(self, model: Model) -> list[Array]:
        """The weights, post × pre, layer by layer; those of a recurrent layer onto itself last.

        Zero-mean, with a variance for which the membrane of the neuron at hand, with a threshold
        of 1, fluctuates by `FLUCTUATION`: no network is silent, and all spike about alike.
        """
        draw = np.random.default_rng(SEED + 1)
        shapes = list(zip(self.sizes[1:], self.sizes, strict=False))
        if self.kind == "convolution":
            pairs = zip(CHANNELS[1:], CHANNELS, strict=False)
            shapes = [*((*pair, KERNEL, KERNEL) for pair in pairs), shapes[-1]]
        share = FEED_FORWARD_SHARE if self.recurrent else 1.0
        found = []
        for layer, shape in enumerate(shapes):
            density = HIDDEN_DENSITY if layer else self.density
            found.append(_drawn(draw, shape, model, density, 1.0 if layer else share))
        if self.recurrent:
            square = (self.sizes[1], self.sizes[1])
            found.append(_drawn(draw, square, model, HIDDEN_DENSITY, 1 - share))
        return found


def _drawn(
    draw: np.random.Generator, shape: tuple[int, ...], model: Model, density: float, share: float
) -> Array:
    deviation = FLUCTUATION * math.sqrt(
        share / (math.prod(shape[1:]) * mean_square(model, density))
    )
    return (draw.standard_normal(shape) * deviation).astype(np.float32)


def mean_square(model: Model, density: float) -> float:
    """Of the membrane potential behind one unit weight whose input spikes by chance."""
    steps = np.arange(400)
    kernel = BETA**steps
    if model == "CuBa":
        kernel = np.convolve(kernel, ALPHA**steps)[: len(steps)]
    return float(density * (kernel**2).sum() + density**2 * kernel.sum() ** 2)


class Data:
    """The input of a workload, from a fixed seed.

    Attributes:
        indptr: int64 `(batch * time + 1,)`, where row `sample * time + step` begins in `units`.
        units: int32, the units that spike, in ascending order in each row.
        labels: int64 `(batch,)`.
    """

    def __init__(self, work: Workload) -> None:
        self.work = work
        draw = np.random.default_rng(SEED)
        self.labels = draw.integers(max(work.sizes[-1], 1), size=work.batch)
        inputs, rows = math.prod(work.shape), work.batch * work.time
        if work.kind == "neurons":
            sites = np.zeros(0, np.int64)
        elif work.once:
            steps = draw.integers(work.time, size=(work.batch, inputs))
            row = np.arange(work.batch)[:, None] * work.time + steps
            sites = np.sort((row * inputs + np.arange(inputs)).ravel())
        else:
            sites = _bernoulli(draw, work.density, rows * inputs)
        self.indptr = np.searchsorted(sites, np.arange(rows + 1) * inputs)
        self.units = (sites % inputs).astype(np.int32)

    def dense(self, dtype: type = np.float32) -> Array:
        """The spikes, `(time, batch, *features)`."""
        work = self.work
        found = np.zeros((work.time, work.batch, math.prod(work.shape)), dtype)
        row = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        found[row % work.time, row // work.time, self.units] = 1
        return found.reshape(work.time, work.batch, *work.shape)

    def current(self, model: Model) -> Array:
        """For neurons without weights: noise that makes their membranes fluctuate alike."""
        work = self.work
        kernel = mean_square(model, 1e-9) / 1e-9
        draw = np.random.default_rng(SEED)
        noise = draw.standard_normal((work.time, work.batch, *work.shape), np.float32)
        return noise * np.float32(FLUCTUATION / math.sqrt(kernel))

    @cached_property
    def checksum(self) -> str:
        """So that nobody is handed other numbers."""
        parts = (self.indptr, self.units, self.labels)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


def _bernoulli(draw: np.random.Generator, density: float, sites: int) -> Array:
    """The sites that spike, each by chance: the gaps between them are geometric."""
    found, last = [], -1
    while last < sites:
        found.append(last + np.cumsum(draw.geometric(density, size=1 << 20)))
        last = int(found[-1][-1])
    every = np.concatenate(found)
    return every[every < sites]


_LISTED = (
    Workload("W1", "layers", (700, 256, 20), 100, 256, 0.02),
    Workload("W2", "layers", (700, 256, 20), 100, 256, 0.02, recurrent=True),
    Workload("W3", "layers", (784, 100, 10), 100, 256, 0.01, once=True),
    Workload("W4", "layers", (700, 512, 512, 512, 20), 100, 128, 0.02),
    Workload("W5", "neurons", (1024,), 50, 1024, 1.0),
    Workload("W7", "convolution", (2312, 800, 10), 20, 32, 0.05, features=(2, 34, 34)),
)
WORKLOADS = {work.name: work for work in _LISTED}
LENGTHS = (100, 200, 400, 800, 1600)
MEMORY_LENGTHS = (100, 400, 1600)
RULE_LENGTHS = (100, 400, 1600, 6400)
# a data set of the size of SHD's training samples
SHD = Workload("SHD", "layers", (700, 128, 20), 100, 8156, 0.02)
BATCH = 256


def lengthened(name: str, lengths: tuple[int, ...]) -> Iterator[Workload]:
    """A workload at several numbers of steps."""
    for time in lengths:
        yield replace(WORKLOADS[name], name=f"{name} T={time}", time=time)
