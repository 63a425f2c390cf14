"""The backward kernel: the gradient of the first crossings by the implicit function theorem."""

from __future__ import annotations

import math
from typing import Any

from surgrad.kernels.compiled import Kernel
from surgrad.kernels.first_spike.forward import DOUBLE, NON_LEAKY


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

    `cost` is ∂ℓ/∂s_out divided by V̇, 0 for silent neurons. From the last causal input to the first,
    with all neurons side by side; `e` is e^−(s_out − s_j), and `c` the cost once `j` is causal.
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
            decay = math.exp(times[b, k] - times[b, k + 1]) if k + 1 < longest else 0.0
            row, grad = weight[index[b, k]], to_weight[index[b, k]]
            for n in range(neurons):
                enters = causal[b, n] == k + 1
                e[n] = begin[n] if enters else e[n] * decay
                c[n] = cost[b, n] if enters else c[n]
            if model == NON_LEAKY:
                for n in range(neurons):
                    grad[n] -= c[n] * (1.0 - e[n])
                    part[n] = c[n] * row[n] * e[n]
            elif model == DOUBLE:
                for n in range(neurons):
                    x = math.sqrt(e[n])
                    grad[n] -= c[n] * (x - e[n])
                    part[n] = c[n] * row[n] * (e[n] - 0.5 * x)
            else:
                for n in range(neurons):
                    # a neuron that is not yet causal, or silent, has no cost
                    s = out[b, n] - times[b, k] if c[n] != 0.0 else 0.0
                    grad[n] -= c[n] * s * e[n]
                    part[n] = c[n] * row[n] * (1.0 - s) * e[n]
            total = 0.0
            for n in range(neurons):
                total += part[n]
            to_times[b, index[b, k]] = total


first_spikes_adjoint = Kernel(_first_spikes_adjoint)
