"""Products with weights that lie in blocks of neurons, so that a block stays in the cache.

A matrix of `count` rows and `size` columns is cut into blocks of `BLOCK` columns, the last one
perhaps narrower, and each block lies row by row: column `n0` of row `j` begins at
`n0 * count + j * span`, where `span` is the width of the block that starts at `n0`.
"""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import WIDTH, fma, load, splat, store
from surgrad.kernels.layer.memory import BLOCK


@inlined
def gather(target, to, rows, base, span, units, first, last):
    """Add the rows of some units within a block; four vectors of the target stay in registers."""
    n = 0
    while n + 4 * WIDTH <= span:
        a0, a1 = load(target, to + n), load(target, to + n + WIDTH)
        a2, a3 = load(target, to + n + 2 * WIDTH), load(target, to + n + 3 * WIDTH)
        for e in range(first, last):
            row = base + np.int64(units[e]) * span + n
            a0 = a0 + load(rows, row)
            a1 = a1 + load(rows, row + WIDTH)
            a2 = a2 + load(rows, row + 2 * WIDTH)
            a3 = a3 + load(rows, row + 3 * WIDTH)
        store(target, to + n, a0)
        store(target, to + n + WIDTH, a1)
        store(target, to + n + 2 * WIDTH, a2)
        store(target, to + n + 3 * WIDTH, a3)
        n += 4 * WIDTH
    while n + 2 * WIDTH <= span:
        a0, a1 = load(target, to + n), load(target, to + n + WIDTH)
        for e in range(first, last):
            row = base + np.int64(units[e]) * span + n
            a0 = a0 + load(rows, row)
            a1 = a1 + load(rows, row + WIDTH)
        store(target, to + n, a0)
        store(target, to + n + WIDTH, a1)
        n += 2 * WIDTH
    while n < span:
        a0 = load(target, to + n)
        for e in range(first, last):
            a0 = a0 + load(rows, base + np.int64(units[e]) * span + n)
        store(target, to + n, a0)
        n += WIDTH


@inlined
def scatter(rows, base, span, units, first, last, source, start):
    """Add a row to the rows of some units within a block; four vectors of it stay in registers."""
    n = 0
    while n + 4 * WIDTH <= span:
        a0, a1 = load(source, start + n), load(source, start + n + WIDTH)
        a2, a3 = load(source, start + n + 2 * WIDTH), load(source, start + n + 3 * WIDTH)
        for e in range(first, last):
            row = base + np.int64(units[e]) * span + n
            store(rows, row, load(rows, row) + a0)
            store(rows, row + WIDTH, load(rows, row + WIDTH) + a1)
            store(rows, row + 2 * WIDTH, load(rows, row + 2 * WIDTH) + a2)
            store(rows, row + 3 * WIDTH, load(rows, row + 3 * WIDTH) + a3)
        n += 4 * WIDTH
    while n + 2 * WIDTH <= span:
        a0, a1 = load(source, start + n), load(source, start + n + WIDTH)
        for e in range(first, last):
            row = base + np.int64(units[e]) * span + n
            store(rows, row, load(rows, row) + a0)
            store(rows, row + WIDTH, load(rows, row + WIDTH) + a1)
        n += 2 * WIDTH
    while n < span:
        a0 = load(source, start + n)
        for e in range(first, last):
            row = base + np.int64(units[e]) * span + n
            store(rows, row, load(rows, row) + a0)
        n += WIDTH


@inlined
def gather_all(target, to, rows, count, width, units, first, last):
    """`gather` over all blocks of a matrix of `count` rows."""
    for n0 in range(0, width, BLOCK):
        span = min(BLOCK, width - n0)
        gather(target, to + n0, rows, n0 * count, span, units, first, last)


@inlined
def add_row(target, to, factor, rows, count, row, width):
    """Add `factor` times one row of a matrix of `count` rows."""
    scale = splat(factor)
    for n0 in range(0, width, BLOCK):
        span = min(BLOCK, width - n0)
        for n in range(0, span, WIDTH):
            value = load(rows, n0 * count + row * span + n)
            store(target, to + n0 + n, fma(scale, value, load(target, to + n0 + n)))


@inlined
def add_to_row(rows, count, row, factor, source, start, width):
    """Add `factor` times `source` to one row of a matrix of `count` rows."""
    scale = splat(factor)
    for n0 in range(0, width, BLOCK):
        span = min(BLOCK, width - n0)
        for n in range(0, span, WIDTH):
            at = n0 * count + row * span + n
            store(rows, at, fma(scale, load(source, start + n0 + n), load(rows, at)))


@inlined
def _four_by_four(work, to, pitch, factors, f, apart, count, matrix, base):
    """Four rows of results times four vectors, all in registers."""
    to1, to2, to3 = to + pitch, to + 2 * pitch, to + 3 * pitch
    f1, f2, f3 = f + apart, f + 2 * apart, f + 3 * apart
    i, j, k = WIDTH, 2 * WIDTH, 3 * WIDTH
    a0, a1, a2, a3 = load(work, to), load(work, to + i), load(work, to + j), load(work, to + k)
    b0, b1, b2, b3 = load(work, to1), load(work, to1 + i), load(work, to1 + j), load(work, to1 + k)
    c0, c1, c2, c3 = load(work, to2), load(work, to2 + i), load(work, to2 + j), load(work, to2 + k)
    d0, d1, d2, d3 = load(work, to3), load(work, to3 + i), load(work, to3 + j), load(work, to3 + k)
    for m in range(count):
        row = base + m * BLOCK
        w0, w1 = load(matrix, row), load(matrix, row + i)
        w2, w3 = load(matrix, row + j), load(matrix, row + k)
        s = splat(factors[f + m])
        a0, a1, a2, a3 = fma(s, w0, a0), fma(s, w1, a1), fma(s, w2, a2), fma(s, w3, a3)
        s = splat(factors[f1 + m])
        b0, b1, b2, b3 = fma(s, w0, b0), fma(s, w1, b1), fma(s, w2, b2), fma(s, w3, b3)
        s = splat(factors[f2 + m])
        c0, c1, c2, c3 = fma(s, w0, c0), fma(s, w1, c1), fma(s, w2, c2), fma(s, w3, c3)
        s = splat(factors[f3 + m])
        d0, d1, d2, d3 = fma(s, w0, d0), fma(s, w1, d1), fma(s, w2, d2), fma(s, w3, d3)
    _four(work, to, a0, a1, a2, a3)
    _four(work, to1, b0, b1, b2, b3)
    _four(work, to2, c0, c1, c2, c3)
    _four(work, to3, d0, d1, d2, d3)


@inlined
def _four(target, to, a, b, c, d):
    store(target, to, a)
    store(target, to + WIDTH, b)
    store(target, to + 2 * WIDTH, c)
    store(target, to + 3 * WIDTH, d)


@inlined
def _four_by_one(work, to, pitch, factors, f, apart, count, matrix, base, span):
    """Four rows of results times one vector."""
    to1, to2, to3 = to + pitch, to + 2 * pitch, to + 3 * pitch
    f1, f2, f3 = f + apart, f + 2 * apart, f + 3 * apart
    a, b, c, d = load(work, to), load(work, to1), load(work, to2), load(work, to3)
    for m in range(count):
        w = load(matrix, base + m * span)
        a, b = fma(splat(factors[f + m]), w, a), fma(splat(factors[f1 + m]), w, b)
        c, d = fma(splat(factors[f2 + m]), w, c), fma(splat(factors[f3 + m]), w, d)
    store(work, to, a)
    store(work, to1, b)
    store(work, to2, c)
    store(work, to3, d)


@inlined
def _one_by_four(work, to, factors, f, count, matrix, base):
    a, b = load(work, to), load(work, to + WIDTH)
    c, d = load(work, to + 2 * WIDTH), load(work, to + 3 * WIDTH)
    for m in range(count):
        row, s = base + m * BLOCK, splat(factors[f + m])
        a, b = fma(s, load(matrix, row), a), fma(s, load(matrix, row + WIDTH), b)
        c = fma(s, load(matrix, row + 2 * WIDTH), c)
        d = fma(s, load(matrix, row + 3 * WIDTH), d)
    _four(work, to, a, b, c, d)


@inlined
def _one_by_one(work, to, factors, f, count, matrix, base, span):
    a = load(work, to)
    for m in range(count):
        a = fma(splat(factors[f + m]), load(matrix, base + m * span), a)
    store(work, to, a)


@inlined
def multiply(work, to, pitch, rows, factors, f, apart, count, matrix, width):
    """Add to `rows` rows of `work` the products of as many rows of factors with a matrix.

    Rows of results lie `pitch` apart, those of `count` factors each `apart`.
    """
    for n0 in range(0, width, BLOCK):
        span, base, r = min(BLOCK, width - n0), n0 * count, 0
        while r + 4 <= rows:
            at, by = to + r * pitch + n0, f + r * apart
            if span == BLOCK:
                _four_by_four(work, at, pitch, factors, by, apart, count, matrix, base)
            else:
                for n in range(0, span, WIDTH):
                    _four_by_one(
                        work, at + n, pitch, factors, by, apart, count, matrix, base + n, span
                    )
            r += 4
        while r < rows:
            at, by = to + r * pitch + n0, f + r * apart
            if span == BLOCK:
                _one_by_four(work, at, factors, by, count, matrix, base)
            else:
                for n in range(0, span, WIDTH):
                    _one_by_one(work, at + n, factors, by, count, matrix, base + n, span)
            r += 1
