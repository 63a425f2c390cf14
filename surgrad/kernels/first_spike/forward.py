"""The forward kernel: from sorted input times to the first crossing of each neuron."""

from __future__ import annotations

import math
from typing import Any

from surgrad.kernels.compiled import Kernel, inlined

NON_LEAKY, DOUBLE, EQUAL = 0, 1, 2

# in units of τ: e to its minus is 0, and it times 0 still is
LONG = 1e9


@inlined
def lambert(x: float) -> float:
    """W₀ on [-1/e, 0): from the series at the branch point, by Halley's steps."""
    p = math.sqrt(max(2.0 * (1.0 + math.e * x), 0.0))
    w = -1.0 + p * (1.0 - p * (1.0 / 3.0 - p * (11.0 / 72.0 - p * 43.0 / 540.0)))
    for _ in range(6):
        e = math.exp(w)
        f = w * e - x
        slope = e * (w + 1.0)
        if slope < 1e-9:
            break
        w -= f / (slope - f * (w + 2.0) / (2.0 * w + 2.0))
    return min(max(w, -1.0), 0.0)


@inlined
def crossing(model: int, v: float, i: float, theta: float) -> tuple[float, float]:
    """The time from (v, i) to the first crossing, negative if there is none, and V̇ there."""
    if v >= theta:
        # it was reached within the rounding of the step before
        return 0.0, i if model == NON_LEAKY else (i - v) * (0.5 if model == DOUBLE else 1.0)
    if model == NON_LEAKY:
        if v + i <= theta:
            return -1.0, 0.0
        return -math.log1p(-(theta - v) / i), v + i - theta
    if model == DOUBLE:
        total = v + i
        inside = total * total - 4.0 * i * theta
        if i <= 0.0 or total <= 0.0 or total >= 2.0 * i or inside < 0.0:
            return -1.0, 0.0
        x = (total + math.sqrt(inside)) / (2.0 * i)
        return -2.0 * math.log(x), x * (i * x - 0.5 * total)
    peak = 1.0 - v / i if i > 0.0 else -1.0
    if peak <= 0.0 or i * math.exp(-peak) < theta:
        return -1.0, 0.0
    ratio = v / i
    s = -lambert(-theta / i * math.exp(-ratio)) - ratio
    s = min(max(s, 0.0), peak)
    # the series loses digits where v / i is large: one step of Newton's brings them back
    slope = (i - v - i * s) * math.exp(-s)
    if slope > 1e-6 * theta:
        s = min(s + (theta - (v + i * s) * math.exp(-s)) / slope, peak)
    return max(s, 0.0), (i - v - i * s) * math.exp(-s)


@inlined
def as_in(array: Any, number: float) -> Any:
    """A number in the precision of an array, whose first element is lost."""
    array[0] = number
    return array[0]


@inlined
def advance(
    model: int, step: float, theta: float, row: Any, v: Any, i: Any, after: Any, hit: Any
) -> int:
    """Add a row of weights to the currents; mark, and count, who may cross before `step`.

    `v` is left as it is, and `after` gets the potentials at the end of the step. Who is marked
    crosses for certain but for the third model, where the exponential of the peak is bounded by
    three terms of its series.
    """
    hits, level = 0, as_in(after, theta)
    if model == NON_LEAKY:
        rise = as_in(after, -math.expm1(-step))
        for n in range(len(v)):
            i[n] += row[n]
            after[n] = v[n] + i[n] * rise
            hit[n] = after[n] >= level
            hits += hit[n]
    elif model == DOUBLE:
        x, two, four = as_in(after, math.exp(-0.5 * step)), as_in(after, 2), as_in(after, 4)
        for n in range(len(v)):
            i[n] += row[n]
            total, twice = v[n] + i[n], two * i[n]
            after[n] = (total - i[n] * x) * x
            peaks = (total < twice) & (total > twice * x)
            hit[n] = (after[n] >= level) | (peaks & (total * total >= four * level * i[n]))
            hits += hit[n]
    else:
        x, long, half = as_in(after, math.exp(-step)), as_in(after, step), as_in(after, 0.5)
        for n in range(len(v)):
            i[n] += row[n]
            after[n] = (v[n] + i[n] * long) * x
            rising = i[n] - v[n]
            square = i[n] * i[n]
            least = level * (square + rising * (i[n] + half * rising))
            peaks = (rising > 0) & (rising < i[n] * long) & (square * i[n] >= least)
            hit[n] = (after[n] >= level) | peaks
            hits += hit[n]
    return hits


def _first_spikes(
    order: tuple[int, ...],
    model: int,
    theta: float,
    times: Any,
    index: Any,
    sizes: Any,
    weight: Any,
    out: Any,
    causal: Any,
    slope: Any,
    state: Any,
    hit: Any,
    first: int,
    last: int,
) -> None:
    """Fill `out`, `causal` and `slope` of the samples from `first` to `last`.

    Times are in units of τ and sorted; only the first `sizes[b]` of a sample count. `weight` has a
    row for each input. A neuron that spiked is at minus infinity, from where it never returns.
    """
    v, i, after = state[0], state[1], state[2]
    neurons = out.shape[1]
    for b in range(first, last):
        for n in range(neurons):
            v[n], i[n] = 0.0, 0.0
            out[b, n], causal[b, n], slope[b, n] = math.inf, 0, 0.0
        waiting = neurons
        for k in range(sizes[b]):
            step = LONG
            if k + 1 < sizes[b]:
                step = min(times[b, k + 1] - times[b, k], LONG)
            row = weight[index[b, k]]
            if advance(model, step, theta, row, v, i, after, hit) > 0:
                for n in range(neurons):
                    if hit[n]:
                        s, rate = crossing(model, v[n], i[n], theta)
                        if s >= 0.0 and (s <= step or after[n] >= theta):
                            out[b, n] = times[b, k] + min(s, step)
                            causal[b, n], slope[b, n] = k + 1, rate
                            after[n] = -math.inf
                            waiting -= 1
            if waiting == 0:
                break
            v, after = after, v
            if k + 1 == sizes[b]:
                break
            decay = as_in(after, math.exp(-step))
            for n in range(neurons):
                i[n] *= decay


first_spikes = Kernel(_first_spikes)
