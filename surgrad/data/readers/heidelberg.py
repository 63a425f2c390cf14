"""The Heidelberg spiking data sets SHD and SSC: spoken words through a model of the cochlea."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surgrad.data.readers.binning import bin_samples
from surgrad.data.readers.files import AGAIN, check_range
from surgrad.errors import EventError, FormatError
from surgrad.events import SpikeTrain
from surgrad.extras import need

CHANNELS = 700
PIECE = 512


@dataclass(frozen=True)
class Heidelberg:
    """One file of SHD or SSC.

    Attributes:
        spikes: `(time, samples, channels)`.
        labels: the class of each sample, int64.
        speakers: the speaker of each sample, int64, or None where the file does not say.
        keys: the names of the classes, empty where the file does not say.
    """

    spikes: SpikeTrain
    labels: Tensor
    speakers: Tensor | None
    keys: tuple[str, ...]


def read_heidelberg(path: Path, *, dt: float, time: int, classes: int, pool: int = 1) -> Heidelberg:
    """Spikes, labels and speakers from an `.h5` file.

    The groups are `spikes/times` (seconds, float16 or float32, one ragged row a sample),
    `spikes/units`, `labels`, and perhaps `extra/speaker` and `extra/keys`. Within a sample the
    order of the spikes is free.

    Args:
        path: the file.
        dt: the width of a step in seconds.
        time: the number of steps; later spikes are dropped.
        classes: the number of classes.
        pool: this many neighbouring channels share a unit; a divisor of 700.

    Raises:
        FormatError: if the file is missing, damaged, or lacks a part.
        EventError: if a time is negative or not finite, or a unit is not one of the 700.

    References:
        B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, IEEE TNNLS 33 (2022), arXiv 1910.07407.
    """
    if not path.is_file():
        raise FormatError(f"file {path}", got="no such file")
    h5py = need("h5py", extra="data")
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file, dt=dt, time=time, classes=classes, pool=pool)
    except (OSError, RuntimeError) as error:
        raise FormatError(
            f"file {path}", got=str(error), expected="a whole HDF5 file", fix=AGAIN
        ) from error


def _read(path: Path, file: Any, *, dt: float, time: int, classes: int, pool: int) -> Heidelberg:
    times, units, labels = (
        _part(path, file, name) for name in ("spikes/times", "spikes/units", "labels")
    )
    if not len(times) == len(units) == len(labels) or not len(labels):
        raise FormatError(
            f"file {path}",
            got=f"{len(times)} rows of times, {len(units)} of units, {len(labels)} labels",
            expected="as many of each, and at least one",
            fix=AGAIN,
        )
    pieces = []
    for start in range(0, len(labels), PIECE):
        stop = min(start + PIECE, len(labels))
        seconds, channels, offsets = _events(path, times[start:stop], units[start:stop], start)
        pieces.append(
            bin_samples(
                seconds,
                channels // pool,
                offsets,
                unit_seconds=1.0,
                dt=dt,
                time=time,
                features=(CHANNELS // pool,),
            )
        )
    speakers = file.get("extra/speaker")
    keys = file.get("extra/keys")
    if speakers is not None and len(speakers) != len(labels):
        raise FormatError(
            f"extra/speaker of {path}", got=f"{len(speakers)} entries", expected=len(labels)
        )
    return Heidelberg(
        SpikeTrain.cat(pieces),
        torch.from_numpy(check_range(path, "labels", _whole(path, "labels", labels), 0, classes)),
        None
        if speakers is None
        else torch.from_numpy(_whole(path, "extra/speaker", speakers).astype(np.int64)),
        () if keys is None else tuple(k.decode() if isinstance(k, bytes) else str(k) for k in keys),
    )


def _part(path: Path, file: Any, name: str) -> Any:
    part = file.get(name)
    if part is None or not hasattr(part, "shape") or len(part.shape) != 1:
        raise FormatError(
            f"file {path}",
            got=f"no list {name}",
            expected="spikes/times, spikes/units and labels",
            fix="this is no file of SHD or SSC: check the name, or fetch it again",
        )
    return part


def _whole(path: Path, name: str, part: Any) -> np.ndarray:
    values = np.asarray(part[:])
    if values.dtype.kind not in "iu":
        raise FormatError(f"{name} of {path}", got=values.dtype, expected="whole numbers")
    return values


def _events(
    path: Path, times: np.ndarray, units: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat times in seconds, channels and offsets of some samples."""
    sizes = np.array([len(row) for row in times])
    wrong = np.flatnonzero(sizes != [len(row) for row in units])
    if wrong.size:
        raise FormatError(
            f"spikes of {path}",
            got=f"{sizes[wrong[0]]} times and {len(units[wrong[0]])} units "
            f"in sample {first + wrong[0]}",
            expected="one unit a time",
            fix=AGAIN,
        )
    seconds = np.concatenate(list(times)).astype(np.float64)
    channels = np.concatenate(list(units))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    if channels.size and channels.dtype.kind not in "iu":
        raise FormatError(f"spikes/units of {path}", got=channels.dtype, expected="whole numbers")
    bad = ~np.isfinite(seconds) | (seconds < 0) | (channels < 0) | (channels >= CHANNELS)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        sample = first + int(np.searchsorted(offsets, at, side="right")) - 1
        raise EventError(
            f"spikes of {path}",
            got=f"unit {channels[at]} at {seconds[at]} s in sample {sample}",
            expected=f"finite seconds of 0 or more and units in [0, {CHANNELS})",
            fix=AGAIN,
        )
    return seconds, channels.astype(np.int64), offsets
