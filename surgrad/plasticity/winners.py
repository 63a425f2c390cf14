"""A layer of neurons that inhibit each other and learn by STDP, one sample after the other."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import Kernel, inlined


@inlined
def furthest(potential, hold, at, base, raised, size):
    """The neuron of a place furthest above its threshold, or -1; refractory times go on."""
    best, margin = -1, np.float32(0.0)
    for n in range(size):
        if hold[at + n] > 0:
            hold[at + n] -= 1
            continue
        above = potential[at + n] - base - raised[n]
        if above > margin:
            best, margin = n, above
    return best


@inlined
def arrive(potential, weights, unit, sizes, after):
    """Add a spike's weights to the neurons of every place that sees it."""
    _, size, taps, inside, _ = sizes
    channel, spot = unit // inside, unit % inside
    for tap in range(taps):
        place = after[tap * inside + spot]
        if place >= 0:
            row, at = (channel * taps + tap) * size, place * size
            for n in range(size):
                potential[at + n] += weights[row + n]


@inlined
def potentiate(weights, traces, since, t, decays, sizes, before, place, winner, change):
    """Weights of the neuron that has fired: up where its inputs were active, else down."""
    channels, size, taps, inside, places = sizes
    rate, offset, soft, ceiling = change
    for tap in range(taps):
        spot = before[tap * places + place]
        if spot < 0:
            continue
        for channel in range(channels):
            at, unit = (channel * taps + tap) * size + winner, channel * inside + spot
            w, d = weights[at], traces[unit] * decays[t - since[unit]] - offset
            if soft:
                d *= ceiling - w if d > 0 else w
            weights[at] = min(max(w + rate * d, np.float32(0.0)), ceiling)


@inlined
def normalise(weights, inputs, size, fired, norm):
    """The weights of each neuron that has fired sum to `norm`."""
    for n in range(size):
        if fired[n]:
            total = np.float32(0.0)
            for j in range(inputs):
                total += weights[j * size + n]
            if total > 0:
                for j in range(inputs):
                    weights[j * size + n] *= norm / total


@Kernel
def winners(
    order, sizes, options, spikes, tables, neuron, plastic, decays, weights, raised, work, times,
    counts,
):  # fmt: skip
    """Run samples one after the other; with a learning rate, the weights change as they go.

    Args:
        order: empty.
        sizes: of a place's inputs, neurons, taps, places of the input, places of the neurons.
        options: steps, samples, refractory steps, learning, all spikes, soft.
        spikes: row pointers and units of the input.
        tables: see `Taps`.
        neuron: membrane decay, threshold, inhibition, lowest potential, decay of the raised
            thresholds over a sample, and by how much a spike raises them.
        plastic: learning rate, offset, largest weight, sum of the weights or 0.
        decays: of the presynaptic traces after 0, 1, 2, … steps.
        weights: inputs × taps × neurons.
        raised: what has been added to each threshold.
        work: space for potentials and traces.
        times: space for last spikes, refractory times and which neurons have fired.
        counts: the spikes of each sample, neuron and place.
    """
    channels, size, taps, _, places = sizes
    steps, samples, refractory, learning, every, soft = options
    rows, units = spikes
    before, after = tables
    beta, base, inhibition, lowest, recovery, step_up = neuron
    rate, offset, ceiling, norm = plastic
    every_neuron = places * size
    potential, traces = work[:every_neuron], work[every_neuron:]
    hold, fired = times[:every_neuron], times[every_neuron : every_neuron + size]
    since = times[every_neuron + size :]
    for sample in range(samples):
        potential[:] = np.float32(0.0)
        traces[:] = np.float32(0.0)
        times[:] = 0
        for t in range(steps):
            for n in range(every_neuron):
                potential[n] *= beta
            for k in range(rows[sample * steps + t], rows[sample * steps + t + 1]):
                j = units[k]
                arrive(potential, weights, j, sizes, after)
                old = traces[j] * decays[t - since[j]] if every else np.float32(0.0)
                traces[j], since[j] = old + np.float32(1.0), t
            for place in range(places):
                at = place * size
                winner = furthest(potential, hold, at, base, raised, size)
                if winner < 0:
                    continue
                counts[(sample * size + winner) * places + place] += 1
                for n in range(at, at + size):
                    potential[n] = max(potential[n] - inhibition, lowest)
                potential[at + winner], hold[at + winner] = np.float32(0.0), refractory
                fired[winner] = 1
                if learning:
                    raised[winner] += step_up
                    change = (rate, offset, soft, ceiling)
                    potentiate(
                        weights, traces, since, t, decays, sizes, before, place, winner, change
                    )
        if learning:
            for n in range(size):
                raised[n] *= recovery
            if norm > 0:
                normalise(weights, channels * taps, size, fired, norm)
