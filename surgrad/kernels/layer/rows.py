"""Operations on rows of numbers, whose length is a multiple of the lanes' width."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import (
    WIDTH,
    absolute,
    fetch,
    fma,
    load,
    select,
    splat,
    store,
    stream,
    total,
)

# below this a number is zero: what decays for long would become denormal, and slow
TINY = np.float32(1e-30)
# numbers that no cache holds until somebody reads them
LARGE = 1 << 23


@inlined
def flush(target, to, width):
    """Zero in place of what is about to become denormal."""
    zero, tiny = splat(np.float32(0)), splat(TINY)
    for n in range(0, width, WIDTH):
        value = load(target, to + n)
        store(target, to + n, select(absolute(value) < tiny, zero, value))


@inlined
def clear(target, to, width):
    """Set a row to zero."""
    zero = splat(np.float32(0))
    for n in range(0, width, WIDTH):
        store(target, to + n, zero)


@inlined
def copy(target, to, source, start, width):
    """Copy a row; an empty source stands for zeros."""
    if source.size == 0:
        clear(target, to, width)
        return
    for n in range(0, width, WIDTH):
        store(target, to + n, load(source, start + n))


@inlined
def hand_over(target, to, source, start, width):
    """Copy a row to the start of a cache line; past the cache where the target exceeds it."""
    if target.size < LARGE:
        copy(target, to, source, start, width)
        return
    for n in range(0, width, WIDTH):
        stream(target, to + n, load(source, start + n))


@inlined
def ahead(source, start, width):
    """Ask for a row that will be read soon: nothing else foresees that time runs backwards."""
    for n in range(0, width, WIDTH):
        fetch(source, start + n)


@inlined
def add(target, to, source, start, width):
    """Add a row to another."""
    for n in range(0, width, WIDTH):
        store(target, to + n, load(target, to + n) + load(source, start + n))


@inlined
def dot(a, i, b, j, width):
    """The scalar product of two rows."""
    s0 = s1 = s2 = s3 = splat(np.float32(0))
    n = 0
    while n + 4 * WIDTH <= width:
        s0 = fma(load(a, i + n), load(b, j + n), s0)
        s1 = fma(load(a, i + n + WIDTH), load(b, j + n + WIDTH), s1)
        s2 = fma(load(a, i + n + 2 * WIDTH), load(b, j + n + 2 * WIDTH), s2)
        s3 = fma(load(a, i + n + 3 * WIDTH), load(b, j + n + 3 * WIDTH), s3)
        n += 4 * WIDTH
    while n < width:
        s0 = fma(load(a, i + n), load(b, j + n), s0)
        n += WIDTH
    return total((s0 + s1) + (s2 + s3))
