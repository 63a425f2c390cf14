"""The gradient of the tableau's coefficients, where they are learned."""

from __future__ import annotations

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import WIDTH, fixed, fma, load, store
from surgrad.kernels.layer.memory import ERROR, PAST, SLOPE, STATE


@inlined
def unreset(order, k, work, before, width, P, p, span, drives, at):
    """Component `k` of the state as it would be without the reset: `(A x[n-1] + b d)_k`."""
    K = len(order)
    y = fixed(P, (K * K + k) * span + p) * load(drives, at)
    for j in range(K):
        y = fma(fixed(P, (k * K + j) * span + p), load(work, before + j * width), y)
    return y


@inlined
def _add_product(own, target, to, a, i, b, j, width):
    """Add the product of two rows, elementwise or summed over each lane."""
    if len(own):
        for n in range(0, width, WIDTH):
            product = fma(load(a, i + n), load(b, j + n), load(target, to + n))
            store(target, to + n, product)
        return
    held = load(target, to)
    for n in range(0, width, WIDTH):
        held = fma(load(a, i + n), load(b, j + n), held)
    store(target, to, held)


@inlined
def _subtract(own, target, to, a, i, width):
    """Subtract a row, elementwise or summed over each lane."""
    if len(own):
        for n in range(0, width, WIDTH):
            store(target, to + n, load(target, to + n) - load(a, i + n))
        return
    held = load(target, to)
    for n in range(0, width, WIDTH):
        held = held - load(a, i + n)
    store(target, to, held)


@inlined
def accumulate(order, own, work, base, at, sizes, p0, kept, grad):
    """Add one step's part to the gradients of A, b, r, c and θ."""
    K = len(order)
    _, _, size, width, _, _, _, spiking, _ = sizes[:9]
    span = size if len(own) else WIDTH
    state = base + STATE * width
    after, top, before = state + K * width, state + 2 * K * width, state + 3 * K * width
    states, drives = kept[2], kept[3]
    for k in range(K):
        mine = after + k * width
        for j in range(K):
            to = (k * K + j) * span + p0
            _add_product(own, grad, to, work, mine, work, before + j * width, width)
        to = (K * K + k) * span + p0
        _add_product(own, grad, to, work, mine, drives, at, width)
        if spiking:
            to, past = (K * K + K + k) * span + p0, base + PAST * width
            _add_product(own, grad, to, work, top + k * width, work, past, width)
        to, here = (K * K + 2 * K + k) * span + p0, k * (states.size // K) + at
        _add_product(own, grad, to, work, base + ERROR * width, states, here, width)
    if spiking:
        to = (K * K + 3 * K) * span + p0
        _subtract(own, grad, to, work, base + SLOPE * width, width)
