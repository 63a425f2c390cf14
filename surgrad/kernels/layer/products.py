"""How the gradient of spikes is found: for all neurons, or where the slope is not zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from surgrad.kernels import buffers
from surgrad.kernels.layer.memory import Shape, flat
from surgrad.kernels.layer.pack import last_axis, rows_per_input

NONE, ALL, ACTIVE = 0, 1, 2
# rows of the surrogates' table that are exactly zero somewhere
FINITE = (4, 5, 7, 12)
# up to this size of the next layer its part is added within the adjoint's own loop
FEW = 64
# the share of neurons with a slope below which they are treated one by one
SPARSE = 0.25


class Upwards(NamedTuple):
    """What the adjoint of a layer takes from the next one.

    Attributes:
        output: the gradient of the dense spikes, where there is one.
        current: the gradient of the next layer's current, flat.
        weights: the weights to it: rows for its neurons (`ALL`) or for this layer's (`ACTIVE`).
        reach: its padded size.
        members: its size.
        mode: `NONE`, `ALL` or `ACTIVE`.
    """

    output: Tensor
    current: np.ndarray
    weights: np.ndarray
    reach: int
    members: int
    mode: int


def upwards(
    shape: Shape,
    carrier: Tensor,
    weights: Tensor | None,
    output: Tensor,
    potentials: Tensor,
    P: Tensor,
    curve: list[float],
) -> Upwards:
    """Choose how `Wᵀ δ` is computed: within the loop, for active neurons, or as one product."""
    nothing = flat(None)
    if carrier.numel() == 0 or weights is None:
        return Upwards(output, nothing, nothing, 0, 0, NONE)
    reach, count = carrier.shape[2], weights.shape[0]
    if int(curve[0]) in FINITE and active(potentials, P, curve) < SPARSE:
        return Upwards(output, flat(carrier), flat(rows_per_input(weights)), reach, count, ACTIVE)
    matrix = last_axis(pad(weights, (0, 0, 0, reach - count)))
    if reach <= FEW:
        return Upwards(output, flat(carrier), flat(matrix), reach, count, ALL)
    total = buffers.empty(shape.steps, shape.samples, shape.size)
    torch.mm(carrier.reshape(-1, reach), matrix, out=total.view(-1, shape.size))
    if output.numel():
        total += output
    return Upwards(total, nothing, nothing, 0, 0, NONE)


def active(potentials: Tensor, P: Tensor, curve: list[float]) -> float:
    """The share of neurons whose slope is not zero, from some of the steps."""
    if int(curve[0]) == 12:
        return 0.0
    half = (0.5 if int(curve[0]) == 5 else 1.0) / curve[1]
    theta = P[-1] if P.shape[1] == potentials.shape[2] else P[-1, :1]
    seen = potentials[:: max(1, len(potentials) // 8)]
    return float(((seen - theta).abs() <= half).float().mean())


def onto_itself(recurrent: Tensor | None, curve: list[float]) -> tuple[np.ndarray, np.ndarray, int]:
    """The recurrent weights as rows by sender and by receiver, and how they are used."""
    nothing = flat(None)
    if recurrent is None:
        return nothing, nothing, NONE
    if int(curve[0]) in FINITE:
        return flat(recurrent), nothing, ACTIVE
    return flat(recurrent), flat(recurrent.t()), ALL
