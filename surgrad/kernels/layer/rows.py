"""Operations on rows of numbers, whose length is a multiple of the lanes' width."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import (
    WIDTH,
    absolute,
    fetch,
    fetch_to_write,
    fma,
    load,
    select,
    splat,
    store,
    total,
)

# below this a number is zero: what decays for long would become denormal, and slow
TINY = np.float32(1e-30)


@inlined
def flush(value):
    """Zero in place of what is about to become denormal."""
    return select(absolute(value) < splat(TINY), splat(np.float32(0)), value)


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
def ahead(source, start, width):
    """Ask for a row that will be read soon: rows of successive steps lie far apart."""
    if source.size:
        for n in range(0, width, WIDTH):
            fetch(source, start + n)


@inlined
def ahead_to_write(target, start, width):
    """As `ahead`, of a row that will be written."""
    if target.size:
        for n in range(0, width, WIDTH):
            fetch_to_write(target, start + n)


@inlined
def add(target, to, source, start, width):
    """Add a row to another."""
    for n in range(0, width, WIDTH):
        store(target, to + n, load(target, to + n) + load(source, start + n))


@inlined
def add_scaled(target, to, factor, source, start, width):
    """Add `factor` times a row."""
    scale = splat(factor)
    for n in range(0, width, WIDTH):
        store(target, to + n, fma(scale, load(source, start + n), load(target, to + n)))


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


@inlined
def gather(target, to, rows, units, first, last, width):
    """Add the rows of some units; four vectors of the target stay in registers."""
    n = 0
    while n + 4 * WIDTH <= width:
        a0, a1 = load(target, to + n), load(target, to + n + WIDTH)
        a2, a3 = load(target, to + n + 2 * WIDTH), load(target, to + n + 3 * WIDTH)
        for e in range(first, last):
            row = np.int64(units[e]) * width + n
            a0 = a0 + load(rows, row)
            a1 = a1 + load(rows, row + WIDTH)
            a2 = a2 + load(rows, row + 2 * WIDTH)
            a3 = a3 + load(rows, row + 3 * WIDTH)
        store(target, to + n, a0)
        store(target, to + n + WIDTH, a1)
        store(target, to + n + 2 * WIDTH, a2)
        store(target, to + n + 3 * WIDTH, a3)
        n += 4 * WIDTH
    while n < width:
        a0 = load(target, to + n)
        for e in range(first, last):
            a0 = a0 + load(rows, np.int64(units[e]) * width + n)
        store(target, to + n, a0)
        n += WIDTH


@inlined
def scatter(rows, units, first, last, source, start, width):
    """Add a row to the rows of some units; four vectors of it stay in registers."""
    n = 0
    while n + 4 * WIDTH <= width:
        a0, a1 = load(source, start + n), load(source, start + n + WIDTH)
        a2, a3 = load(source, start + n + 2 * WIDTH), load(source, start + n + 3 * WIDTH)
        for e in range(first, last):
            row = np.int64(units[e]) * width + n
            store(rows, row, load(rows, row) + a0)
            store(rows, row + WIDTH, load(rows, row + WIDTH) + a1)
            store(rows, row + 2 * WIDTH, load(rows, row + 2 * WIDTH) + a2)
            store(rows, row + 3 * WIDTH, load(rows, row + 3 * WIDTH) + a3)
        n += 4 * WIDTH
    while n < width:
        a0 = load(source, start + n)
        for e in range(first, last):
            row = np.int64(units[e]) * width + n
            store(rows, row, load(rows, row) + a0)
        n += WIDTH


@inlined
def combine(target, to, factors, f, count, rows, width):
    """Add the first `count` rows, each times its factor; four vectors stay in registers."""
    n = 0
    while n + 4 * WIDTH <= width:
        a0, a1 = load(target, to + n), load(target, to + n + WIDTH)
        a2, a3 = load(target, to + n + 2 * WIDTH), load(target, to + n + 3 * WIDTH)
        for m in range(count):
            scale = splat(factors[f + m])
            row = m * width + n
            a0 = fma(scale, load(rows, row), a0)
            a1 = fma(scale, load(rows, row + WIDTH), a1)
            a2 = fma(scale, load(rows, row + 2 * WIDTH), a2)
            a3 = fma(scale, load(rows, row + 3 * WIDTH), a3)
        store(target, to + n, a0)
        store(target, to + n + WIDTH, a1)
        store(target, to + n + 2 * WIDTH, a2)
        store(target, to + n + 3 * WIDTH, a3)
        n += 4 * WIDTH
    while n < width:
        a0 = load(target, to + n)
        for m in range(count):
            a0 = fma(splat(factors[f + m]), load(rows, m * width + n), a0)
        store(target, to + n, a0)
        n += WIDTH


@inlined
def combine_four(work, to, stride, factors, f, apart, count, rows, width):
    """`combine` for four samples: rows lie `stride` and factors `apart` from each other."""
    to1, to2, to3 = to + stride, to + 2 * stride, to + 3 * stride
    f1, f2, f3 = f + apart, f + 2 * apart, f + 3 * apart
    for n in range(0, width - WIDTH, 2 * WIDTH):
        m = n + WIDTH
        a0, b0 = load(work, to + n), load(work, to + m)
        a1, b1 = load(work, to1 + n), load(work, to1 + m)
        a2, b2 = load(work, to2 + n), load(work, to2 + m)
        a3, b3 = load(work, to3 + n), load(work, to3 + m)
        for j in range(count):
            x, y = load(rows, j * width + n), load(rows, j * width + m)
            s0, s1 = splat(factors[f + j]), splat(factors[f1 + j])
            s2, s3 = splat(factors[f2 + j]), splat(factors[f3 + j])
            a0, b0 = fma(s0, x, a0), fma(s0, y, b0)
            a1, b1 = fma(s1, x, a1), fma(s1, y, b1)
            a2, b2 = fma(s2, x, a2), fma(s2, y, b2)
            a3, b3 = fma(s3, x, a3), fma(s3, y, b3)
        store(work, to + n, a0)
        store(work, to + m, b0)
        store(work, to1 + n, a1)
        store(work, to1 + m, b1)
        store(work, to2 + n, a2)
        store(work, to2 + m, b2)
        store(work, to3 + n, a3)
        store(work, to3 + m, b3)
