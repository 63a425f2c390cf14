"""From the event times of many samples to one spike train, in pieces that bound the memory."""

from __future__ import annotations

import numpy as np
import torch

from surgrad.events import SpikeTrain

PIECE = 2_000_000


def bin_samples(
    times: np.ndarray,
    units: np.ndarray,
    offsets: np.ndarray,
    *,
    unit_seconds: float,
    dt: float,
    time: int,
    features: tuple[int, ...],
) -> SpikeTrain:
    """Bin flat events: sample `i` has those in `[offsets[i], offsets[i + 1])`.

    Args:
        times: in any unit, zero or more, in any order within a sample; later ones than the last
            step are dropped.
        units: indices into the flattened features.
        offsets: int64 `(samples + 1,)`.
        unit_seconds: the unit of `times` in seconds.
        dt: the width of a step in seconds.
        time: the number of steps.
        features: the shape of the units.

    Raises:
        EventError: if a time is negative or not finite, or a unit out of range.
    """
    pieces = []
    for first, last in _pieces(offsets):
        begin, end = int(offsets[first]), int(offsets[last])
        samples = np.repeat(np.arange(last - first), np.diff(offsets[first : last + 1]))
        pieces.append(
            SpikeTrain.from_times(
                torch.from_numpy(times[begin:end].astype(np.float64) * unit_seconds),
                torch.from_numpy(units[begin:end].astype(np.int64)),
                torch.from_numpy(samples),
                dt=dt,
                time=time,
                features=features,
                batch=last - first,
            )
        )
    return SpikeTrain.cat(pieces)


def _pieces(offsets: np.ndarray) -> list[tuple[int, int]]:
    """Runs of samples with some millions of events, one sample at least."""
    count = len(offsets) - 1
    runs, first = [], 0
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + PIECE, side="right")) - 1
        last = min(max(last, first + 1), count)
        runs.append((first, last))
        first = last
    return runs
