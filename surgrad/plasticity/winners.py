"""A layer of neurons that inhibit each other and learn by STDP, one sample after the other."""

from __future__ import annotations

import numpy as np

from surgrad.kernels.compiled import Kernel, inlined


@inlined
def furthest(potential, hold, bases, raised, size):
    """The neuron furthest above its threshold, or -1; refractory times go on."""
    best, margin = -1, np.float32(0.0)
    for n in range(size):
        if hold[n] > 0:
            hold[n] -= 1
            continue
        above = potential[n] - bases - raised[n]
        if above > margin:
            best, margin = n, above
    return best


@inlined
def potentiate(weights, traces, since, t, decays, inputs, size, winner, change):
    """Weights of the neuron that has fired: up where its inputs were active, else down."""
    rate, offset, soft, ceiling = change
    for j in range(inputs):
        at = j * size + winner
        w, d = weights[at], traces[j] * decays[t - since[j]] - offset
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
def winners(order, sizes, spikes, neuron, plastic, decays, weights, raised, work, times, counts):
    """Run samples one after the other; with a learning rate, the weights change as they go.

    Args:
        order: empty.
        sizes: steps, samples, inputs, neurons, refractory steps, learning, all spikes, soft.
        spikes: row pointers and units of the input.
        neuron: membrane decay, threshold, inhibition, lowest potential, decay of the raised
            thresholds over a sample, and by how much a spike raises them.
        plastic: learning rate, offset, largest weight, sum of the weights or 0.
        decays: of the presynaptic traces after 0, 1, 2, … steps.
        weights: inputs × neurons.
        raised: what has been added to each threshold.
        work: space for potentials and traces.
        times: space for last spikes, refractory times and which neurons have fired.
        counts: the spikes of each sample and neuron.
    """
    steps, samples, inputs, size, refractory, learning, every, soft = sizes
    rows, units = spikes
    beta, base, inhibition, lowest, recovery, step_up = neuron
    rate, offset, ceiling, norm = plastic
    potential, traces = work[:size], work[size:]
    hold, fired, since = times[:size], times[size : 2 * size], times[2 * size :]
    for sample in range(samples):
        potential[:] = np.float32(0.0)
        traces[:] = np.float32(0.0)
        times[:] = 0
        for t in range(steps):
            for n in range(size):
                potential[n] *= beta
            for k in range(rows[sample * steps + t], rows[sample * steps + t + 1]):
                j = units[k]
                for n in range(size):
                    potential[n] += weights[j * size + n]
                old = traces[j] * decays[t - since[j]] if every else np.float32(0.0)
                traces[j], since[j] = old + np.float32(1.0), t
            winner = furthest(potential, hold, base, raised, size)
            if winner < 0:
                continue
            counts[sample * size + winner] += 1
            for n in range(size):
                potential[n] = max(potential[n] - inhibition, lowest)
            potential[winner], hold[winner], fired[winner] = np.float32(0.0), refractory, 1
            if learning:
                raised[winner] += step_up
                change = (rate, offset, soft, ceiling)
                potentiate(weights, traces, since, t, decays, inputs, size, winner, change)
        if learning:
            for n in range(size):
                raised[n] *= recovery
            if norm > 0:
                normalise(weights, inputs, size, fired, norm)
