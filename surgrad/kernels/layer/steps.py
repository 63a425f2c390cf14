"""One step of a layer's adjoint, for all neurons; see README.md for the equations."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import WIDTH, bits, fixed, fma, load, lowest, select, splat, store
from surgrad.kernels.layer.constants import unreset
from surgrad.kernels.layer.memory import CLOSED, DELTA, ERROR, LATER, PAST, SLOPE, SOFT, STATE
from surgrad.kernels.layer.rows import clear, copy, dot


@inlined
def fired(own, work, to, row, first, place, sizes, P, theta, kept, s0):
    """The spikes of one step as a row, those of the initial state before the first step."""
    _, _, size, width, _, refractory, _, spiking = sizes[:8]
    potentials, spikes = kept[0], kept[1]
    if first:
        copy(work, to, s0, place, width)
        return
    at = row * size + place % size
    if refractory or spiking == SOFT:
        copy(work, to, spikes, at, width)
        return
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for n in range(0, width, WIDTH):
        above = load(potentials, at + n) > fixed(P, theta + (n if len(own) else 0))
        store(work, to + n, select(above, one, zero))


@inlined
def close(work, base, row, t, place, sizes, spikes, hold0):
    """Take the slope from the neurons that are refractory in step `t`."""
    _, _, size, width, _, refractory = sizes[:6]
    zero = splat(np.float32(0))
    closed, to = base + CLOSED * width, base + SLOPE * width
    # the window of steps in which a spike closes this one, moved back by one step
    clear(work, closed, width)
    half, one = splat(np.float32(0.5)), splat(np.float32(1))
    for past in range(max(0, t - refractory) - t, 0):
        at = (row + past) * size + place % size
        for n in range(0, width, WIDTH):
            shut = select(load(spikes, at + n) > half, one, load(work, closed + n))
            store(work, closed + n, shut)
    for n in range(0, width, WIDTH):
        h = select(load(work, closed + n) > zero, zero, load(work, to + n))
        if hold0.size:
            h = select(load(hold0, place + n) > splat(np.float32(t)), zero, h)
        store(work, to + n, h)


@inlined
def active_products(work, error, slope, width, weights, factors, f, span):
    """Add to a row of errors the products with weight rows, where the slope is not zero."""
    zero = splat(np.float32(0))
    for n in range(0, width, WIDTH):
        word = bits(load(work, slope + n) != zero)
        while word != 0:
            unit = n + lowest(word)
            word &= word - 1
            work[error + unit] += dot(weights, unit * span, factors, f, span)


@inlined
def adjoint(order, own, work, error_row, base, at, sizes, flags, P, p0, membrane, m, drives):
    """One step back: λ, δ in the place of the error, and what comes to the spikes before.

    `m` is where the gradient of the potentials lies, if there is one.
    """
    K = len(order)
    _, _, size, width, _, _, zeroed, spiking, _, later = sizes
    detached, past, full = flags
    span = size if len(own) else WIDTH
    state = base + STATE * width
    after, top, before = state + K * width, state + 2 * K * width, state + 3 * K * width
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for n in range(0, width, WIDTH):
        p = p0 + n if len(own) else 0
        error = load(work, error_row + n)
        if spiking:
            if later:
                error = error + load(work, base + LATER * width + n)
            error = error * load(work, base + SLOPE * width + n)
            if full:
                store(work, base + SLOPE * width + n, error)
        if membrane.size:
            error = error + load(membrane, m + n)
        if full:
            store(work, base + ERROR * width + n, error)
        spike = load(work, base + PAST * width + n) if past else zero
        delta, onward = zero, zero
        for k in range(K):
            c = fixed(P, (K * K + 2 * K + k) * span + p)
            x = fma(c, error, load(work, state + k * width + n))
            if full:
                store(work, top + k * width + n, x)
            if not (detached >> k) & 1:
                onward = fma(fixed(P, (K * K + K + k) * span + p), x, onward)
                if (zeroed >> k) & 1:
                    y = unreset(order, k, work, before + n, width, P, p, span, drives, at + n)
                    onward = onward - x * y
            if (zeroed >> k) & 1:
                x = x * (one - spike)
            delta = fma(fixed(P, (K * K + k) * span + p), x, delta)
            store(work, after + k * width + n, x)
        for j in range(K):
            x = zero
            for k in range(K):
                a = fixed(P, (k * K + j) * span + p)
                x = fma(a, load(work, after + k * width + n), x)
            store(work, state + j * width + n, x)
        if later:
            store(work, base + LATER * width + n, onward)
        store(work, base + DELTA * width + n, delta)
        store(work, error_row + n, delta)
