"""From sound to spikes: a filter bank, compression, and hair cells that fire."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel, Field, model_validator
from torch import Tensor

from surgrad.data.encoders import checks
from surgrad.data.encoders.filterbank import (
    Scale,
    band_passes,
    centre_frequencies,
    compress,
    envelopes,
)
from surgrad.data.encoders.hair import integrate_and_fire, onsets
from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain

Clips: TypeAlias = "Sequence[np.ndarray | Tensor] | np.ndarray | Tensor"
_Positive: TypeAlias = Annotated[float, Field(gt=0)]

FRAME = 1e-3
CHUNK = 2**19


class Ear(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How an ear hears; all times in seconds, frequencies in Hz.

    Args:
        channels: band-pass filters.
        low: the centre of the lowest filter.
        high: the centre of the highest; 85 % of half the sample rate if left out.
        scale: along which the centres are evenly spaced, `erb` or `mel`.
        bandwidth: of a filter, in equivalent rectangular bandwidths.
        pre_emphasis: `a` of the first filter `x[n] - a x[n-1]`, which raises high frequencies.
        normalise: whether every clip is scaled to a root mean square of 1 first. This looks at
            the whole clip; without it the sound is taken as it is.
        smoothing: the time constant of the envelope's low-pass filter.
        floor: the envelope below which compression becomes linear; levels are 0 for silence and
            1 for an envelope of 1.
        thresholds: the levels of a channel's hair cells, one cell each: intensity is coded by
            which of them fire, and how fast.
        cells: `lif`, leaky integrate-and-fire of the level, or `onset`, one spike where the
            level rises through the threshold.
        tau: the time constant of the `lif` cells.
        refractory: how long they rest after a spike.

    Example:
        >>> Ear(channels=32).thresholds
        (0.25, 0.5, 0.75)
    """

    channels: Annotated[int, Field(ge=1)] = 64
    low: _Positive = 100.0
    high: _Positive | None = None
    scale: Scale = "erb"
    bandwidth: _Positive = 1.0
    pre_emphasis: Annotated[float, Field(ge=0, lt=1)] = 0.95
    normalise: bool = True
    smoothing: _Positive = 10e-3
    floor: _Positive = 0.01
    thresholds: tuple[_Positive, ...] = (0.25, 0.5, 0.75)
    cells: Literal["lif", "onset"] = "lif"
    tau: _Positive = 10e-3
    refractory: Annotated[float, Field(ge=0)] = 5e-3

    @model_validator(mode="after")
    def _ascending(self) -> Ear:
        if not self.thresholds or list(self.thresholds) != sorted(set(self.thresholds)):
            raise ArgumentError(
                "thresholds", got=self.thresholds, expected="one or more levels, ascending"
            )
        return self


def cochlea(
    clips: Clips, *, fs: float, dt: float, ear: Ear | None = None, time: int | None = None
) -> SpikeTrain:
    r"""Spikes of a simple cochlea, one unit a channel and threshold.

    A bank of fourth-order Butterworth band-pass filters; half-wave rectification and a one-pole
    low-pass filter give the envelope :math:`E` of each band, and compression its level

    .. math:: \ell = \frac{\log(1 + E / E_0)}{\log(1 + 1 / E_0)},

    which drives hair cells with thresholds :math:`\theta_k`: :math:`\tau \dot u = -u + \ell`, a
    spike and a reset to zero where :math:`u \ge \theta_k`. Levels are computed in frames of 1 ms
    (or `dt`, if that is shorter). Every clip is heard on its own, whatever its batch.

    Args:
        clips: sounds of any lengths, each `(samples,)`; integers or floats.
        fs: the sample rate in Hz.
        dt: the width of a step in seconds; a cell may fire several times in a long one.
        ear: the options; the defaults of `Ear` if left out.
        time: the number of steps; those of the longest clip if left out. Longer clips are cut.

    Returns:
        Spikes of shape `(time, clips, channels, thresholds)`, with the length of each clip.

    Raises:
        ShapeError: if a clip is not one row of samples or is empty.
        ArgumentError: if a sample is not finite, or a pass band is above half the sample rate.

    Example:
        >>> t = np.arange(4000) / 8000
        >>> train = cochlea([np.sin(2 * np.pi * 1000 * t)], fs=8000, dt=1e-3)
        >>> train.shape, int(train.counts()[0].sum(1).argmax())
        ((500, 1, 64, 3), 34)
    """
    checks.positive(fs=fs, dt=dt)
    ear = Ear() if ear is None else ear
    sounds = [_sound(clip, index) for index, clip in enumerate(clips)]
    if not sounds:
        raise ShapeError("clips", got="none", expected="at least one")
    seconds = np.array([len(sound) for sound in sounds]) / fs
    lengths = np.ceil(seconds / dt - 1e-6).astype(np.int64)
    time = int(lengths.max()) if time is None else time
    checks.positive(time=time)
    hop = max(1, int(min(dt, FRAME) * fs + 1e-6))
    frames, units, samples = _hear(sounds, ear, fs, hop)
    return SpikeTrain.from_times(
        torch.from_numpy(frames * (hop / fs)),
        torch.from_numpy(units),
        torch.from_numpy(samples),
        dt=dt,
        time=time,
        features=(ear.channels, len(ear.thresholds)),
        batch=len(sounds),
        lengths=torch.from_numpy(lengths.clip(max=time)),
    )


def _hear(sounds: list[np.ndarray], ear: Ear, fs: float, hop: int) -> tuple[np.ndarray, ...]:
    """The frame, unit and clip of every spike."""
    high = 0.425 * fs if ear.high is None else ear.high
    centres = centre_frequencies(ear.channels, ear.low, high, ear.scale)
    sections = band_passes(centres, fs, ear.bandwidth)
    decay = math.exp(-hop / (fs * ear.smoothing))
    thresholds = np.array(ear.thresholds, dtype=np.float32)
    found: list[tuple[np.ndarray, ...]] = []
    for members, audio, valid in _chunks(sounds, ear, hop):
        level = compress(envelopes(audio, sections, hop=hop, decay=decay), floor=ear.floor)
        if ear.cells == "onset":
            frame, clip, unit = onsets(level, thresholds)
        else:
            rest = round(ear.refractory * fs / hop)
            keep = math.exp(-hop / (fs * ear.tau))
            frame, clip, unit = integrate_and_fire(level, thresholds, keep=keep, rest=rest)
        inside = frame < valid[clip]
        found.append((frame[inside], unit[inside], members[clip[inside]]))
    frame, unit, clip = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return frame, unit, clip


def _chunks(
    sounds: list[np.ndarray], ear: Ear, hop: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Clips of similar length side by side: their indices, samples and frames."""
    sizes = np.array([len(sound) for sound in sounds])
    order = np.argsort(sizes, kind="stable")
    while len(order):
        # from the longest down, so that the first of a chunk says how long it is
        width = -(-int(sizes[order[-1]]) // hop) * hop
        members = order[-max(1, CHUNK // width) :]
        order = order[: -len(members)]
        audio = np.zeros((len(members), width))
        for row, member in zip(audio, members, strict=True):
            row[: sizes[member]] = _prepare(sounds[member], ear)
        yield members, audio, -(-sizes[members] // hop)


def _prepare(sound: np.ndarray, ear: Ear) -> np.ndarray:
    sound = sound.astype(np.float64)
    sound[1:] -= ear.pre_emphasis * sound[:-1]
    power = np.mean(sound**2)
    return sound / np.sqrt(power) if ear.normalise and power > 0 else sound


def _sound(clip: np.ndarray | Tensor, index: int) -> np.ndarray:
    sound = clip.detach().cpu().numpy() if isinstance(clip, Tensor) else np.asarray(clip)
    if sound.ndim != 1 or not sound.size:
        raise ShapeError(
            f"clip {index}",
            got=f"shape {sound.shape}",
            expected="(samples,), one channel and at least one sample",
            fix="average the channels of stereo sound",
        )
    if sound.dtype.kind not in "iuf" or not np.isfinite(sound).all():
        raise ArgumentError(f"clip {index}", got=f"{sound.dtype}", expected="finite numbers")
    return sound
