"""The adjoint of a layer in reversed time, one block of samples at a time; see README.md."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import Kernel, inlined
from surgrad.kernels.lanes import WIDTH, bits, fma, load, lowest, select, splat, store
from surgrad.kernels.layer.constants import accumulate, unreset
from surgrad.kernels.layer.rows import (
    add,
    add_scaled,
    ahead,
    ahead_to_write,
    clear,
    combine,
    combine_four,
    copy,
    dot,
    flush,
    scatter,
)
from surgrad.kernels.layer.slopes import slopes

# rows of the work space, for each of the samples that are treated together: ∂ℓ/∂s, h, δ, the
# spikes before, those within the refractory period, what comes to ∂ℓ/∂s from later; behind them K
# rows each of the adjoint, of it behind the reset, with the step's error, and of the state before
ERROR, SLOPE, DELTA, PAST, CLOSED, LATER, STATE = 0, 1, 2, 3, 4, 5, 6
GROUP = 4
# how a product with weights is done: not at all, for all neurons, or for those with a slope
NONE, ALL, ACTIVE = 0, 1, 2


@inlined
def fired(work, to, t, sample, place, sizes, P, p0, kept, s0):
    """The spikes of step `t` as a row, those of the initial state for `t = -1`."""
    _, samples, size, width, spread, _, refractory = sizes[:7]
    potentials, spikes = kept[0], kept[1]
    if t < 0:
        copy(work, to, s0, place, width)
        return
    at = t * samples * size + place
    if refractory:
        copy(work, to, spikes, at, width)
        return
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for n in range(0, width, WIDTH):
        above = load(potentials, at + n) > load(P, p0 + n * spread)
        store(work, to + n, select(above, one, zero))


@inlined
def close(work, base, t, place, sizes, spikes, hold0):
    """Take the slope from the neurons that are refractory in step `t`."""
    _, samples, size, width, _, _, refractory = sizes[:7]
    zero = splat(np.float32(0))
    closed, to = base + CLOSED * width, base + SLOPE * width
    # the window of steps in which a spike closes this one, moved back by one step
    clear(work, closed, width)
    for past in range(max(0, t - refractory), t):
        add(work, closed, spikes, past * samples * size + place, width)
    for n in range(0, width, WIDTH):
        h = select(load(work, closed + n) > zero, zero, load(work, to + n))
        if hold0.size:
            h = select(load(hold0, place + n) > splat(np.float32(t)), zero, h)
        store(work, to + n, h)


@inlined
def active_products(work, base, width, weights, factors, f, span):
    """Add to the errors the products with weight rows, where the slope is not zero."""
    zero = splat(np.float32(0))
    for n in range(0, width, WIDTH):
        word = bits(load(work, base + SLOPE * width + n) != zero)
        while word != 0:
            unit = n + lowest(word)
            word &= word - 1
            work[base + ERROR * width + unit] += dot(weights, unit * span, factors, f, span)


@inlined
def errors(order, work, base, t, task, sizes, curve, P, kept, arriving, recurrent, hold0):
    """The rows ∂ℓ/∂s[t], but for what `above` adds, and h(v[t])."""
    K = len(order)
    _, samples, size, width, spread, _, refractory, _, spiking, later = sizes
    sample, n0 = task // (size // width), (task % (size // width)) * width
    place = sample * size + n0
    theta = (K * K + 3 * K) * (size if spread else WIDTH) + n0 * spread
    output, _, counts, upward, weights, reach, _, mode = arriving
    e, at = base + ERROR * width, t * samples * size + place
    if t >= 2:
        soon = at - 2 * samples * size
        ahead(output, soon, width)
        ahead(arriving[1], soon, width)
        ahead(kept[0], soon, width)
        if mode:
            ahead(upward, ((t - 2) * samples + sample) * reach, reach)
    copy(work, e, counts, place, width)
    if output.size:
        add(work, e, output, at, width)
    if not spiking:
        return
    if later:
        add(work, e, work, base + LATER * width, width)
    slopes(curve, work, base + SLOPE * width, kept[0], at, width, P, theta, spread)
    if refractory:
        close(work, base, t, place, sizes, kept[1], hold0)
    row = (t * samples + sample) * reach
    if mode == ACTIVE:
        active_products(work, base, width, weights, upward, row, reach)
    if recurrent[2] == ACTIVE:
        active_products(work, base, width, recurrent[0], work, base + DELTA * width, width)


@inlined
def adjoint(order, work, base, at, sizes, flags, P, p0, membrane, drives):
    """One step back: λ, δ and what comes to the spikes before."""
    K = len(order)
    _, _, size, width, spread, _, _, zeroed, spiking, _ = sizes
    detached, past, full = flags
    span = size if spread else WIDTH
    after, top = STATE + K, STATE + 2 * K
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for n in range(0, width, WIDTH):
        p, w = p0 + n * spread, base + n
        error = load(work, w + ERROR * width)
        if spiking:
            error = error * load(work, w + SLOPE * width)
            if full:
                store(work, w + SLOPE * width, error)
        if membrane.size:
            error = error + load(membrane, at + n)
        if full:
            store(work, w + ERROR * width, error)
        spike = load(work, w + PAST * width) if past else zero
        delta, later = zero, zero
        for k in range(K):
            c = load(P, (K * K + 2 * K + k) * span + p)
            x = flush(fma(c, error, load(work, w + (STATE + k) * width)))
            if full:
                store(work, w + (top + k) * width, x)
            if not (detached >> k) & 1:
                later = fma(load(P, (K * K + K + k) * span + p), x, later)
                if (zeroed >> k) & 1:
                    y = unreset(order, k, work, w, width, P, p, span, drives, at + n)
                    later = later - x * y
            if (zeroed >> k) & 1:
                x = x * (one - spike)
            delta = fma(load(P, (K * K + k) * span + p), x, delta)
            store(work, w + (after + k) * width, x)
        for j in range(K):
            x = zero
            for k in range(K):
                a = load(P, (k * K + j) * span + p)
                x = fma(a, load(work, w + (after + k) * width), x)
            store(work, w + (STATE + j) * width, x)
        store(work, w + LATER * width, later)
        store(work, w + DELTA * width, delta)


@inlined
def pass_down(work, row_of, t, sample, place, sizes, sources, grads, more):
    """Give a row to the feed-forward current of step `t`; `more` adds to what is there."""
    steps, samples, size, width = sizes[:4]
    starts, stops, units = sources
    current, weights, bias = grads[:3]
    if current.size:
        at = t * samples * size + place
        if t >= 2:
            ahead_to_write(current, at - 2 * samples * size, width)
        if more:
            add(current, at, work, row_of, width)
        else:
            copy(current, at, work, row_of, width)
    if bias.size:
        add(bias, 0, work, row_of, width)
    if weights.size:
        row = sample * steps + t
        scatter(weights, units, starts[row], stops[row], work, row_of, width)


@inlined
def begin(order, work, base, sample, place, sizes, sources, final, grads, valid):
    """What the state after the last valid step asks for."""
    K = len(order)
    steps, samples, size, width = sizes[:4]
    gx, gs, gi = final
    for k in range(K):
        copy(work, base + (STATE + k) * width, gx, k * samples * size + place, width)
    copy(work, base + LATER * width, gs, place, width)
    delta = base + DELTA * width
    copy(work, delta, gi, place, width)
    if valid and (gi.size or grads[0].size):
        pass_down(work, delta, valid - 1, sample, place, sizes, sources, grads, False)
    clear(work, delta, width)
    if grads[0].size:
        for t in range(valid, steps):
            clear(grads[0], t * samples * size + place, width)


@inlined
def finish(order, work, base, place, sizes, recurrent, final, grads, valid):
    """The gradient of the initial state."""
    K = len(order)
    _, samples, size, width, _, delay = sizes[:6]
    x0, s0, i0 = grads[5:8]
    if x0.size == 0:
        return
    for k in range(K):
        copy(x0, k * samples * size + place, work, base + (STATE + k) * width, width)
    if recurrent[2] == ACTIVE and valid:
        delta = base + DELTA * width
        for j in range(size):
            work[base + LATER * width + j] += dot(recurrent[0], j * size, work, delta, width)
    copy(s0, place, work, base + LATER * width, width)
    if valid == 0:
        copy(i0, place, final[2], place, width)
    elif delay:
        copy(i0, place, work, base + DELTA * width, width)
    else:
        clear(i0, place, width)


@inlined
def back(order, work, base, t, task, valid, sizes, flags, P, kept, own, sources, initial, arriving,
         grads):  # fmt: skip
    """One step of one sample backwards, once its errors are known."""
    K = len(order)
    steps, samples, size, width, spread, delay = sizes[:6]
    pieces = size // width
    sample, n0 = task // pieces, (task % pieces) * width
    place = sample * size + n0
    span = size if spread else WIDTH
    p0, at = n0 * spread, t * samples * size + place
    theta = (K * K + 3 * K) * span + p0
    x0, s0, _ = initial
    if flags[1]:
        fired(work, base + PAST * width, t - 1, sample, place, sizes, P, theta, kept, s0)
    if flags[2]:
        for k in range(K):
            to = base + (STATE + 3 * K + k) * width
            if t:
                start = (k * steps + t - 1) * samples * size + place
                copy(work, to, kept[2], start, width)
            else:
                copy(work, to, x0, k * samples * size + place, width)
    adjoint(order, work, base, at, sizes, flags, P, p0, arriving[1], kept[3])
    if grads[4].size:
        accumulate(order, work, base, at, sizes, p0, kept, grads[4])
    delta = base + DELTA * width
    if t >= delay:
        more = delay == 0 and t == valid - 1
        pass_down(work, delta, t - delay, sample, place, sizes, sources, grads, more)
    if grads[3].size:
        if t:
            row = sample * steps + t - 1
            scatter(grads[3], own[2], own[0][row], own[1][row], work, delta, width)
        elif s0.size:
            for j in range(size):
                if s0[place + j] != 0:
                    add_scaled(grads[3], j * size, s0[place + j], work, delta, width)


@inlined
def products(work, to, samples, stride, factors, f, apart, count, rows, width):
    """Add to a row of each sample of a group the `count` rows, each times its factor."""
    if samples == GROUP and (width // WIDTH) % 2 == 0:
        combine_four(work, to, stride, factors, f, apart, count, rows, width)
        return
    for i in range(samples):
        combine(work, to + i * stride, factors, f + i * apart, count, rows, width)


@Kernel
def backward(order, first, last, work, sizes, flags, curve, P, kept, own, sources, recurrent,
             initial, lengths, arriving, final, grads):  # fmt: skip
    """Run the tasks `[first, last)` of a layer backwards.

    Args:
        order: K zeros.
        first: the first task, as in `forward`.
        last: behind the last task.
        work: space for `6 + 4K` rows for each sample of a group.
        sizes: steps, samples, size, width, spread, delay, refractory, zeroed, spiking, later.
        flags: the detached components, whether spikes before and all states are needed.
        curve: number, scale and gain of the surrogate derivative.
        P: the rows of A, b, r, c and θ.
        kept: potentials, spikes, states and drives.
        own: starts, stops and units of the layer's spikes.
        sources: starts, stops and units of the spikes that came in.
        recurrent: a weight row for each neuron that spikes, one for each that receives, the mode.
        initial: x, s and hold.
        lengths: valid steps of each sample.
        arriving: gradients of the output, the potentials and the counts; that of the next layer's
            current, the weights to it, the size of it, padded and not, the
            mode.
        final: gradients of the final x, s and i.
        grads: of the current, weights, bias, recurrent weights, P, x, s and i; added to where
            they are sums.
    """
    K = len(order)
    _, _, size, width, _, _, _, _, _, _ = sizes
    pieces = size // width
    mode = arriving[7]
    group = GROUP if recurrent[2] == ALL else 1
    stride = (STATE + 4 * K) * width
    for head in range(first, last, group):
        count = min(group, last - head)
        longest = np.int64(0)
        for i in range(count):
            task = head + i
            sample = task // pieces
            place = sample * size + (task % pieces) * width
            valid = lengths[sample]
            longest = max(longest, valid)
            begin(order, work, i * stride, sample, place, sizes, sources, final, grads, valid)
        for t in range(longest - 1, -1, -1):
            for i in range(count):
                if t < lengths[(head + i) // pieces]:
                    errors(order, work, i * stride, t, head + i, sizes, curve, P, kept, arriving,
                           recurrent, initial[2])  # fmt: skip
            if mode == ALL:
                reach = arriving[5]
                above = (t * sizes[1] + head) * reach
                products(work, ERROR * width, count, stride, arriving[3], above, reach,
                         arriving[6], arriving[4], width)  # fmt: skip
            for i in range(count):
                valid = lengths[(head + i) // pieces]
                if t < valid:
                    back(order, work, i * stride, t, head + i, valid, sizes, flags, P, kept, own,
                         sources, initial, arriving, grads)  # fmt: skip
            if recurrent[2] == ALL:
                products(work, LATER * width, count, stride, work, DELTA * width, stride, width,
                         recurrent[1], width)  # fmt: skip
        for i in range(count):
            task = head + i
            place = (task // pieces) * size + (task % pieces) * width
            valid = lengths[task // pieces]
            finish(order, work, i * stride, place, sizes, recurrent, final, grads, valid)
