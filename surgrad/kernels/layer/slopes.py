"""The surrogate derivatives of the table, on lanes."""

from __future__ import annotations

import math

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import (
    WIDTH,
    _power_of_two,
    absolute,
    fixed,
    fma,
    load,
    nearest,
    select,
    splat,
    store,
)

_INVERSE_ROOT = np.float32(1 / math.sqrt(2 * math.pi))
# the side lobes of the multi-Gaussian, as in `surgrad.surrogates`
LOBE, LOBE_WIDTH = 0.15, 6.0
CENTRE, _SIDE = np.float32(1 + LOBE), np.float32(LOBE / LOBE_WIDTH)
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
        sixth = constant(1 / LOBE_WIDTH)
        sides = normal((z - one) * sixth) + normal((z + one) * sixth)
        return scale * (constant(CENTRE) * normal(z) - constant(_SIDE) * sides)
    if kind == 11:
        return one
    if kind == 12:
        return select(v > zero, one, zero)
    return scale * exponential(select(z > zero, zero, z))


@inlined
def _rows(number, curve, work, to, potentials, start, width, P, theta, step):
    """A row of slopes of the kind `number`, which is a constant of the compiled loop."""
    factor, weight = constant(curve[1]), constant(curve[2])
    for n in range(0, width, WIDTH):
        v = load(potentials, start + n) - fixed(P, theta + n * step)
        store(work, to + n, slope(number, v, factor) * weight)


@inlined
def slopes(curve, work, to, potentials, start, width, P, theta, step):
    """A row of `h(c · x - θ)`; `curve` is number, scale and gain."""
    kind = curve[0]
    # one loop for each kind, so that the kind is not asked for at each neuron
    if kind == 0:
        _rows(0, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 1:
        _rows(1, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 2:
        _rows(2, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 3:
        _rows(3, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 4:
        _rows(4, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 5:
        _rows(5, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 6:
        _rows(6, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 7:
        _rows(7, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 8:
        _rows(8, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 9:
        _rows(9, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 10:
        _rows(10, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 11:
        _rows(11, curve, work, to, potentials, start, width, P, theta, step)
    elif kind == 12:
        _rows(12, curve, work, to, potentials, start, width, P, theta, step)
    else:
        _rows(13, curve, work, to, potentials, start, width, P, theta, step)
