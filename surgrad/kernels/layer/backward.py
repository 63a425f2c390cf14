"""The adjoint of a layer in reversed time, one block of samples at a time; see README.md."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import Kernel, inlined
from surgrad.kernels.lanes import WIDTH
from surgrad.kernels.layer.constants import accumulate
from surgrad.kernels.layer.memory import BLOCK, DELTA, LATER, PAST, SLOPE, SOFT, STATE
from surgrad.kernels.layer.products import ACTIVE, ALL, GROUP
from surgrad.kernels.layer.rows import add, ahead, clear, copy, dot, flush, hand_over
from surgrad.kernels.layer.slopes import slopes
from surgrad.kernels.layer.steps import active_products, adjoint, close, fired
from surgrad.kernels.layer.weights import add_to_row, multiply, scatter

# steps before its use that a row is asked for
AHEAD = 6


@inlined
def errors(work, first, t0, count, sample, n0, sizes, arriving):
    """The rows ∂ℓ/∂s of a tile, but for what comes from later steps."""
    steps, _, size, width = sizes[:4]
    output, along, across, _, _, _, counts, upward, matrix, reach, members, mode = arriving
    for i in range(count):
        copy(work, first + i * width, counts, sample * size + n0, width)
        if output.size:
            start = (t0 + i) * along + sample * across + n0
            add(work, first + i * width, output, start, width)
    if mode == ALL:
        above = (sample * steps + t0) * reach
        multiply(work, first, width, count, upward, above, reach, members, matrix, width)


@inlined
def pass_down(work, first, t, count, sample, n0, sizes, sources, grads):
    """Give `count` rows to the feed-forward currents of the steps from `t` on."""
    steps, _, size, width = sizes[:4]
    starts, stops, units = sources
    current, along, across, weights, bias = grads[:5]
    if current.size:
        for i in range(count):
            at = (t + i) * along + sample * across + n0
            hand_over(current, at, work, first + i * width, width)
    if bias.size:
        for i in range(count):
            add(bias, 0, work, first + i * width, width)
    if weights.size == 0:
        return
    inputs = weights.size // size
    for m in range(0, width, BLOCK):
        span = min(BLOCK, width - m)
        for i in range(count):
            row, start = sample * steps + t + i, first + i * width + m
            scatter(weights, m * inputs, span, units, starts[row], stops[row], work, start)


@inlined
def pass_round(work, first, t0, count, sample, sizes, events, s0, grad):
    """Give the rows of a tile to the recurrent weights of the neurons that spiked a step before."""
    steps, _, size, width = sizes[:4]
    starts, stops, units = events
    begin = 1 if t0 == 0 else 0
    for m in range(0, width, BLOCK):
        span = min(BLOCK, width - m)
        for i in range(begin, count):
            row, start = sample * steps + t0 + i - 1, first + i * width + m
            scatter(grad, m * size, span, units, starts[row], stops[row], work, start)
    if t0 == 0 and s0.size:
        for j in range(size):
            if s0[sample * size + j] != 0:
                add_to_row(grad, size, j, s0[sample * size + j], work, first, width)


@inlined
def begin(order, work, base, sample, n0, sizes, sources, final, grads, valid):
    """What the state after the last valid step asks for."""
    K = len(order)
    steps, samples, size, width, delay = sizes[:5]
    gx, gs, gi = final
    place, delta = sample * size + n0, base + DELTA * width
    for k in range(K):
        copy(work, base + (STATE + k) * width, gx, k * samples * size + place, width)
    copy(work, base + LATER * width, gs, place, width)
    # what came in the last step acts later, beyond the sequence
    if delay and valid:
        copy(work, delta, gi, place, width)
        if gi.size or grads[0].size:
            pass_down(work, delta, valid - 1, 1, sample, n0, sizes, sources, grads)
    clear(work, delta, width)
    if grads[0].size:
        for t in range(valid, steps):
            clear(grads[0], t * grads[1] + sample * grads[2] + n0, width)


@inlined
def finish(order, work, base, sample, n0, sizes, recurrent, final, grads, valid):
    """The gradient of the initial state."""
    K = len(order)
    _, samples, size, width, delay = sizes[:5]
    x0, s0, i0 = grads[7:10]
    place, delta = sample * size + n0, base + DELTA * width
    if x0.size == 0:
        return
    for k in range(K):
        copy(x0, k * samples * size + place, work, base + (STATE + k) * width, width)
    if recurrent[2] == ACTIVE and valid:
        for j in range(size):
            work[base + LATER * width + j] += dot(recurrent[0], j * size, work, delta, width)
    copy(s0, place, work, base + LATER * width, width)
    if valid == 0:
        copy(i0, place, final[2], place, width)
    elif delay:
        copy(i0, place, work, delta, width)
    else:
        clear(i0, place, width)


@inlined
def back(order, own, work, error_row, base, t, sample, n0, sizes, flags, curve, P, kept, recurrent,
         initial, arriving, grads):  # fmt: skip
    """One step of one sample backwards, once the errors from elsewhere are known."""
    K = len(order)
    steps, samples, size, width, _, refractory, _, spiking = sizes[:8]
    place, row = sample * size + n0, sample * steps + t
    at, span, p0 = row * size + n0, size if len(own) else WIDTH, n0 if len(own) else 0
    theta, slope = (K * K + 3 * K) * span + p0, base + SLOPE * width
    _, _, _, membrane, along, across, _, upward, weights, reach, _, mode = arriving
    if t >= AHEAD:
        ahead(kept[0], at - AHEAD * size, width)
    if spiking:
        slopes(curve, work, slope, kept[0], at, width, P, theta, len(own))
        if refractory:
            close(work, base, row, t, place, sizes, kept[1], initial[2])
        if mode == ACTIVE:
            active_products(work, error_row, slope, width, weights, upward, row * reach, reach)
        if recurrent[2] == ACTIVE:
            active_products(work, error_row, slope, width, recurrent[0], work, base + DELTA * width,
                            width)  # fmt: skip
    if flags[1]:
        fired(own, work, base + PAST * width, row - 1, t == 0, place, sizes, P, theta, kept,
              initial[1])  # fmt: skip
    if flags[2]:
        for k in range(K):
            to = base + (STATE + 3 * K + k) * width
            if t:
                copy(work, to, kept[2], k * (kept[2].size // K) + at - size, width)
            else:
                copy(work, to, initial[0], k * samples * size + place, width)
    m = t * along + sample * across + n0
    adjoint(order, own, work, error_row, base, at, sizes, flags, P, p0, membrane, m, kept[3])
    if grads[6].size:
        accumulate(order, own, work, base, at, sizes, p0, kept, grads[6])


@inlined
def settle(work, first, t0, count, sample, n0, sizes, sources, events, s0, final, grads, valid):
    """What the δ of a tile is worth to the connections."""
    steps, _, size, width, delay = sizes[:5]
    if grads[5].size and sizes[7] == SOFT:
        for i in range(count):
            at = (sample * steps + t0 + i) * size + n0
            copy(grads[5], at, work, first + i * width, width)
    elif grads[5].size:
        pass_round(work, first, t0, count, sample, sizes, events, s0, grads[5])
    if delay == 0 and final[2].size and t0 + count == valid:
        add(work, first + (count - 1) * width, final[2], sample * size + n0, width)
    skip = max(0, delay - t0)
    pass_down(work, first + skip * width, t0 + skip - delay, count - skip, sample, n0, sizes,
              sources, grads)  # fmt: skip


@Kernel
def backward(order, own, first, last, work, sizes, flags, curve, P, kept, events, sources,
             recurrent, initial, lengths, arriving, final, grads):  # fmt: skip
    """Run the tasks `[first, last)` of a layer backwards.

    Args:
        order: K zeros.
        own: a zero if each neuron has coefficients of its own, else nothing.
        first: the first task, as in `forward`.
        last: behind the last task.
        work: space for a tile of `tile` rows and `6 + 4K` more for each sample of a group.
        sizes: as in `forward`, and whether anything comes to the spikes from later.
        flags: the detached components, whether spikes before and all states are needed.
        curve: number, scale and gain of the surrogate derivative.
        P: the rows of A, b, r, c and θ.
        kept: potentials, spikes, states and drives.
        events: starts, stops and units of the layer's spikes.
        sources: starts, stops and units of the spikes that came in.
        recurrent: a weight row for each neuron that spikes, one for each that receives, in blocks,
            and the mode.
        initial: x, s and hold.
        lengths: valid steps of each sample.
        arriving: gradients of the output and of the potentials, each with how far its steps and
            samples lie apart, and of the counts; that of the next layer's current, the weights to
            it, the size of it, padded and not, the mode.
        final: gradients of the final x, s and i.
        grads: of the current, with how far its steps and samples lie apart, of weights, bias,
            recurrent weights (of the drive of each step, if spikes are smooth), P, x, s and i;
            added to where they are sums.
    """
    K = len(order)
    width, tile = sizes[3], sizes[8]
    pieces = sizes[2] // width
    group = GROUP if recurrent[2] == ALL else 1
    stride = (tile + STATE + 4 * K) * width
    behind = tile * width
    for head in range(first, last, group):
        together = min(group, last - head)
        longest = np.int64(0)
        for i in range(together):
            sample, n0 = (head + i) // pieces, ((head + i) % pieces) * width
            longest = max(longest, lengths[sample])
            begin(order, work, i * stride + behind, sample, n0, sizes, sources, final, grads,
                  lengths[sample])  # fmt: skip
        for end in range(longest, 0, -tile):
            t0 = max(0, end - tile)
            for i in range(together):
                sample, n0 = (head + i) // pieces, ((head + i) % pieces) * width
                count = min(end, lengths[sample]) - t0
                errors(work, i * stride, t0, count, sample, n0, sizes, arriving)
                flush(work, i * stride + behind + STATE * width, K * width)
            for t in range(end - 1, t0 - 1, -1):
                for i in range(together):
                    sample, n0 = (head + i) // pieces, ((head + i) % pieces) * width
                    if t < lengths[sample]:
                        back(order, own, work, i * stride + (t - t0) * width, i * stride + behind,
                             t, sample, n0, sizes, flags, curve, P, kept, recurrent, initial,
                             arriving, grads)  # fmt: skip
                if recurrent[2] == ALL:
                    later, delta = behind + LATER * width, behind + DELTA * width
                    multiply(work, later, stride, together, work, delta, stride, width,
                             recurrent[1], width)  # fmt: skip
            for i in range(together):
                sample, n0 = (head + i) // pieces, ((head + i) % pieces) * width
                count = min(end, lengths[sample]) - t0
                if count > 0:
                    settle(work, i * stride, t0, count, sample, n0, sizes, sources, events,
                           initial[1], final, grads, lengths[sample])  # fmt: skip
        for i in range(together):
            sample, n0 = (head + i) // pieces, ((head + i) % pieces) * width
            finish(order, work, i * stride + behind, sample, n0, sizes, recurrent, final, grads,
                   lengths[sample])  # fmt: skip
