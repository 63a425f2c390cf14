"""Layers run from event to event: feed-forward neurons one by one, recurrent ones together.

Times are float64. Arrivals are sorted; `which` says for each the input spike it comes from,
numbered `unit * spikes + spike`. With delays of single synapses each neuron has an order of its
own, else one is shared, and so are the decays between one arrival and the next.
"""

from __future__ import annotations

import math

from surgrad.kernels.compiled import Kernel
from surgrad.timing.eventprop.crossing import crossing, response

# the rows of the work space of a recurrent layer
V, I, T, FREE, RECURRENT, CROSS = range(6)


@Kernel
def spread(order, first, last, times, tau_m, tau_s, decays):
    """The decays between one shared arrival and the next, `(batch, 3, arrivals)`."""
    for b in range(first, last):
        before = 0.0
        for e in range(times.shape[2]):
            t = times[b, 0, e]
            if t == math.inf:
                break
            decays[b, 0, e], decays[b, 1, e], decays[b, 2, e] = response(t - before, tau_m, tau_s)
            before = t


@Kernel
def feed_forward(order, first, last, constants, times, which, width, decays, weights, out, slopes,
                 counts, full):  # fmt: skip
    """Run feed-forward neurons.

    Takes:
        order: see `Kernel`.
        first, last: the samples.
        constants: τ_m, τ_s, θ, the end, and whether to use closed forms.
        times, which: `(batch, neurons or 1, arrivals)`, sorted, infinite where there is none.
        width: the spikes of an input unit.
        decays: of `spread`; empty if arrivals are not shared.
        weights: `(neurons, inputs)`.
        out, slopes: `(batch, neurons, spikes)`, filled with the spikes and V̇ at each.
        counts: `(batch, neurons)`.
        full: `(batch,)`, set to 1 where the spikes did not fit.
    """
    tau_m, tau_s, theta, until, closed = constants
    shared = times.shape[1] == 1
    arrivals = times.shape[2]
    for b in range(first, last):
        for n in range(weights.shape[0]):
            row = 0 if shared else n
            v, i, t, before, count = 0.0, 0.0, 0.0, 0.0, 0
            v1, i1 = 0.0, 0.0
            for e in range(arrivals + 1):
                arrival = times[b, row, e] if e < arrivals else math.inf
                stop = min(arrival, until)
                known = shared and t == before and stop == arrival and arrival < math.inf
                if known:
                    v1 = v * decays[b, 0, e] + i * decays[b, 2, e]
                    i1 = i * decays[b, 1, e]
                # if it is still rising at the end, it was below θ before
                if i > theta and not (known and v1 <= theta and i1 >= v1):
                    h = crossing(v, i, stop - t, tau_m, tau_s, theta, closed)
                    while h <= stop - t and h < math.inf:
                        i *= math.exp(-h / tau_s)
                        if count == out.shape[2]:
                            full[b] = 1
                            break
                        t += h
                        out[b, n, count], slopes[b, n, count] = t, (i - theta) / tau_m
                        count += 1
                        v, known = 0.0, False
                        h = crossing(v, i, stop - t, tau_m, tau_s, theta, closed)
                if arrival > until or arrival == math.inf:
                    break
                if known:
                    v, i = v1, i1
                else:
                    decay, current, kappa = response(stop - t, tau_m, tau_s)
                    v, i = v * decay + i * kappa, i * current
                t = before = arrival
                i += weights[n, which[b, row, e] // width]
            counts[b, n] = count


@Kernel
def recurrent(order, first, last, constants, times, which, width, weights, own, delays, out,
              slopes, counts, full, work, heads):  # fmt: skip
    """Run recurrent neurons, always the one to which something happens next.

    Takes:
        order: see `Kernel`.
        first, last, constants, times, which, width, weights: as in `feed_forward`.
        own: recurrent weights, post × pre.
        delays: of these, post × pre, in seconds; may be zero.
        out, slopes, counts, full: as in `feed_forward`.
        work: `(6, neurons)`.
        heads: `(neurons + 1, neurons)`: the next spike of each neuron that each has to hear of,
            and in the last row the next free arrival.
    """
    tau_m, tau_s, theta, until, closed = constants
    size, arrivals = weights.shape[0], times.shape[2]
    shared = times.shape[1] == 1
    for b in range(first, last):
        work[:] = 0
        heads[:] = 0
        counts[b] = 0
        for n in range(size):
            work[FREE, n] = times[b, 0 if shared else n, 0] if arrivals else math.inf
            work[RECURRENT, n] = work[CROSS, n] = math.inf
        while True:
            m, soonest = -1, math.inf
            for n in range(size):
                due = min(work[CROSS, n], work[FREE, n], work[RECURRENT, n])
                if due < soonest or (due == soonest and m >= 0 and work[CROSS, n] == due
                                     and work[CROSS, m] != due):  # fmt: skip
                    m, soonest = n, due
            if m < 0 or soonest > until:
                break
            decay, current, kappa = response(soonest - work[T, m], tau_m, tau_s)
            v = work[V, m] * decay + work[I, m] * kappa
            i = work[I, m] * current
            if work[CROSS, m] == soonest:
                count = counts[b, m]
                if count == out.shape[2]:
                    full[b] = 1
                    break
                out[b, m, count], slopes[b, m, count] = soonest, (i - theta) / tau_m
                counts[b, m] = count + 1
                v = 0.0
                for n in range(size):
                    if heads[n, m] == count:
                        work[RECURRENT, n] = min(work[RECURRENT, n], soonest + delays[n, m])
            elif work[FREE, m] == soonest:
                row = 0 if shared else m
                e = heads[size, m]
                i += weights[m, which[b, row, e] // width]
                heads[size, m] = e + 1
                work[FREE, m] = times[b, row, e + 1] if e + 1 < arrivals else math.inf
            else:
                taken = False
                nearest = math.inf
                for j in range(size):
                    if heads[m, j] >= counts[b, j]:
                        continue
                    at = out[b, j, heads[m, j]] + delays[m, j]
                    if at == soonest and not taken:
                        taken = True
                        i += own[m, j]
                        heads[m, j] += 1
                        if heads[m, j] == counts[b, j]:
                            continue
                        at = out[b, j, heads[m, j]] + delays[m, j]
                    nearest = min(nearest, at)
                work[RECURRENT, m] = nearest
            work[V, m], work[I, m], work[T, m] = v, i, soonest
            ahead = min(min(work[FREE, m], work[RECURRENT, m]), until) - soonest
            work[CROSS, m] = soonest + crossing(v, i, ahead, tau_m, tau_s, theta, closed)
