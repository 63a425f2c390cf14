"""What a loss says of the output: errors of its potential, prices of moving its spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.connections import each_step
from surgrad.learning.base import Batch
from surgrad.network import Sequential
from surgrad.objectives import Loss
from surgrad.objectives.losses import FirstSpikeLatency


def of_potential(
    net: Sequential, loss: Loss, batch: Batch, potential: Tensor
) -> tuple[Tensor, Tensor]:
    """The loss, and its gradient with respect to the read-out's potential.

    Args:
        net: for what stands behind its last neurons.
        loss: a loss of the potential.
        batch: targets and lengths.
        potential: of the last neurons, `(time, batch, *features)`.
    """
    with torch.enable_grad():
        leaf = potential.detach().requires_grad_()
        output = each_step(net.tail, leaf)
        value = loss(output, batch.targets, batch.lengths)
        value.backward(inputs=[leaf, *(p for p in net.tail.parameters() if p.requires_grad)])
    error = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    return value.detach(), error


def of_spikes(loss: Loss, batch: Batch, spikes: Tensor) -> tuple[Tensor, Tensor]:
    r"""The loss, and what it costs to move each spike of the output one step later.

    For a distance of spike trains it is the centred difference of the gradient over steps,
    :math:`(g[n+1] - g[n-1]) / 2`, which is blind to what a spike has to do with itself. For first
    spikes it is :math:`-g[n-1]` at the first: a spike put there instead is that spike one step
    earlier.

    Args:
        loss: a loss of spike times.
        batch: targets and lengths.
        spikes: of the last neurons, `(time, batch, *features)`.
    """
    with torch.enable_grad():
        leaf = spikes.detach().requires_grad_()
        value = loss(leaf, batch.targets, batch.lengths)
        (gradient,) = torch.autograd.grad(value, leaf)
    earlier = torch.cat([torch.zeros_like(gradient[:1]), gradient[:-1]])
    if isinstance(loss, FirstSpikeLatency):
        first = (spikes > 0) & (spikes.cumsum(0) == 1)
        return value.detach(), torch.where(first, -earlier, 0.0)
    # at the ends of the sequence a one-sided difference
    earlier[0] = 2 * gradient[0] - gradient[min(1, len(gradient) - 1)]
    later = torch.cat([gradient[1:], 2 * gradient[-1:] - earlier[-1:]])
    return value.detach(), (later - earlier) / 2
