"""The primitives of the surrogate derivatives, on lanes: what a soft spike is."""

from __future__ import annotations

import math

import numpy as np

from surgrad.kernels.compiled import inlined
from surgrad.kernels.lanes import absolute, fma, select, splat
from surgrad.kernels.layer.slopes import CENTRE, LOBE, LOBE_WIDTH, constant, exponential

# minimax on [0, 1] in t = 1 / (1 + `_PACE` z) of Φ(-z) e^(z²/2), so that Φ is right to 5e-9, and of
# atan(x) / x in x², to 2e-8
_PACE = 0.275
_INVERSE_PI = np.float32(1 / math.pi)
_HALF_PI = np.float32(math.pi / 2)
_LOBE = np.float32(LOBE)


@inlined
def lesser(a, b):
    """The smaller of each two."""
    return select(a < b, a, b)


@inlined
def greater(a, b):
    """The larger of each two."""
    return select(a > b, a, b)


@inlined
def distribution(z):
    """The standard normal distribution function."""
    one = constant(1.0)
    t = one / fma(absolute(z), constant(_PACE), one)
    p = fma(t, constant(-0.11485793530989813), constant(0.4519971765330431))
    p = fma(p, t, constant(-0.33099103207963315))
    p = fma(p, t, constant(0.3339304760665815))
    p = fma(p, t, constant(0.042112169971727065))
    p = fma(p, t, constant(0.11780914961985196))
    tail = p * t * exponential(z * z * constant(-0.5))
    return select(z > constant(0.0), one - tail, tail)


@inlined
def arctangent(z):
    """`atan z`."""
    zero, one = constant(0.0), constant(1.0)
    large = absolute(z)
    x = select(large > one, one / large, large)
    y = x * x
    p = fma(y, constant(0.0028500371052155946), constant(-0.01606925602759391))
    p = fma(p, y, constant(0.04269261651229744))
    p = fma(p, y, constant(-0.07504396343610598))
    p = fma(p, y, constant(0.10640987770950212))
    p = fma(p, y, constant(-0.14203660541097374))
    p = fma(p, y, constant(0.19992621936150615))
    p = fma(p, y, constant(-0.33333073525292367))
    p = fma(p, y, one) * x
    p = select(large > one, splat(_HALF_PI) - p, p)
    return select(z < zero, zero - p, p)


@inlined
def _rising(z):
    """`1 / (1 + |z|)` below zero, and what makes it odd about one above."""
    zero, one = constant(0.0), constant(1.0)
    f = one / (one + absolute(z))
    return select(z < zero, f, constant(2.0) - f)


@inlined
def primitive(kind, v, scale):
    """The primitive `∫h` of the row with that number in `NUMBERS`, at gain one."""
    zero, half, one = constant(0.0), constant(0.5), constant(1.0)
    z = v * scale
    if kind == 0:
        return _rising(z) / scale
    if kind == 1:
        return _rising(z) * half
    if kind == 2:
        return one / (one - lesser(z, zero)) / scale + greater(v, zero)
    if kind == 3:
        e = exponential(zero - absolute(z))
        return select(z < zero, e, one) / (one + e)
    if kind == 4:
        z = greater(lesser(z, one), zero - one)
        return (half + z - half * z * absolute(z)) / scale
    if kind == 5:
        return (greater(lesser(z, half), zero - half) + half) / scale
    if kind == 6:
        e = exponential(zero - absolute(z))
        return select(z < zero, e, constant(2.0) - e) / scale
    if kind == 7:
        z = greater(lesser(one + z, constant(2.0)), zero)
        return half * z * z / scale
    if kind == 8:
        return fma(arctangent(z * splat(_HALF_PI)), splat(_INVERSE_PI), half)
    if kind == 9:
        return distribution(z)
    if kind == 10:
        narrow = constant(1 / LOBE_WIDTH)
        sides = distribution((z - one) * narrow) + distribution((z + one) * narrow)
        return splat(CENTRE) * distribution(z) - splat(_LOBE) * sides
    if kind == 11:
        return v + half
    if kind == 12:
        return greater(v, zero)
    return exponential(lesser(z, zero)) + greater(z, zero)
