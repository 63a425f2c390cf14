"""The surrogate derivatives of the table, on lanes."""

from __future__ import annotations

import math

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import (
    WIDTH,
    _power_of_two,
    absolute,
    fma,
    load,
    nearest,
    select,
    splat,
    store,
)

_INVERSE_ROOT = np.float32(1 / math.sqrt(2 * math.pi))
_LOBE, _WIDTH = 0.15, 6.0
_CENTRE, _SIDE = np.float32(1 + _LOBE), np.float32(_LOBE / _WIDTH)
_QUARTER = np.float32((math.pi / 2) ** 2)


@inlined
def constant(value):
    """The same number in all lanes."""
    return splat(np.float32(value))


@inlined
def exponential(z):
    r"""`e^z` to two units in the last place: `2^n` times a polynomial on `|z - n ln 2| < 0.35`."""
    low, high = constant(-87.0), constant(88.0)
    z = select(z < low, low, select(z > high, high, z))
    n = nearest(z * constant(1.4426950408889634))
    f = fma(n, constant(-0.693359375), z)
    f = fma(n, constant(2.12194440e-4), f)
    p = fma(f, constant(1.9875691500e-4), constant(1.3981999507e-3))
    p = fma(p, f, constant(8.3334519073e-3))
    p = fma(p, f, constant(4.1665795894e-2))
    p = fma(p, f, constant(1.6666665459e-1))
    p = fma(p, f, constant(0.5))
    p = fma(p, f * f, f + constant(1.0))
    return p * _power_of_two(n)


@inlined
def normal(z):
    """The standard normal density."""
    return exponential(z * z * constant(-0.5)) * constant(_INVERSE_ROOT)


@inlined
def slope(kind, v, scale):
    """The derivative `h(v)` of the row with that number in `NUMBERS`, at gain one."""
    zero, one = constant(0.0), constant(1.0)
    z = v * scale
    if kind <= 2:
        if kind == 2:
            z = select(z > zero, zero, z)
        d = one + absolute(z)
        h = one / (d * d)
        return h * scale * constant(0.5) if kind == 1 else h
    if kind == 3:
        e = exponential(zero - absolute(z))
        return scale * e / ((one + e) * (one + e))
    if kind == 4:
        return select(absolute(z) < one, one - absolute(z), zero)
    if kind == 5:
        half = constant(0.5)
        return select(z > half, zero, select(z > zero - half, one, zero))
    if kind == 6:
        return exponential(zero - absolute(z))
    if kind == 7:
        return select(z > one, zero, select(z > zero - one, one + z, zero))
    if kind == 8:
        return scale * constant(0.5) / fma(z * z, constant(_QUARTER), one)
    if kind == 9:
        return scale * normal(z)
    if kind == 10:
        sixth = constant(1 / _WIDTH)
        sides = normal((z - one) * sixth) + normal((z + one) * sixth)
        return scale * (constant(_CENTRE) * normal(z) - constant(_SIDE) * sides)
    if kind == 11:
        return one
    if kind == 12:
        return select(v > zero, one, zero)
    return scale * exponential(select(z > zero, zero, z))


@inlined
def slopes(curve, work, to, potentials, start, width, P, theta, spread):
    """A row of `h(c · x - θ)`; `curve` is number, scale and gain."""
    kind, scale, gain = curve
    factor, weight = constant(scale), constant(gain)
    for n in range(0, width, WIDTH):
        v = load(potentials, start + n) - load(P, theta + n * spread)
        store(work, to + n, slope(kind, v, factor) * weight)
