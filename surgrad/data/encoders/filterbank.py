"""A bank of band-pass filters as along the basilar membrane, and its envelopes."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np

from surgrad.errors import ArgumentError
from surgrad.extras import need

Scale: TypeAlias = Literal["erb", "mel"]


def centre_frequencies(channels: int, low: float, high: float, scale: Scale = "erb") -> np.ndarray:
    r"""Frequencies evenly spaced on a scale of hearing, in Hz, ascending.

    .. math:: E(f) = 21.4 \log_{10}(1 + 0.00437 f), \qquad M(f) = 2595 \log_{10}(1 + f / 700)

    Args:
        channels: how many.
        low: the first, in Hz.
        high: the last, in Hz.
        scale: `erb`, equivalent rectangular bandwidths E, or `mel`, pitch M.

    Raises:
        ArgumentError: if there is no channel, or not 0 < low < high.

    Example:
        >>> centre_frequencies(3, 100.0, 1000.0).round().tolist()
        [100.0, 407.0, 1000.0]

    References:
        B. Glasberg, B. Moore, Hearing Research 47 (1990), eq. 4; D. O'Shaughnessy, Speech
        Communication (1987).
    """
    if channels < 1 or not 0 < low < high:
        raise ArgumentError(
            "filter bank",
            got=f"{channels} channels from {low:g} to {high:g} Hz",
            expected="1 or more, 0 < low < high",
        )
    corner = 1 / 0.00437 if scale == "erb" else 700.0
    ends = (math.log1p(low / corner), math.log1p(high / corner))
    return corner * np.expm1(np.linspace(*ends, channels))


def bandwidths(centres: np.ndarray) -> np.ndarray:
    r"""Equivalent rectangular bandwidths, :math:`24.7 (1 + 0.00437 f)`, in Hz.

    Example:
        >>> bandwidths(np.array([1000.0])).round(1).tolist()
        [132.6]

    References:
        B. Glasberg, B. Moore, Hearing Research 47 (1990), eq. 3.
    """
    return 24.7 * (1 + 0.00437 * centres)


def band_passes(centres: np.ndarray, fs: float, width: float = 1.0) -> list[np.ndarray]:
    """Second-order sections of a Butterworth band-pass of fourth order for each centre.

    Args:
        centres: in Hz.
        fs: the sample rate in Hz.
        width: of a pass band, in equivalent rectangular bandwidths.

    Raises:
        ArgumentError: if a pass band does not lie between 0 and half the sample rate.
    """
    half = 0.5 * width * bandwidths(centres)
    # geometric about the centre, so that low bands do not reach 0 Hz
    ratio = np.sqrt(1 + (half / centres) ** 2) + half / centres
    if not (width > 0 and centres[-1] * ratio[-1] < fs / 2):
        raise ArgumentError(
            "filter bank",
            got=f"a band up to {centres[-1] * ratio[-1]:.0f} Hz at a sample rate of {fs:g} Hz",
            expected=f"bands below {fs / 2:g} Hz",
            fix="lower `high` or `bandwidth`",
        )
    signal = need("scipy.signal", extra="data")
    return [
        signal.butter(2, (centre / r, centre * r), btype="bandpass", fs=fs, output="sos")
        for centre, r in zip(centres, ratio, strict=True)
    ]


def envelopes(
    audio: np.ndarray, sections: list[np.ndarray], *, hop: int, decay: float
) -> np.ndarray:
    """What is left of each band after rectification and smoothing, at a lower rate.

    Args:
        audio: `(clips, samples)`, a multiple of `hop` samples.
        sections: one filter a channel.
        hop: samples in a frame, over which the half-wave rectified signal is averaged.
        decay: of the one-pole low-pass that follows, a frame.

    Returns:
        `(clips, channels, frames)`, zero or more.
    """
    signal = need("scipy.signal", extra="data")
    clips, samples = audio.shape
    out = np.empty((clips, len(sections), samples // hop), dtype=audio.dtype)
    for channel, section in enumerate(sections):
        band = signal.sosfilt(section.astype(audio.dtype), audio)
        np.maximum(band, 0, out=band)
        out[:, channel] = band.reshape(clips, -1, hop).mean(-1)
    return signal.lfilter(
        np.array([1 - decay], audio.dtype), np.array([1, -decay], audio.dtype), out
    )


def compress(envelope: np.ndarray, *, floor: float) -> np.ndarray:
    r"""The compressed envelope, :math:`\log(1 + E / E_0) / \log(1 + 1 / E_0)`, in place.

    Example:
        >>> compress(np.array([0.0, 0.1, 1.0]), floor=0.01).round(2).tolist()
        [0.0, 0.52, 1.0]
    """
    envelope /= floor
    np.maximum(envelope, 0, out=envelope)
    np.log1p(envelope, out=envelope)
    envelope /= math.log1p(1 / floor)
    return envelope
