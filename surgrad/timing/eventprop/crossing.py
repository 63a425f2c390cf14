r"""Between two events the membrane is known in closed form; its crossings are found.

From a potential `V` and a current `I`, a time `h` later,

.. math::
    V(h) = V e^{-h/\tau_m} + I\, \kappa(h), \qquad
    \kappa(h) = \frac{h}{\tau_m} e^{-h/\tau_s} \frac{e^z - 1}{z}, \quad
    z = h\, \Big(\frac{1}{\tau_s} - \frac{1}{\tau_m}\Big)

which holds for equal time constants too, where `z = 0`. While it rises the potential is concave:
:math:`\tau_m \ddot V = -I/\tau_s - \dot V < 0`. So Newton's method from the left never oversteps
the first crossing, and there is at most one maximum.
"""

from __future__ import annotations

import math

from surgrad.kernels.compiled import inlined
from surgrad.kernels.first_spike.forward import DOUBLE, EQUAL
from surgrad.kernels.first_spike.forward import crossing as closed_form

ROUNDS = 100


@inlined
def response(h, tau_m, tau_s):
    """The decay of the potential, of the current, and κ: what is left of each after `h`."""
    current = math.exp(-h / tau_s)
    z = h * (1 / tau_s - 1 / tau_m)
    grown = math.expm1(z)
    ratio = grown / z if abs(z) > 1e-300 else 1.0
    kappa = h / tau_m * current * ratio if h < math.inf else 0.0
    if z > 500 or not kappa >= 0:
        # a synapse so much faster that e^z overflows
        kappa = (math.exp(-h / tau_m) - current) * tau_s / (tau_m - tau_s)
    return math.exp(-h / tau_m), current, kappa


@inlined
def summit(V, I, tau_m, tau_s):
    """When the potential is highest, for `I > V` and `I > 0`; infinite if it rises for ever."""
    x = (tau_m - tau_s) * (V - I) / (I * tau_m)
    if x <= -1:
        return math.inf
    ratio = math.log1p(x) / x if abs(x) > 1e-300 else 1.0
    return tau_s * (I - V) / I * ratio


@inlined
def _solved(model, V, I, tau_s, theta):
    """The crossing by its closed form, which counts in units of the synapse; or infinity."""
    s, _ = closed_form(model, V, I, theta)
    return s * tau_s if s >= 0 else math.inf


@inlined
def crossing(V, I, H, tau_m, tau_s, theta, closed):
    """The time until the potential crosses θ from below, within `H`; infinite if it does not.

    Args:
        V: the potential, at most θ.
        I: the current.
        H: how long nothing else happens; may be infinite.
        tau_m: of the membrane.
        tau_s: of the synapse.
        theta: the threshold.
        closed: whether to use the closed forms where there are any.
    """
    if theta >= I:
        return math.inf
    if theta <= V:
        return 0.0
    if closed and tau_m == 2 * tau_s:
        h = _solved(DOUBLE, V, I, tau_s, theta)
        return h if h <= H else math.inf
    if closed and tau_m == tau_s:
        h = _solved(EQUAL, V, I, tau_s, theta)
        return h if h <= H else math.inf
    high = min(summit(V, I, tau_m, tau_s), H)
    if high == math.inf:
        return math.inf
    decay, _, kappa = response(high, tau_m, tau_s)
    if V * decay + I * kappa <= theta:
        return math.inf
    low, v, i = 0.0, V, I
    for _ in range(ROUNDS):
        h = min(low + (theta - v) * tau_m / (i - v), high)
        if h <= low:
            break
        decay, current, kappa = response(h, tau_m, tau_s)
        v, i = V * decay + I * kappa, I * current
        if v >= theta or i <= v:
            return h
        low = h
    return low
