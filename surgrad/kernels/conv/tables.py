"""Where units lie and what the kernel touches from there, looked up instead of divided out."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from surgrad.kernels.conv.geometry import Geometry

Array = np.ndarray
NOWHERE = -1


class Tables(NamedTuple):
    """Numbers for the kernels; int32.

    Attributes:
        units: of each unit its place behind the pooling, `(y * width + x) * channels + channel`,
            the channel, y and x; `NOWHERE` for one that falls into no window.
        rows: of each y the first place of the kernel that touches the output, and behind the last.
        lines: of each y and row of the kernel the begin of that line of currents, or `NOWHERE`.
        columns: of each x the first and behind the last column of the kernel.
        offsets: of each x and column of the kernel the current in a line, or `NOWHERE`.
    """

    units: Array
    rows: Array
    lines: Array
    columns: Array
    offsets: Array


@lru_cache(maxsize=64)
def tables(geometry: Geometry) -> Tables:
    """The tables of a geometry."""
    g, (height, width), (tall, wide) = geometry, geometry.pooled, geometry.out
    rows, lines = _axis(height, g.above, g.down, g.apart, g.rows, tall, wide * g.filters)
    columns, offsets = _axis(width, g.before, g.right, g.beside, g.columns, wide, g.filters)
    return Tables(_units(geometry), rows, lines, columns, offsets)


def _units(g: Geometry) -> Array:
    c, y, x = np.indices((g.channels, g.tall, g.wide)).reshape(3, -1)
    if g.last:
        y, x, c = np.indices((g.tall, g.wide, g.channels)).reshape(3, -1)
    y, x, (height, width) = y // g.window, x // g.window, g.pooled
    place = np.where((y < height) & (x < width), (y * width + x) * g.channels + c, NOWHERE)
    return np.stack([place, c, y, x], 1).astype(np.int32).ravel()


def _axis(
    places: int, padding: int, stride: int, dilation: int, kernel: int, out: int, pitch: int
) -> tuple[Array, Array]:
    """Of each place the range of taps that touch the output, and where each one does."""
    at = np.arange(places)[:, None] + padding - dilation * np.arange(kernel)
    inside = (at >= 0) & (at % stride == 0) & (at // stride < out)
    taps = np.where(inside, np.arange(kernel), kernel).min(1, initial=kernel)
    behind = np.where(inside, np.arange(kernel) + 1, 0).max(1, initial=0)
    ranges = np.stack([taps, np.maximum(taps, behind)], 1)
    where = np.where(inside, at // stride * pitch, NOWHERE)
    return ranges.astype(np.int32).ravel(), where.astype(np.int32).ravel()
