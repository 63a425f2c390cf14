"""What drove each layer of a network in a run that was recorded."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from surgrad.connections import each_step
from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch
from surgrad.network import Record, Sequential, Stage


class Rows(NamedTuple):
    """Spikes as rows: where row `sample * time + step` begins, and the units that spiked."""

    starts: Tensor
    units: Tensor


class Source(NamedTuple):
    """What drives a layer.

    Attributes:
        linear: a plain dense layer, which takes spikes one by one.
        rows: the spikes of a data set for it; those of the layer below if None.
        values: what goes into any other connection, `(time, batch, *features)`, a leaf.
        current: what comes out of that, with its graph.
    """

    linear: nn.Linear | None = None
    rows: Rows | None = None
    values: Tensor | None = None
    current: Tensor | None = None


def sources(net: Sequential, batch: Batch, record: Record, random: Tensor) -> list[Source]:
    """What drove each layer; `random` is the state of PyTorch's generator before the run."""
    found, after = [], torch.get_rng_state()
    # dropout draws the same masks again
    torch.set_rng_state(random)
    try:
        for index, stage in enumerate(net.stages):
            values = batch.inputs if index == 0 else record[index - 1]["s"]
            found.append(_source(stage, values, index > 0, record[index]["v"]))
    finally:
        torch.set_rng_state(after)
    return found


def _source(stage: Stage, values: SpikeTrain | Tensor, spikes: bool, like: Tensor) -> Source:
    modules = [module for module in stage.connection if type(module) is not nn.Flatten]
    linear = modules[0] if len(modules) == 1 and type(modules[0]) is nn.Linear else None
    if linear is not None and isinstance(values, SpikeTrain):
        return Source(linear, Rows(values.indptr, values.indices))
    if linear is not None and spikes:
        return Source(linear)
    dense = values.to_dense(like.dtype) if isinstance(values, SpikeTrain) else values
    with torch.enable_grad():
        leaf = dense.detach().to(like.dtype, copy=True).requires_grad_()
        return Source(values=leaf, current=each_step(stage.connection, leaf))
