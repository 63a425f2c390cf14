"""Pairs and triplets of spikes, summed over samples and steps: event-driven, on the processor.

For each synapse from unit j to neuron i the two sums

    up_ij   = Σ_n g[n] S_i[n] r_j[n] (a₂⁺ + a₃⁺ o'_i[n])
    down_ij = Σ_n g[n] S_j[n] o_i[n] (a₂⁻ + a₃⁻ r'_j[n])

with the presynaptic traces r and r' and the postsynaptic ones o and o', as they are before the
spikes of the step. A weight that several synapses share, as in a convolution, gets the sum over
them. Work is proportional to spikes times the synapses of a unit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from surgrad.events import SpikeTrain
from surgrad.kernels.compiled import Kernel, inlined
from surgrad.plasticity.taps import Taps


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
def mark(trace, at, units, start, stop, channels, places, nearest):
    """Add spikes to a trace, or set it to one where only the nearest spike counts."""
    for k in range(start, stop):
        # the channels of a place lie side by side
        unit = at + units[k] % places * channels + units[k] // places
        trace[unit] = np.float32(1.0) if nearest else trace[unit] + np.float32(1.0)


@inlined
def deposit(sums, trace, at, size, row, channels, table, place, places, taps):
    """Add what a spike finds of a trace on the other side, for each tap of the kernel."""
    for tap in range(taps):
        other = table[tap * places + place]
        if other >= 0:
            into, seen = (row * taps + tap) * channels, at + other * channels
            for j in range(channels):
                sums[into + j] += size * trace[seen + j]


@Kernel
def pairs(order, sizes, pre, post, tables, gains, amplitudes, decays, work, up, down):
    """Add to `up` (post × taps × pre) and `down` (pre × taps × post), channels of either side.

    Args:
        order: empty.
        sizes: steps, samples, presynaptic channels, postsynaptic ones, taps, presynaptic places,
            postsynaptic ones, nearest, at once.
        pre: row pointers and units of the presynaptic spikes.
        post: the same of the postsynaptic ones.
        tables: see `Taps`.
        gains: g of each sample and step.
        amplitudes: a₂⁺, a₂⁻, a₃⁺, a₃⁻.
        decays: of r, o, r', o'.
        work: space for the four traces.
        up: the sums that potentiate.
        down: those that depress.
    """
    steps, samples, M, N, taps, Q, P, nearest, at_once = sizes
    rows, units = pre
    post_rows, post_units = post
    before, after = tables
    r, o, r2, o2 = 0, M * Q, M * Q + N * P, 2 * M * Q + N * P
    for sample in range(samples):
        for n in range(2 * (M * Q + N * P)):
            work[n] = np.float32(0.0)
        for t in range(steps):
            row = sample * steps + t
            a, b, c, d = rows[row], rows[row + 1], post_rows[row], post_rows[row + 1]
            fade(work, r, M * Q, decays[0])
            fade(work, o, N * P, decays[1])
            fade(work, r2, M * Q, decays[2])
            fade(work, o2, N * P, decays[3])
            gain = gains[row]
            if at_once:
                mark(work, r, units, a, b, M, Q, nearest)
            if gain != 0.0:
                for k in range(c, d):
                    i, place = post_units[k] // P, post_units[k] % P
                    size = gain * (amplitudes[0] + amplitudes[2] * work[o2 + place * N + i])
                    deposit(up, work, r, size, i, M, before, place, P, taps)
                for k in range(a, b):
                    j, place = units[k] // Q, units[k] % Q
                    size = gain * (amplitudes[1] + amplitudes[3] * work[r2 + place * M + j])
                    deposit(down, work, o, size, j, N, after, place, Q, taps)
            if not at_once:
                mark(work, r, units, a, b, M, Q, nearest)
            mark(work, r2, units, a, b, M, Q, nearest)
            mark(work, o, post_units, c, d, N, P, nearest)
            mark(work, o2, post_units, c, d, N, P, nearest)


def sums(
    pre: SpikeTrain,
    post: SpikeTrain,
    gains: Tensor,
    amplitudes: Amplitudes,
    decays: Decays,
    *,
    taps: Taps | None = None,
    nearest: bool = False,
    at_once: bool = False,
) -> tuple[Tensor, Tensor]:
    """Potentiation and depression of each weight, both `(post, pre, taps)`.

    Args:
        pre: presynaptic spikes, `(time, batch, *features)`.
        post: postsynaptic spikes of as many steps and samples.
        gains: what a pair counts for that is complete in a step, `(batch, time)`.
        amplitudes: of pairs and triplets.
        decays: of the traces.
        taps: how units are joined, in channels and places; None for all with all.
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
    taps = Taps.dense() if taps is None else taps
    count, Q, P = taps.sizes
    M, N = pre.units // Q, post.units // P
    up, down = torch.zeros(N, count, M), torch.zeros(M, count, N)
    pairs(
        (),
        (pre.time, pre.batch, M, N, count, Q, P, int(nearest), int(at_once)),
        (pre.indptr.numpy(), pre.indices.numpy()),
        (post.indptr.numpy(), post.indices.numpy()),
        taps.tables,
        gains.float().contiguous().view(-1).numpy(),
        tuple(np.float32(a) for a in amplitudes),
        tuple(np.float32(a) for a in decays),
        np.empty(2 * (pre.units + post.units), np.float32),
        up.view(-1).numpy(),
        down.view(-1).numpy(),
    )
    return up.transpose(1, 2), down.permute(2, 0, 1)
