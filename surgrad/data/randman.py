"""Randman: smooth random manifolds in spike-time space, one a class."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import model_validator
from torch import Tensor

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import at_times, checks
from surgrad.data.spec import About, Count, DataSpec, Positive
from surgrad.data.splits import stratified_split
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain

PRECISION = 1e-3
MAX_TERMS = 1000


class Manifold:
    r"""A smooth random map from the unit cube of a few dimensions to many.

    .. math:: f_i(x) = \prod_{d=1}^{D} \sum_{k=0}^{K-1}
        s_k\, \theta_{idk0} \sin\left(2\pi (k\, x_d\, \theta_{idk1} + \theta_{idk2})\right),
        \qquad s_k = (k+1)^{-\alpha}

    with all :math:`\theta` uniform in [0, 1) and as many terms as the amplitudes above 1/1000
    need, 1000 at most. The larger `alpha`, the smoother the manifold.

    Args:
        embedding: the dimensions of the space around it.
        dim: the manifold's own, D.
        alpha: the decay of the amplitudes.
        generator: draws the parameters.

    Raises:
        ArgumentError: if a size is not positive or `alpha` is negative.

    Example:
        >>> manifold = Manifold(3, 1, alpha=2.0, generator=torch.Generator().manual_seed(0))
        >>> manifold(torch.rand(5, 1)).shape
        torch.Size([5, 3])

    References:
        F. Zenke, T. P. Vogels, Neural Computation 33 (2021), section 4.1.
    """

    def __init__(
        self, embedding: int, dim: int, *, alpha: float, generator: torch.Generator
    ) -> None:
        checks.positive(embedding=embedding, dim=dim)
        checks.not_negative(alpha=alpha)
        terms = MAX_TERMS
        if alpha > math.log(1 / PRECISION) / math.log(MAX_TERMS):
            terms = math.ceil(PRECISION ** (-1 / alpha) - 1e-9)
        self.spectrum = torch.arange(1, terms + 1, dtype=torch.float64) ** -alpha
        self.parameters = torch.rand(
            3, embedding, dim, terms, dtype=torch.float64, generator=generator
        )

    def __call__(self, x: Tensor) -> Tensor:
        """The images of points `(samples, D)`, float64 `(samples, embedding)`."""
        amplitude, frequency, phase = self.parameters
        amplitude = amplitude * self.spectrum
        frequency = 2 * math.pi * frequency * torch.arange(len(self.spectrum))
        columns = [
            # sample × dimension × term, one unit at a time to bound the memory
            (a * torch.sin(x.double().unsqueeze(-1) * w + 2 * math.pi * p)).sum(-1).prod(-1)
            for a, w, p in zip(amplitude, frequency, phase, strict=True)
        ]
        return torch.stack(columns, dim=1)


class Randman(DataSpec, frozen=True):
    """Classes that are random manifolds: the spike times of the units are its coordinates.

    Each coordinate is scaled so that a class fills `[0, spread · time · dt]`.

    Args:
        classes: the number of manifolds.
        units: the number of input units.
        dim: the dimensions of a manifold.
        alpha: its smoothness, see `Manifold`.
        spikes: spikes a unit fires; each is a dimension of the embedding of its own.
        samples: samples of each class; 80, 10 and 10 % train, validate and test.
        time: the number of steps.
        dt: the width of a step in seconds.
        spread: the part of the sample within which the units fire.

    Example:
        >>> splits = Randman(classes=2, samples=20).load()
        >>> len(splits.train), splits.train[0][0]
        (32, SpikeTrain(shape=(100, 1, 20), spikes=20))

    References:
        F. Zenke, T. P. Vogels, Neural Computation 33 (2021), section 4.1. The defaults are those
        of the authors' later examples. The range of a coordinate is that of all samples of a
        class, those for validation and test included.
    """

    ABOUT: ClassVar[About] = About(
        summary="spike times on smooth random manifolds",
        source="F. Zenke, T. P. Vogels (2021), generated",
        licence="generated",
        size="8000 + 1000 + 1000 samples, 10 classes, 20 units",
        files=False,
    )

    kind: Literal["randman"] = "randman"
    classes: Count = 10
    units: Count = 20
    dim: Count = 1
    alpha: Positive = 1.0
    spikes: Count = 1
    samples: Count = 1000
    time: Count = 100
    dt: Positive = 2e-3
    spread: Positive = 0.5

    @model_validator(mode="after")
    def _sizes(self) -> Randman:
        if self.spread > 1:
            raise ArgumentError("spread", got=self.spread, expected="a part of the sample, up to 1")
        if self.samples < 10:
            raise ArgumentError("samples of a class", got=self.samples, expected="10 or more")
        return self

    def load(self) -> Splits:
        """Manifolds, points on them and the split, all drawn with `split_seed`."""
        generator = torch.Generator().manual_seed(self.split_seed)
        places = torch.cat([self._times(generator) for _ in range(self.classes)])
        # the last moment of the window belongs to the last step, not the one after it
        window = self.spread * self.time * self.dt * (1 - 1e-4)
        train = self._encode(window * places)
        labels = torch.arange(self.classes).repeat_interleave(self.samples)
        order = torch.randperm(len(labels), generator=generator)
        samples, labels = Samples(train, labels).subset(order), labels[order]
        parts = [
            samples.subset(part)
            for part in stratified_split(labels, (0.8, 0.1, 0.1), self.split_seed)
        ]
        info = self.info(
            features=(self.units,),
            time=self.time,
            dt=self.dt,
            classes=self.classes,
        )
        return self.splits(parts, info)

    def _encode(self, times: Tensor) -> SpikeTrain:
        step, unit, sample = at_times(
            times, torch.ones_like(times).bool(), time=self.time, dt=self.dt
        ).events()
        return SpikeTrain.from_events(
            step,
            unit // self.spikes,
            sample,
            time=self.time,
            features=(self.units,),
            batch=len(times),
        )

    def _times(self, generator: torch.Generator) -> Tensor:
        """One class: `(samples, units * spikes)` in [0, 1]."""
        manifold = Manifold(
            self.units * self.spikes, self.dim, alpha=self.alpha, generator=generator
        )
        images = manifold(torch.rand(self.samples, self.dim, generator=generator))
        low, high = images.min(0).values, images.max(0).values
        return (images - low) / (high - low).clamp(min=1e-12)
