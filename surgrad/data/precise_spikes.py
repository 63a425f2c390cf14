"""Spike patterns to answer with spikes at precise times, random ones or a picture's."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import checks, poisson
from surgrad.data.pictures import Picture, draw
from surgrad.data.spec import About, Count, DataSpec, NotNegative, Positive
from surgrad.errors import ArgumentError, FormatError
from surgrad.events import SpikeTrain


def spaced_spikes(
    count: int,
    *,
    batch: int,
    units: int,
    time: int,
    generator: torch.Generator,
    gap: int = 1,
    lead: int = 0,
) -> SpikeTrain:
    """So many spikes a unit, uniform among all ways to place them with a least distance.

    Args:
        count: spikes of each unit.
        batch: samples.
        units: units.
        time: the number of steps.
        generator: draws the steps.
        gap: the least distance of two spikes of a unit, in steps.
        lead: steps at the beginning without spikes.

    Raises:
        ArgumentError: if they do not fit, or a number is not positive.

    Example:
        >>> seed = torch.Generator().manual_seed(0)
        >>> train = spaced_spikes(3, batch=1, units=1, time=20, gap=5, generator=seed)
        >>> bool((train.events()[0].diff() >= 5).all())
        True
    """
    checks.positive(count=count, batch=batch, units=units, time=time, gap=gap)
    free = time - lead - (count - 1) * (gap - 1)
    if free < count or lead < 0:
        raise ArgumentError(
            "target spikes",
            got=f"{count} spikes {gap} steps apart after {lead} steps",
            expected=f"what fits into {time} steps",
            fix="fewer spikes, a smaller gap or a longer sample",
        )
    # a sorted choice without replacement, then every spike moved on by the gaps before it
    order = torch.rand(batch * units, free, generator=generator).argsort(1)[:, :count]
    steps = lead + order.sort(1).values + torch.arange(count) * (gap - 1)
    owner = torch.arange(batch * units).repeat_interleave(count)
    return SpikeTrain.from_events(
        steps.flatten(), owner % units, owner // units, time=time, features=(units,), batch=batch
    )


def picture_spikes(picture: Tensor, *, units: int, time: int, gap: int = 1) -> SpikeTrain:
    """One spike pattern whose raster shows a picture: units upwards, time to the right.

    Args:
        picture: ink in [0, 1], `(rows, columns)`, its first row on top; a pixel above 1/2 fires.
        units: units; the picture's rows are stretched over them.
        time: steps; its columns are stretched over them.
        gap: the least distance of two spikes of a unit, in steps.

    Raises:
        ShapeError: if the picture has no rows and columns.
        ArgumentError: if its values are not in [0, 1] or it is blank.

    Example:
        >>> picture = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> picture_spikes(picture, units=2, time=4, gap=2).to_dense()[:, 0].T
        tensor([[1., 0., 0., 0.],
                [0., 0., 1., 0.]])
    """
    checks.positive(units=units, time=time, gap=gap)
    ink = checks.values(picture, "picture", axes="(rows, columns)", rank=2, low=0.0, high=1.0)
    rows = (torch.arange(units - 1, -1, -1) + 0.5) * ink.shape[0] / units
    columns = (torch.arange(time) + 0.5) * ink.shape[1] / time
    inked = ink[rows.long()][:, columns.long()] > 0.5
    if not inked.any():
        raise ArgumentError("picture", got="no pixel above 1/2", expected="some ink")
    spikes = torch.zeros(time, 1, units)
    ready = torch.zeros(units, dtype=torch.long)
    for step in range(time):
        fires = inked[:, step] & (ready <= step)
        spikes[step, 0] = fires.float()
        ready[fires] = step + gap
    return SpikeTrain.from_dense(spikes)


class PreciseSpikes(DataSpec, frozen=True):
    """Answer Poisson patterns with spikes at given times; the targets are spike trains.

    Args:
        patterns: the number of input patterns, each with targets of its own.
        units: input units.
        rate: of each input unit, in Hz.
        outputs: output units.
        spikes: random target spikes of each output.
        gap: the least distance of two target spikes of a unit, in seconds.
        lead: the time before the first random target spike, in seconds.
        picture: draw the targets of one pattern from a picture instead: `heart`, `rings`,
            `spiral`, or a `.npy` file with ink in [0, 1], `(rows, columns)`.
        time: the number of steps.
        dt: the width of a step in seconds.

    Example:
        >>> spikes, targets = PreciseSpikes(outputs=2).load().train[0]
        >>> targets
        SpikeTrain(shape=(500, 1, 2), spikes=10)

    References:
        F. Zenke, S. Ganguli, Neural Computation 30 (2018): one unit and five target spikes; a
        picture as the raster of many units.
    """

    ABOUT: ClassVar[About] = About(
        summary="Poisson patterns to answer with spikes at precise times",
        source="after F. Zenke, S. Ganguli (2018), generated",
        licence="generated",
        size="1 pattern, 100 inputs, 1 output of 5 spikes",
        files=False,
    )

    kind: Literal["precise_spikes"] = "precise_spikes"
    patterns: Count = 1
    units: Count = 100
    rate: Positive = 10.0
    outputs: Count = 1
    spikes: Count = 5
    gap: Positive = 20e-3
    lead: NotNegative = 20e-3
    picture: Picture | Path | None = None
    time: Count = 500
    dt: Positive = 1e-3

    @model_validator(mode="after")
    def _one_picture(self) -> PreciseSpikes:
        if self.picture is not None and self.patterns != 1:
            raise ArgumentError(
                "patterns", got=self.patterns, expected="1 where the targets are a picture"
            )
        return self

    def load(self) -> Splits:
        """The same samples three times: the task is to reproduce the targets."""
        generator = torch.Generator().manual_seed(self.split_seed)
        rates = torch.full((self.patterns, self.units), self.rate)
        inputs = poisson(rates, time=self.time, dt=self.dt, generator=generator)
        samples = Samples(inputs, self._targets(generator))
        info = self.info(
            features=(self.units,),
            time=self.time,
            dt=self.dt,
            target="spikes",
            outputs=self.outputs,
            note="train, validation and test are the same samples",
        )
        train = samples if self.limit is None else samples.subset(range(len(samples))[: self.limit])
        return Splits(train, train, train, info)

    def _targets(self, generator: torch.Generator) -> SpikeTrain:
        gap = max(1, round(self.gap / self.dt))
        if self.picture is not None:
            picture = _read(self.picture) if isinstance(self.picture, Path) else draw(self.picture)
            return picture_spikes(picture, units=self.outputs, time=self.time, gap=gap)
        return spaced_spikes(
            self.spikes,
            batch=self.patterns,
            units=self.outputs,
            time=self.time,
            generator=generator,
            gap=gap,
            lead=round(self.lead / self.dt),
        )


def _read(path: Path) -> Tensor:
    try:
        return torch.from_numpy(np.load(path.expanduser(), allow_pickle=False)).double()
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise FormatError(
            f"picture {path}",
            got=str(error),
            expected="heart, rings, spiral, or a .npy file of ink in [0, 1]",
        ) from error
