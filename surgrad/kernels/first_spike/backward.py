"""The backward kernel: the gradient of the first crossings by the implicit function theorem."""

from __future__ import annotations

import math
from typing import Any

from surgrad.kernels.compiled import Kernel, inlined
from surgrad.kernels.first_spike.forward import DOUBLE, NON_LEAKY, as_in


@inlined
def added(values: Any) -> float:
    """The sum, in eight chains that need not wait for each other."""
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = len(values) // 8 * 8
    for n in range(0, whole, 8):
        a += values[n]
        b += values[n + 1]
        c += values[n + 2]
        d += values[n + 3]
        e += values[n + 4]
        f += values[n + 5]
        g += values[n + 6]
        h += values[n + 7]
    for n in range(whole, len(values)):
        a += values[n]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


def _first_spikes_adjoint(
    order: tuple[int, ...],
    model: int,
    times: Any,
    index: Any,
    weight: Any,
    out: Any,
    causal: Any,
    cost: Any,
    to_weight: Any,
    to_times: Any,
    state: Any,
    first: int,
    last: int,
) -> None:
    """Add to `to_weight` and fill `to_times` of the samples from `first` to `last`.

    `cost` is ∂ℓ/∂s_out divided by V̇, 0 for silent neurons; an empty `to_times` is not wanted. From
    the last causal input to the first, with all neurons side by side: `e` is e^−(s_out − s_j), and
    `c` the cost once `j` is causal.
    """
    e, c, part, begin = state[0], state[1], state[2], state[3]
    neurons = out.shape[1]
    for b in range(first, last):
        longest = 0
        for n in range(neurons):
            e[n], c[n] = 0.0, 0.0
            longest = max(longest, causal[b, n])
            if causal[b, n] > 0:
                begin[n] = math.exp(times[b, causal[b, n] - 1] - out[b, n])
        for k in range(longest - 1, -1, -1):
            gap = times[b, k] - times[b, k + 1] if k + 1 < longest else -math.inf
            decay, one, half = as_in(part, math.exp(gap)), as_in(part, 1), as_in(part, 0.5)
            row, grad = weight[index[b, k]], to_weight[index[b, k]]
            for n in range(neurons):
                enters = causal[b, n] == k + 1
                e[n] = begin[n] if enters else e[n] * decay
                c[n] = cost[b, n] if enters else c[n]
            if model == NON_LEAKY:
                for n in range(neurons):
                    grad[n] -= c[n] * (one - e[n])
                    part[n] = c[n] * row[n] * e[n]
            elif model == DOUBLE:
                for n in range(neurons):
                    x = math.sqrt(e[n])
                    grad[n] -= c[n] * (x - e[n])
                    part[n] = c[n] * row[n] * (e[n] - half * x)
            else:
                for n in range(neurons):
                    # a neuron that is not yet causal, or silent, has no cost
                    s = out[b, n] - times[b, k] if c[n] != 0.0 else 0.0
                    grad[n] -= c[n] * s * e[n]
                    part[n] = c[n] * row[n] * (1.0 - s) * e[n]
            if len(to_times) > 0:
                to_times[b, index[b, k]] = added(part)


first_spikes_adjoint = Kernel(_first_spikes_adjoint)
