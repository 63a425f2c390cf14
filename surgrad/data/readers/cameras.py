"""Recordings of event cameras: where, when and in which direction the light changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgrad.data.readers.binning import bin_samples
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain


@dataclass(frozen=True)
class Recordings:
    """The events of many samples, one after another.

    Attributes:
        t: microseconds from the start of the sample, ascending within it.
        x: column of the pixel.
        y: row of the pixel.
        p: polarity, 0 or 1.
        offsets: int64 `(samples + 1,)`; sample `i` has the events `[offsets[i], offsets[i + 1])`.
        labels: the class of each sample, int64 `(samples,)`.
        size: the sensor's height and width.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.labels)


def bin_recordings(
    recordings: Recordings, *, dt: float, time: int, downsample: int = 1
) -> SpikeTrain:
    """The events as spikes of shape `(time, samples, 2, height, width)`, polarity first.

    Args:
        recordings: the events.
        dt: the width of a step in seconds.
        time: the number of steps; later events are dropped.
        downsample: this many rows and columns of pixels share a unit.

    Raises:
        ArgumentError: if `downsample` is not a whole number from 1 to the sensor's size.
        EventError: if an event lies outside the sensor.

    Example:
        >>> one = np.array([1])
        >>> two = Recordings(one * 2500, one, one * 0, one, np.array([0, 1]), one, (2, 2))
        >>> bin_recordings(two, dt=1e-3, time=5).events()[:2]
        (tensor([2]), tensor([5]))
    """
    height, width = recordings.size
    if not (isinstance(downsample, int) and 1 <= downsample <= min(height, width)):
        raise ArgumentError(
            "downsample", got=downsample, expected=f"a whole number from 1 to {min(height, width)}"
        )
    rows, columns = -(-height // downsample), -(-width // downsample)
    y = recordings.y.astype(np.int64) // downsample
    x = recordings.x.astype(np.int64) // downsample
    return bin_samples(
        recordings.t,
        (recordings.p.astype(np.int64) * rows + y) * columns + x,
        recordings.offsets,
        unit_seconds=1e-6,
        dt=dt,
        time=time,
        features=(2, rows, columns),
    )
