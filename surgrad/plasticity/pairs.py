"""Pairs and triplets of spikes, summed over samples and steps: event-driven, on the processor.

For each synapse from unit j to neuron i the two sums

    up_ij   = Σ_n g[n] S_i[n] r_j[n] (a₂⁺ + a₃⁺ o'_i[n])
    down_ij = Σ_n g[n] S_j[n] o_i[n] (a₂⁻ + a₃⁻ r'_j[n])

with the presynaptic traces r and r' and the postsynaptic ones o and o', as they are before the
spikes of the step. Work is proportional to spikes times the other side's units.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from surgrad.events import SpikeTrain
from surgrad.kernels.compiled import Kernel, inlined


class Amplitudes(NamedTuple):
    """Pair and triplet amplitudes of potentiation and depression."""

    up: float
    down: float
    up_triplet: float
    down_triplet: float


class Decays(NamedTuple):
    """Of the traces over one step: r, o, r' and o'."""

    pre: float
    post: float
    pre_slow: float
    post_slow: float


@inlined
def fade(trace, at, size, factor):
    """Let a trace decay."""
    for n in range(at, at + size):
        trace[n] *= factor


@inlined
def mark(trace, at, units, start, stop, nearest):
    """Add spikes to a trace, or set it to one where only the nearest spike counts."""
    for k in range(start, stop):
        place = at + units[k]
        trace[place] = np.float32(1.0) if nearest else trace[place] + np.float32(1.0)


@Kernel
def pairs(order, sizes, pre, post, gains, amplitudes, decays, work, up, down):
    """Add to `up` (post × pre) and `down` (pre × post).

    Args:
        order: empty.
        sizes: steps, samples, presynaptic units, postsynaptic units, nearest, at once.
        pre: row pointers and units of the presynaptic spikes.
        post: the same of the postsynaptic ones.
        gains: g of each sample and step.
        amplitudes: a₂⁺, a₂⁻, a₃⁺, a₃⁻.
        decays: of r, o, r', o'.
        work: space for the four traces.
        up: the sums that potentiate, post × pre.
        down: those that depress, pre × post.
    """
    steps, samples, M, N, nearest, at_once = sizes
    rows, units = pre
    post_rows, post_units = post
    r, o, r2, o2 = 0, M, M + N, 2 * M + N
    for sample in range(samples):
        for n in range(2 * (M + N)):
            work[n] = np.float32(0.0)
        for t in range(steps):
            row = sample * steps + t
            a, b, c, d = rows[row], rows[row + 1], post_rows[row], post_rows[row + 1]
            fade(work, r, M, decays[0])
            fade(work, o, N, decays[1])
            fade(work, r2, M, decays[2])
            fade(work, o2, N, decays[3])
            gain = gains[row]
            if at_once:
                mark(work, r, units, a, b, nearest)
            if gain != 0.0:
                for k in range(c, d):
                    i = post_units[k]
                    size = gain * (amplitudes[0] + amplitudes[2] * work[o2 + i])
                    for j in range(M):
                        up[i * M + j] += size * work[r + j]
                for k in range(a, b):
                    j = units[k]
                    size = gain * (amplitudes[1] + amplitudes[3] * work[r2 + j])
                    for i in range(N):
                        down[j * N + i] += size * work[o + i]
            if not at_once:
                mark(work, r, units, a, b, nearest)
            mark(work, r2, units, a, b, nearest)
            mark(work, o, post_units, c, d, nearest)
            mark(work, o2, post_units, c, d, nearest)


def sums(
    pre: SpikeTrain,
    post: SpikeTrain,
    gains: Tensor,
    amplitudes: Amplitudes,
    decays: Decays,
    *,
    nearest: bool = False,
    at_once: bool = False,
) -> tuple[Tensor, Tensor]:
    """Potentiation and depression of each synapse, both `(post, pre)`.

    Args:
        pre: presynaptic spikes, `(time, batch, *features)`.
        post: postsynaptic spikes of as many steps and samples.
        gains: what a pair counts for that is complete in a step, `(batch, time)`.
        amplitudes: of pairs and triplets.
        decays: of the traces.
        nearest: whether only the last spike before counts, and not all.
        at_once: whether an input acts in its own step, so that a spike together with its cause is
            potentiated.

    Example:
        >>> one = SpikeTrain.from_events([0], [0], [0], time=3, features=(1,), batch=1)
        >>> two = SpikeTrain.from_events([2], [0], [0], time=3, features=(1,), batch=1)
        >>> decays, gains = Decays(0.5, 0.5, 0, 0), torch.ones(1, 3)
        >>> up, down = sums(one, two, gains, Amplitudes(1, 1, 0, 0), decays)
        >>> up.item(), down.item()
        (0.25, 0.0)
    """
    M, N = pre.units, post.units
    up, down = torch.zeros(N, M), torch.zeros(M, N)
    sizes = (pre.time, pre.batch, M, N, int(nearest), int(at_once))
    pairs(
        (),
        sizes,
        (pre.indptr.numpy(), pre.indices.numpy()),
        (post.indptr.numpy(), post.indices.numpy()),
        gains.float().contiguous().view(-1).numpy(),
        tuple(np.float32(a) for a in amplitudes),
        tuple(np.float32(a) for a in decays),
        np.empty(2 * (M + N), np.float32),
        up.view(-1).numpy(),
        down.view(-1).numpy(),
    )
    return up, down.T
