"""The adjoint of a layer, from its last event to its first; see `forward` for the arrays.

`p_V` and `p_I` are the derivatives of the loss with respect to a neuron's potential and current. An
arrival of weight `w` reads `p_I`; moved, it costs `w (p_I / τ_s - p_V / τ_m)`. At a spike of price
`g = ∂L/∂t - p_V θ / τ_m` the first one jumps by `-g / V̇`.
"""

from __future__ import annotations

import math

from surgrad.kernels.compiled import Kernel, inlined
from surgrad.timing.eventprop.crossing import response

# the rows of the work space of a recurrent layer
P_V, P_I, T, FREE, RECURRENT, SPIKE = range(6)


@inlined
def moving(weight, pv, pi, tau_m, tau_s):
    """What it costs to move an arrival of this weight."""
    return weight * (pi / tau_s - pv / tau_m)


@inlined
def arrived(b, n, source, width, weights, pv, pi, tau_m, tau_s, to_weights, to_delays, to_times):
    """Add what the arrival of an input spike reads off the adjoint of a neuron."""
    j = source // width
    moved = moving(weights[n, j], pv, pi, tau_m, tau_s)
    to_weights[n, j] += pi
    if to_delays.size:
        to_delays[n, j] += moved
    to_times[b, source] += moved


@inlined
def spiked(pv, price, slope, theta, tau_m, least):
    """The adjoint of the potential before a spike of this price."""
    return pv - (price - pv * theta / tau_m) / max(slope, least)


@Kernel
def feed_forward(order, first, last, constants, times, which, width, decays, weights, out, slopes,
                 counts, prices, to_weights, to_delays, to_times):  # fmt: skip
    """The gradients of feed-forward neurons.

    Takes:
        order, first, last, times, which, width, decays, weights: as in `forward.feed_forward`.
        constants: τ_m, τ_s, θ, the end and the least V̇.
        out, slopes, counts: what that filled.
        prices: the loss's derivative with respect to each spike, `(batch, neurons, spikes)`.
        to_weights: `(neurons, inputs)`, added to.
        to_delays: the same, empty where there are none.
        to_times: `(batch, arrivals)` by the input spike, added to.
    """
    tau_m, tau_s, theta, _, least = constants
    shared = times.shape[1] == 1
    arrivals = times.shape[2]
    for b in range(first, last):
        for n in range(weights.shape[0]):
            row, k = 0 if shared else n, counts[b, n] - 1
            while k >= 0 and prices[b, n, k] == 0:
                k -= 1
            if k < 0:
                continue
            pv, pi, after, e = 0.0, 0.0, out[b, n, k], 0
            low, high = 0, arrivals
            while low < high:
                # the arrivals up to the last spike that matters
                middle = (low + high) // 2
                if times[b, row, middle] <= after:
                    low = middle + 1
                else:
                    high = middle
            e = low - 1
            chained = False
            while e >= 0 or k >= 0:
                at = times[b, row, e] if e >= 0 else -1.0
                arrives = e >= 0 and (k < 0 or at >= out[b, n, k])
                if not arrives:
                    at = out[b, n, k]
                if shared and chained and arrives:
                    pi = pi * decays[b, 1, e + 1] + pv * decays[b, 2, e + 1]
                    pv *= decays[b, 0, e + 1]
                else:
                    decay, current, kappa = response(after - at, tau_m, tau_s)
                    pi, pv = pi * current + pv * kappa, pv * decay
                after, chained = at, arrives
                if arrives:
                    arrived(b, n, which[b, row, e], width, weights, pv, pi, tau_m, tau_s,
                            to_weights, to_delays, to_times)  # fmt: skip
                    e -= 1
                else:
                    pv = spiked(pv, prices[b, n, k], slopes[b, n, k], theta, tau_m, least)
                    k -= 1


@Kernel
def recurrent(order, first, last, constants, times, which, width, weights, own, delays, out,
              slopes, counts, prices, to_weights, to_own, to_delays, to_own_delays, to_times,
              work, heads):  # fmt: skip
    """The gradients of recurrent neurons.

    Takes:
        order, first, last, constants, times, which, width, weights: as in `feed_forward`.
        own, delays: recurrent weights and delays, post × pre.
        out, slopes, counts: as in `feed_forward`.
        prices: as there; what the recurrent synapses ask is added.
        to_weights, to_own, to_delays, to_own_delays, to_times: added to; the third may be empty.
        work: `(6, neurons)`.
        heads: `(neurons + 1, neurons)`.
    """
    tau_m, tau_s, theta, until, least = constants
    size, arrivals = weights.shape[0], times.shape[2]
    shared = times.shape[1] == 1
    for b in range(first, last):
        work[:] = 0
        for m in range(size):
            row, e = 0 if shared else m, arrivals - 1
            while e >= 0 and not times[b, row, e] <= until:
                e -= 1
            heads[size, m] = e
            work[FREE, m] = times[b, row, e] if e >= 0 else -1.0
            work[T, m] = until if until < math.inf else 0.0
            count = counts[b, m]
            work[SPIKE, m] = out[b, m, count - 1] if count else -1.0
            latest = -1.0
            for j in range(size):
                k = counts[b, j] - 1
                while k >= 0 and not out[b, j, k] + delays[m, j] <= until:
                    k -= 1
                heads[m, j] = k
                if k >= 0:
                    latest = max(latest, out[b, j, k] + delays[m, j])
            work[RECURRENT, m] = latest
        while True:
            m, latest = -1, -0.5
            for n in range(size):
                due = max(work[SPIKE, n], work[FREE, n], work[RECURRENT, n])
                if due > latest or (m >= 0 and due == latest and work[SPIKE, m] == due
                                    and max(work[FREE, m], work[RECURRENT, m]) < due
                                    and max(work[FREE, n], work[RECURRENT, n]) == due):  # fmt: skip
                    m, latest = n, due
            if m < 0:
                break
            pv, pi = work[P_V, m], work[P_I, m]
            if pv != 0 or pi != 0:
                decay, current, kappa = response(work[T, m] - latest, tau_m, tau_s)
                pi, pv = pi * current + pv * kappa, pv * decay
            if work[RECURRENT, m] == latest:
                taken, nearest = False, -1.0
                for j in range(size):
                    k = heads[m, j]
                    if k < 0:
                        continue
                    at = out[b, j, k] + delays[m, j]
                    if at == latest and not taken:
                        taken = True
                        moved = moving(own[m, j], pv, pi, tau_m, tau_s)
                        to_own[m, j] += pi
                        to_own_delays[m, j] += moved
                        prices[b, j, k] += moved
                        heads[m, j] = k - 1
                        if k == 0:
                            continue
                        at = out[b, j, k - 1] + delays[m, j]
                    nearest = max(nearest, at)
                work[RECURRENT, m] = nearest
            elif work[FREE, m] == latest:
                row = 0 if shared else m
                e = heads[size, m]
                arrived(b, m, which[b, row, e], width, weights, pv, pi, tau_m, tau_s,
                        to_weights, to_delays, to_times)  # fmt: skip
                heads[size, m] = e - 1
                work[FREE, m] = times[b, row, e - 1] if e > 0 else -1.0
            else:
                k = counts[b, m] - 1
                counts[b, m] = k
                pv = spiked(pv, prices[b, m, k], slopes[b, m, k], theta, tau_m, least)
                work[SPIKE, m] = out[b, m, k - 1] if k > 0 else -1.0
            work[P_V, m], work[P_I, m], work[T, m] = pv, pi, latest
