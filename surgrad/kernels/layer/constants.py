"""The gradient of the tableau's coefficients, where they are learned."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import WIDTH, fma, load, splat, store


@inlined
def unreset(order, k, work, w, width, P, p, span, drives, at):
    """Component `k` of the state as it would be without the reset: `(A x[n-1] + b d)_k`."""
    K = len(order)
    before = w + (6 + 3 * K) * width
    y = load(P, (K * K + k) * span + p) * load(drives, at)
    for j in range(K):
        y = fma(load(P, (k * K + j) * span + p), load(work, before + j * width), y)
    return y


@inlined
def _add_product(target, to, spread, a, i, b, j, width, sign):
    """Add the product of two rows, elementwise or summed over each lane."""
    factor = splat(np.float32(sign))
    if spread:
        for n in range(0, width, WIDTH):
            product = fma(factor * load(a, i + n), load(b, j + n), load(target, to + n))
            store(target, to + n, product)
        return
    held = load(target, to)
    for n in range(0, width, WIDTH):
        held = fma(factor * load(a, i + n), load(b, j + n), held)
    store(target, to, held)


@inlined
def _add_row(target, to, spread, a, i, width, sign):
    factor = splat(np.float32(sign))
    if spread:
        for n in range(0, width, WIDTH):
            store(target, to + n, fma(factor, load(a, i + n), load(target, to + n)))
        return
    held = load(target, to)
    for n in range(0, width, WIDTH):
        held = fma(factor, load(a, i + n), held)
    store(target, to, held)


@inlined
def accumulate(order, work, base, at, sizes, p0, kept, grad):
    """Add one step's part to the gradients of A, b, r, c and θ."""
    K = len(order)
    _, _, size, width, spread, _, _, _, spiking, _ = sizes
    span = size if spread else WIDTH
    after, top, before = 6 + K, 6 + 2 * K, 6 + 3 * K
    states, drives = kept[2], kept[3]
    for k in range(K):
        mine = base + (after + k) * width
        for j in range(K):
            other = base + (before + j) * width
            to = (k * K + j) * span + p0
            _add_product(grad, to, spread, work, mine, work, other, width, 1.0)
        to = (K * K + k) * span + p0
        _add_product(grad, to, spread, work, mine, drives, at, width, 1.0)
        to = (K * K + K + k) * span + p0
        if spiking:
            above, past = base + (top + k) * width, base + 3 * width
            _add_product(grad, to, spread, work, above, work, past, width, 1.0)
        to = (K * K + 2 * K + k) * span + p0
        here = k * (states.size // K) + at
        _add_product(grad, to, spread, work, base, states, here, width, 1.0)
    if spiking:
        _add_row(grad, (K * K + 3 * K) * span + p0, spread, work, base + width, width, -1.0)
