"""A sequence in windows of time, so that memory does not grow with its length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch, spiking_counts
from surgrad.network import Network, Record, Sequential, State
from surgrad.neurons import SpikingNeuron
from surgrad.spikes import Stochastic

# steps above which a sequence is long
LONG = 500
# steps of the shortest window that is worth being set up
SHORTEST = 128
# what a step leaves behind for the adjoint, in numbers a neuron: a potential and some events
KEPT = 1.3
# layers that look at all samples and steps at once
STATISTICS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


Piece = tuple[SpikeTrain | Tensor, Tensor | None]
"""Some steps of the inputs, and the valid steps of each sample in them."""


def window(batch: Batch, start: int, width: int) -> Piece:
    """The steps `[start, start + width)` of a batch."""
    piece = batch.inputs[start : start + width]
    left = None if batch.lengths is None else (batch.lengths - start).clamp(0, len(piece))
    return piece, left


def windows(batch: Batch, width: int) -> Iterator[Piece]:
    """One window after the other."""
    for start in range(0, batch.time, width):
        yield window(batch, start, width)


def run_window(
    net: Network, piece: SpikeTrain | Tensor, state: State | None, left: Tensor | None
) -> tuple[Tensor, list[Tensor], State]:
    """The output, the spike counts and the state after one window."""
    record = Record("counts")
    output, after = net.run(piece, state, lengths=left, record=record)
    return output, spiking_counts(net, record), after


def repeatable(net: Network) -> TypeGuard[Sequential]:
    """Whether windows can be run twice with the same result, which is that of the whole.

    Statistics over a batch are those of all its steps, and a generator of one's own moves on.
    """
    if not isinstance(net, Sequential):
        return False
    statistics = any(m.training and isinstance(m, STATISTICS) for m in net.modules())
    spikes = [neuron.spike for neuron in net.neurons if isinstance(neuron, SpikingNeuron)]
    return not statistics and not any(isinstance(spike, Stochastic) for spike in spikes)


def best_window(net: Sequential, time: int) -> int:
    """The window for which states and one window's steps together take the least memory.

    States cost `order + 3` numbers a neuron for each window, and a window's steps `KEPT` for each
    step: the sum is least, and grows as the root of time, at the root of their ratio times time.
    """
    order = max(neuron.linearised().order for neuron in net.neurons)
    return max(SHORTEST, round(math.sqrt(time * (order + 3) / KEPT)))


def checkpointed(net: Network, batch: Batch, width: int) -> tuple[Tensor, list[Tensor]]:
    """The output and the spike counts of a whole sequence, with a graph that keeps only states.

    The steps of a window are computed again when its gradient is asked for.
    """
    state: State | None = None
    outputs, counts = [], []
    for piece, left in windows(batch, width):
        found = checkpoint(run_window, net, piece, state, left, use_reentrant=False)
        output, spikes, state = found
        outputs.append(output)
        counts.append(spikes)
    return torch.cat(outputs), [torch.stack(layer).sum(0) for layer in zip(*counts, strict=True)]
