"""Where an event goes: pieces of the kernels of a convolution; see README.md.

Weights lie as one row of `lanes` numbers for each input channel and each place of the kernel,
mirrored along the columns, so that the currents that an event touches within one line of the
output and the weights that it brings there lie in the same order.
"""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.conv.tables import NOWHERE
from surgrad.kernels.lanes import WIDTH, load, store


@inlined
def located(unit, units, stamps, mark):
    """The place of a unit behind the pooling.

    `NOWHERE` if it falls into no window, or into one where the maximum is one already.
    """
    place = np.int64(units[4 * unit])
    if place != NOWHERE and stamps.size:
        if stamps[place] == mark:
            return np.int64(NOWHERE)
        stamps[place] = mark
    return place


@inlined
def add(target, to, source, start, width):
    """Add a row to another; two vectors at a time."""
    n = 0
    while n + 2 * WIDTH <= width:
        a, b = load(target, to + n), load(target, to + n + WIDTH)
        a, b = a + load(source, start + n), b + load(source, start + n + WIDTH)
        store(target, to + n, a)
        store(target, to + n + WIDTH, b)
        n += 2 * WIDTH
    if n < width:
        store(target, to + n, load(target, to + n) + load(source, start + n))


@inlined
def touch(unit, kernel, tables, weights, currents, backwards):
    """Add an event's weights to the currents that it touches, or these to its weights.

    `kernel` is its rows, columns and lanes, and whether the currents of a line lie as its weights.
    """
    units, rows, lines, columns, offsets = tables
    count, across, lanes, dense = kernel
    c, y, x = np.int64(units[4 * unit + 1]), units[4 * unit + 2], units[4 * unit + 3]
    left, behind = np.int64(columns[2 * x]), np.int64(columns[2 * x + 1])
    if left == behind:
        return
    for k in range(np.int64(rows[2 * y]), np.int64(rows[2 * y + 1])):
        line = np.int64(lines[y * count + k])
        if line == NOWHERE:
            continue
        row = (c * count + k) * across
        if dense:
            to = line + offsets[x * across + behind - 1]
            start, width = (row + across - behind) * lanes, (behind - left) * lanes
            if backwards:
                add(weights, start, currents, to, width)
            else:
                add(currents, to, weights, start, width)
            continue
        for j in range(left, behind):
            offset = np.int64(offsets[x * across + j])
            if offset == NOWHERE:
                continue
            to, start = line + offset, (row + across - 1 - j) * lanes
            if backwards:
                add(weights, start, currents, to, lanes)
            else:
                add(currents, to, weights, start, lanes)
