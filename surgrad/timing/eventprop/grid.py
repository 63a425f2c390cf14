"""EventProp on a time grid: the adjoint of a layer, whose jumps lie at spikes, sample by sample.

The equations are in `docs/theory/times.md`. Arrays that are not wanted are empty.
"""

from __future__ import annotations

from typing import Any

import numba

from surgrad.kernels.compiled import OPTIONS, Kernel, inlined

# sums may be taken in any order, or no compiler could use its vectors for them
_SUMS: dict[str, Any] = OPTIONS | {"fastmath": {"contract", "nsz", "reassoc"}}


@numba.njit(forceinline=True, **_SUMS)
def dot(row, other):
    """The inner product of two rows."""
    total = row[0] * other[0]
    for j in range(1, row.size):
        total += row[j] * other[j]
    return total


@inlined
def add(target, row):
    """Add one row to another."""
    for j in range(target.size):
        target[j] += row[j]


@Kernel
def collect(order, first, last, lengths, spikes, potentials, reset, floor, starts, units, gains):
    """List the spikes of each sample and step, with one over the rise that led to each.

    Takes:
        order: see `Kernel`.
        first, last: the samples.
        lengths: the valid steps of each sample.
        spikes, potentials: `(time, batch, size)`.
        reset: what a spike adds to the potential, the share of it that it leaves, and the
            threshold, `(3, size)`.
        floor: the least rise in a step, `(size,)`.
        starts: where each row `sample * time + step` begins.
        units, gains: the spikes.
    """
    time, _, size = spikes.shape
    for b in range(first, last):
        for n in range(lengths[b]):
            at = starts[b * time + n]
            for i in range(size):
                if spikes[n, b, i] == 0:
                    continue
                left = 0.0
                if n:
                    before, spiked = potentials[n - 1, b, i], spikes[n - 1, b, i]
                    left = before * (1 - spiked * (1 - reset[1, i])) + spiked * reset[0, i]
                units[at] = i
                # what a reset leaves above the threshold spikes again in the next step, whatever
                # its slope: such a spike has no time of its own
                rise = max(potentials[n, b, i] - left, floor[i])
                gains[at] = 1 / rise if left < reset[2, i] else 0
                at += 1


@Kernel
def states(order, first, last, lengths, P, delay, source, recurrent, spikes, reset, x):
    """Run a layer along the spikes that it emitted, to have its state components.

    Takes:
        order: see `Kernel`.
        first, last, lengths: as in `collect`.
        P: `A (K, K, size)`, `b (K, size)`, `r (K, size)` and what a reset leaves, `(K, size)`.
        delay: steps after which an input acts.
        source: the current `(time, batch, size)` if there is one, else the weights, a row for
            each input unit, the bias, and the starts and units of the events.
        recurrent: a row for each presynaptic neuron.
        spikes: `(time, batch, size)`.
        reset: work space `(2, size)` for the drive.
        x: `(K, time, batch, size)`, filled here.
    """
    A, b, r, left = P
    current, weights, bias, starts, units = source
    time, _, size = spikes.shape
    K, drive, spiked = len(order), reset[0], reset[1]
    for sample in range(first, last):
        for n in range(lengths[sample]):
            drive[:] = 0
            q = n - delay
            if q >= 0:
                if current.size:
                    add(drive, current[q, sample])
                else:
                    if bias.size:
                        add(drive, bias)
                    for e in range(starts[sample * time + q], starts[sample * time + q + 1]):
                        add(drive, weights[units[e]])
            spiked[:] = 0
            if n:
                add(spiked, spikes[n - 1, sample])
                if recurrent.size:
                    for i in range(size):
                        if spiked[i] != 0:
                            add(drive, recurrent[i])
            for k in range(K):
                for i in range(size):
                    total = b[k, i] * drive[i]
                    if n:
                        for j in range(K):
                            total += A[k, j, i] * x[j, n - 1, sample, i]
                    total *= 1 - spiked[i] * (1 - left[k, i])
                    x[k, n, sample, i] = total + r[k, i] * spiked[i]


@Kernel
def adjoint(order, first, last, lengths, P, delay, errors, own, above, recurrent, inputs, kept,
            work, grads, rows):  # fmt: skip
    """The adjoint of a layer in reverse; it adds to all gradients.

    Takes:
        order: see `Kernel`.
        first, last, lengths: as in `collect`.
        P: `A (K, K, size)`, `b`, `b - A b`, `c`, `r - A r` `(K, size)`, and `b · c` `(size,)`,
            zero where the loss does not see a jump.
        delay: steps after which an input acts.
        errors: of the potential, `(time, batch, size)`.
        own: starts, units, gains and prices of the spikes; the prices become their jumps.
        above: the prices of moving the input of the next layer, `(batch, time, next)`, and its
            weights, a row for each neuron here.
        recurrent: a row for each presynaptic neuron.
        inputs: starts and units of the spikes that came in.
        kept: the state components `(K, time, batch, size)`.
        work: `(2 K + 2, size)`.
        grads: of the weights (a row for each input), the bias, the recurrent weights, `A`
            and `r`.
        rows: the error and the price of moving of each row of input, `(batch, time, size)`.
    """
    A, b, b_moved, c, r_moved, jump = P
    starts, units, gains, prices = own
    above_prices, above_rows = above
    in_starts, in_units = inputs
    g_weights, g_bias, g_recurrent, g_A, g_r = grads
    row_errors, row_prices = rows
    K, size, time = len(order), b.shape[1], (starts.size - 1) // lengths.size
    drive, moved = work[2 * K], work[2 * K + 1]
    for sample in range(first, last):
        base = sample * time
        work[:] = 0
        for n in range(lengths[sample] - 1, -1, -1):
            flip = n & 1
            old, new = work[(1 - flip) * K : (2 - flip) * K], work[flip * K : (1 + flip) * K]
            for k in range(K):
                for i in range(size):
                    total = A[0, k, i] * old[0, i]
                    for j in range(1, K):
                        total += A[j, k, i] * old[j, i]
                    new[k, i] = total
            if errors.size:
                for k in range(K):
                    for i in range(size):
                        new[k, i] += c[k, i] * errors[n, sample, i]
            for e in range(starts[base + n], starts[base + n + 1]):
                i = units[e]
                price = prices[e]
                if above_rows.size:
                    price += dot(above_rows[i], above_prices[sample, n])
                if recurrent.size:
                    # `moved` is still that of the next step, where this spike acts
                    price += dot(recurrent[i], moved)
                for k in range(K):
                    price += r_moved[k, i] * old[k, i]
                    if g_r.size:
                        g_r[k, i] += old[k, i]
                prices[e] = -price * gains[e]
                for k in range(K):
                    new[k, i] += c[k, i] * prices[e]
            for i in range(size):
                drive[i] = b[0, i] * new[0, i]
                moved[i] = b_moved[0, i] * old[0, i]
                for k in range(1, K):
                    drive[i] += b[k, i] * new[k, i]
                    moved[i] += b_moved[k, i] * old[k, i]
            if errors.size:
                for i in range(size):
                    moved[i] -= jump[i] * errors[n, sample, i]
            if g_A.size and n:
                for k in range(K):
                    for j in range(K):
                        for i in range(size):
                            g_A[k, j, i] += new[k, i] * kept[j, n - 1, sample, i]
            if g_recurrent.size and n:
                for e in range(starts[base + n - 1], starts[base + n]):
                    add(g_recurrent[units[e]], drive)
            q = n - delay
            if q < 0:
                continue
            if g_bias.size:
                add(g_bias, drive)
            if g_weights.size:
                for e in range(in_starts[base + q], in_starts[base + q + 1]):
                    add(g_weights[in_units[e]], drive)
            if row_errors.size:
                add(row_errors[sample, q], drive)
            if row_prices.size:
                add(row_prices[sample, q], moved)
