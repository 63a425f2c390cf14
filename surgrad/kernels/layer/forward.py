"""The forward pass of a layer, one block of samples at a time; see README.md for the equations.

Arrays are flat; `rows` count in units of the padded layer size `N`. An array that is not wanted is
empty.
"""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import Kernel, inlined
from surgrad.kernels.lanes import WIDTH, append, fma, load, select, splat, store, stream
from surgrad.kernels.layer.rows import (
    add,
    add_scaled,
    ahead,
    ahead_to_write,
    clear,
    copy,
    flush,
    gather,
)

# rows of the work space; two sets of state components come behind them
DRIVE, SPIKES, HOLD, STATE = 0, 1, 2, 3


@inlined
def arriving(target, to, t, sample, n0, sizes, sources):
    """The feed-forward current of step `t`: a row of the current, or the bias and the spikes."""
    steps, samples, size, width = sizes[:4]
    current, starts, stops, units, weights, bias = sources
    if current.size:
        at = (t * samples + sample) * size + n0
        if t + 2 < steps:
            ahead(current, at + 2 * samples * size, width)
        copy(target, to, current, at, width)
        return
    copy(target, to, bias, 0, width)
    if weights.size:
        row = sample * steps + t
        gather(target, to, weights, units, starts[row], stops[row], width)


@inlined
def advance(order, work, old, new, at, p0, sizes, P, kept):
    """One step of all neurons: the new state, the membrane potential and the spikes.

    `at` is where the step's row lies in the sequences that are kept, `p0` in the parameters.
    """
    K = len(order)
    _, _, size, width, spread, _, refractory, zeroed, spiking = sizes
    potentials, spikes, states, drives = kept
    span = size if spread else WIDTH
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for n in range(0, width, WIDTH):
        p = p0 + n * spread
        drive = load(work, DRIVE * width + n)
        spike = load(work, SPIKES * width + n)
        v = zero
        for k in range(K):
            x = load(P, (K * K + k) * span + p) * drive
            for j in range(K):
                x = fma(load(P, (k * K + j) * span + p), load(work, (old + j) * width + n), x)
            if (zeroed >> k) & 1:
                x = x * (one - spike)
            x = flush(fma(load(P, (K * K + K + k) * span + p), spike, x))
            store(work, (new + k) * width + n, x)
            v = fma(load(P, (K * K + 2 * K + k) * span + p), x, v)
            if states.size:
                store(states, k * (states.size // K) + at + n, x)
        if drives.size:
            store(drives, at + n, drive)
        if potentials.size:
            stream(potentials, at + n, v)
        if spiking:
            fired = v > load(P, (K * K + 3 * K) * span + p)
            if refractory:
                hold = load(work, HOLD * width + n)
                fired = fired & (hold <= zero)
                left = select(fired, splat(np.float32(refractory)), hold - one)
                store(work, HOLD * width + n, left)
            spike = select(fired, one, zero)
            store(work, SPIKES * width + n, spike)
            if spikes.size:
                store(spikes, at + n, spike)


@inlined
def emit(work, width, counts, at, units, position):
    """Append the units that spiked, in order and without a branch, and count them."""
    half = splat(np.float32(0.5))
    add(counts, at, work, SPIKES * width, width)
    if units.size:
        for n in range(0, width, WIDTH):
            position += append(units, position, load(work, SPIKES * width + n) > half, n)
    return position


@Kernel
def forward(
    order, first, last, work, sizes, P, sources, recurrent, initial, lengths, kept, sinks, final
):
    """Run the tasks `[first, last)`, each a sample and a piece of the layer.

    Args:
        order: K zeros.
        first: the first task; a layer is cut into `size // width` pieces.
        last: behind the last task.
        work: space for `3 + 2K` rows.
        sizes: steps, samples, size, width, spread, delay, refractory, zeroed, spiking.
        P: the rows of A, b, r, c and θ.
        sources: current, or starts, stops, units, weights and bias.
        recurrent: a row of weights for each neuron that spikes.
        initial: x, s, i and hold.
        lengths: valid steps of each sample.
        kept: potentials, spikes, states and drives, each of all steps.
        sinks: starts, stops and units of the spikes emitted, and their counts.
        final: x, s, i and hold.
    """
    K = len(order)
    steps, samples, size, width, spread, delay, _, _, spiking = sizes
    starts, stops, units, counts = sinks
    x0, s0, i0, hold0 = initial
    pieces = size // width
    position = (first // pieces) * steps * size
    for task in range(first, last):
        sample, n0 = task // pieces, (task % pieces) * width
        state = sample * size + n0
        old, new = STATE, STATE + K
        for k in range(K):
            copy(work, (old + k) * width, x0, k * samples * size + state, width)
        copy(work, SPIKES * width, s0, state, width)
        copy(work, HOLD * width, hold0, state, width)
        for t in range(lengths[sample]):
            if delay and t == 0:
                copy(work, DRIVE * width, i0, state, width)
            else:
                arriving(work, DRIVE * width, t - delay, sample, n0, sizes, sources)
            row = sample * steps + t
            if recurrent.size and t > 0:
                gather(
                    work, DRIVE * width, recurrent, units, starts[row - 1], stops[row - 1], width
                )
            elif recurrent.size and s0.size:
                for j in range(size):
                    if s0[state + j] != 0:
                        add_scaled(work, DRIVE * width, s0[state + j], recurrent, j * size, width)
            at = (t * samples + sample) * size + n0
            if t + 2 < steps:
                ahead_to_write(kept[1], at + 2 * samples * size, width)
            advance(order, work, old, new, at, n0 * spread, sizes, P, kept)
            if spiking:
                ended = emit(work, width, counts, state, units, position)
                if starts.size:
                    starts[row], stops[row] = position, ended
                    position = ended
            old, new = new, old
        for t in range(lengths[sample], steps):
            at = (t * samples + sample) * size + n0
            for target in kept[:2]:
                if target.size:
                    clear(target, at, width)
            if starts.size:
                starts[sample * steps + t] = stops[sample * steps + t] = position
        for k in range(K):
            copy(final[0], k * samples * size + state, work, (old + k) * width, width)
        copy(final[1], state, work, SPIKES * width, width)
        copy(final[3], state, work, HOLD * width, width)
        if lengths[sample]:
            arriving(final[2], state, lengths[sample] - 1, sample, n0, sizes, sources)
        else:
            copy(final[2], state, i0, state, width)
