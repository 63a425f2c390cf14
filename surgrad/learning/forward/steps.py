"""A network step by step, and once more with the same noise."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch
from surgrad.learning.forward.cells import CellState
from surgrad.learning.forward.setting import Moment, Setting
from surgrad.network import Sequential
from surgrad.neurons import SpikingNeuron
from surgrad.spikes import Stochastic

# steps whose input is dense at a time
CHUNK = 32


def moments(on: Setting) -> Iterator[Moment]:
    """Run a network step by step."""
    cells, tail = on.cells, on.net.tail
    states: list[CellState | None] = [None] * len(cells)
    for n, values in enumerate(frames(on.batch, cells[0].like)):
        after = []
        for cell, before in zip(cells, states, strict=True):
            after.append(cell.step(before, values, n))
            values = after[-1].s
        end = torch.where(inside(n, on.batch.valid, values), values, torch.zeros_like(values))
        output = end
        if len(tail):
            with torch.enable_grad():
                end = end.requires_grad_()
                output = tail(end)
        yield Moment(n, states, after, end, output)
        states = [*after]


def inside(n: int, valid: Tensor, like: Tensor) -> Tensor:
    """The samples that have not ended, to be broadcast with `(batch, *features)`."""
    return (n < valid).view(-1, *(1,) * (like.dim() - 1))


def frames(batch: Batch, like: Tensor) -> Iterator[Tensor]:
    """The inputs of one step after the other, `(batch, *features)`."""
    for start in range(0, batch.time, CHUNK):
        piece = batch.inputs[start : start + CHUNK]
        dense = piece.to_dense(like.dtype) if isinstance(piece, SpikeTrain) else piece.to(like)
        yield from dense.unbind(0)


def noise(net: Sequential) -> list[Tensor]:
    """The states of all generators that a network draws from."""
    return [torch.get_rng_state(), *(g.get_state() for g in _generators(net))]


def repeat(net: Sequential, states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    for generator, state in zip(_generators(net), states[1:], strict=True):
        generator.set_state(state)


def _generators(net: Sequential) -> list[torch.Generator]:
    spikes = [neuron.spike for neuron in net.neurons if isinstance(neuron, SpikingNeuron)]
    return [spike.generator for spike in spikes if isinstance(spike, Stochastic)]
