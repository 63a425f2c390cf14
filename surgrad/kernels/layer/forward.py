"""The forward pass of a layer, one block of samples at a time; see README.md for the equations.

Arrays are flat. What is kept for the adjoint lies sample by sample, step by step. An array that is
not wanted is empty.
"""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import Kernel, inlined
from surgrad.kernels.lanes import WIDTH, append, fixed, fma, load, select, splat, store, stream
from surgrad.kernels.layer.memory import BLOCK
from surgrad.kernels.layer.primitives import primitive
from surgrad.kernels.layer.rows import clear, copy, flush
from surgrad.kernels.layer.weights import add_row, gather, gather_all, multiply

# rows of the work space behind the tile of currents; two sets of state components come last
SPIKES, HOLD, STATE = 0, 1, 2


@inlined
def arriving(work, t, count, sample, n0, sizes, sources, pending):
    """Fill the tile with the feed-forward currents that act in the `count` steps from `t` on."""
    steps, _, size, width, delay = sizes[:5]
    current, along, across, starts, stops, units, weights, bias = sources
    for i in range(count):
        before = t + i - delay
        if before < 0:
            copy(work, i * width, pending, sample * size + n0, width)
        elif current.size:
            copy(work, i * width, current, before * along + sample * across + n0, width)
        else:
            copy(work, i * width, bias, 0, width)
    if weights.size == 0:
        return
    inputs = weights.size // size
    for m in range(0, width, BLOCK):
        span = min(BLOCK, width - m)
        for i in range(max(0, delay - t), count):
            row = sample * steps + t + i - delay
            gather(work, i * width + m, weights, m * inputs, span, units, starts[row], stops[row])


@inlined
def advance(order, own, soft, work, drives, base, old, new, at, p0, place, position, sizes, curve,
            P, kept, sinks):  # fmt: skip
    """One step of all neurons: the state, the membrane potential, the spikes and their events.

    `drives` is where the step's currents begin in the work space, `base` the rows behind the tile,
    `at` where the step's row lies in the sequences that are kept, `p0` in the parameters.
    """
    K = len(order)
    _, _, size, width, _, refractory, zeroed, spiking, _ = sizes
    potentials, spikes, states, inputs = kept
    units, counts = sinks[2:]
    span = size if len(own) else WIDTH
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for n in range(0, width, WIDTH):
        p = p0 + n if len(own) else 0
        drive, spike = load(work, drives + n), load(work, base + SPIKES * width + n)
        v = zero
        for k in range(K):
            x = fixed(P, (K * K + k) * span + p) * drive
            for j in range(K):
                x = fma(fixed(P, (k * K + j) * span + p), load(work, old + j * width + n), x)
            if (zeroed >> k) & 1:
                x = x * (one - spike)
            x = fma(fixed(P, (K * K + K + k) * span + p), spike, x)
            store(work, new + k * width + n, x)
            v = fma(fixed(P, (K * K + 2 * K + k) * span + p), x, v)
            if states.size:
                store(states, k * (states.size // K) + at + n, x)
        if inputs.size:
            store(inputs, at + n, drive)
        if potentials.size:
            stream(potentials, at + n, v)
        if spiking:
            theta = fixed(P, (K * K + 3 * K) * span + p)
            fired, value = v > theta, one
            if len(soft):
                value = primitive(curve[0], v - theta, splat(np.float32(curve[1])))
                value = value * splat(np.float32(curve[2]))
                fired = value > splat(np.float32(0.5))
            if refractory:
                hold = load(work, base + HOLD * width + n)
                fired = fired & (hold <= zero)
                left = select(fired, splat(np.float32(refractory)), hold - one)
                store(work, base + HOLD * width + n, left)
                if len(soft):
                    value = select(hold <= zero, value, zero)
            spike = value if len(soft) else select(fired, one, zero)
            store(work, base + SPIKES * width + n, spike)
            store(counts, place + n, load(counts, place + n) + spike)
            if spikes.size:
                stream(spikes, at + n, spike)
            if units.size:
                position += append(units, position, fired, n)
    return position


@inlined
def returning(soft, work, to, base, row, state, width, recurrent, size, s0, sinks, first):
    """Add what the layer's own spikes of the step before bring; those of `s0` in the first step."""
    if len(soft):
        spikes = base + SPIKES * width
        multiply(work, to, width, 1, work, spikes, width, size, recurrent, width)
    elif not first:
        starts, stops, units, _ = sinks
        gather_all(work, to, recurrent, size, width, units, starts[row], stops[row])
    elif s0.size:
        for j in range(size):
            if s0[state + j] != 0:
                add_row(work, to, s0[state + j], recurrent, size, j, width)


@inlined
def rest(sample, n0, valid, position, sizes, kept, sinks):
    """What the steps beyond a sample's length hold: nothing."""
    steps, _, size, width = sizes[:4]
    starts, stops = sinks[:2]
    for row in range(sample * steps + valid, (sample + 1) * steps):
        for target in kept[:2]:
            if target.size:
                clear(target, row * size + n0, width)
        if starts.size:
            starts[row] = stops[row] = position


@Kernel
def forward(
    order, own, soft, first, last, work, sizes, curve, P, sources, recurrent, initial, lengths,
    kept, sinks, final,
):  # fmt: skip
    """Run the tasks `[first, last)`, each a sample and a piece of the layer.

    Args:
        order: K zeros.
        own: a zero if each neuron has coefficients of its own, else nothing.
        soft: a zero if spikes are the primitive of the surrogate derivative, else nothing.
        first: the first task; a layer is cut into `size // width` pieces.
        last: behind the last task.
        work: space for a tile of `tile` rows and `2 + 2K` more.
        sizes: steps, samples, size, width, delay, refractory, zeroed, spiking, tile.
        curve: number, scale and gain of the surrogate derivative.
        P: the rows of A, b, r, c and θ.
        sources: the current and how far its steps and samples lie apart, or starts, stops, units,
            weights and bias.
        recurrent: a row of weights for each neuron that spikes, in blocks.
        initial: x, s, i and hold.
        lengths: valid steps of each sample.
        kept: potentials, spikes, states and drives, each of all steps.
        sinks: starts, stops and units of the spikes emitted, and their counts.
        final: x, s, i and hold.
    """
    K = len(order)
    steps, samples, size, width, delay, _, _, _, tile = sizes
    starts, stops = sinks[:2]
    x0, s0, i0, hold0 = initial
    pieces, base = size // width, tile * width
    position = (first // pieces) * steps * size
    for task in range(first, last):
        sample, n0 = task // pieces, (task % pieces) * width
        state, valid = sample * size + n0, lengths[sample]
        old, new = base + STATE * width, base + (STATE + K) * width
        for k in range(K):
            copy(work, old + k * width, x0, k * samples * size + state, width)
        copy(work, base + SPIKES * width, s0, state, width)
        copy(work, base + HOLD * width, hold0, state, width)
        for t0 in range(0, valid, tile):
            count = min(tile, valid - t0)
            arriving(work, t0, count, sample, n0, sizes, sources, i0)
            flush(work, old, K * width)
            for i in range(count):
                row = sample * steps + t0 + i
                if recurrent.size:
                    returning(soft, work, i * width, base, row - 1, state, width, recurrent, size,
                              s0, sinks, t0 + i == 0)  # fmt: skip
                ended = advance(order, own, soft, work, i * width, base, old, new, row * size + n0,
                                n0, state, position, sizes, curve, P, kept, sinks)  # fmt: skip
                if starts.size:
                    starts[row], stops[row] = position, ended
                    position = ended
                old, new = new, old
        rest(sample, n0, valid, position, sizes, kept, sinks)
        for k in range(K):
            copy(final[0], k * samples * size + state, work, old + k * width, width)
        copy(final[1], state, work, base + SPIKES * width, width)
        copy(final[3], state, work, base + HOLD * width, width)
        # what has come in the last step is pending
        if valid == 0:
            copy(final[2], state, i0, state, width)
        else:
            arriving(work, valid - 1 + delay, 1, sample, n0, sizes, sources, i0)
            copy(final[2], state, work, 0, width)
