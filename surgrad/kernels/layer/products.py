"""How the gradient of spikes is found: for all neurons, or where the slope is not zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from surgrad.kernels.layer.memory import by_sample, flat, in_blocks
from surgrad.kernels.layer.pack import rows_per_input, square

NONE, ALL, ACTIVE = 0, 1, 2
# samples that a product with all recurrent weights treats together
GROUP = 4
# rows of the surrogates' table that are exactly zero somewhere
FINITE = (4, 5, 7, 12)
# the share of neurons with a slope below which they are treated one by one
SPARSE = 0.25


class Upwards(NamedTuple):
    """What the adjoint of a layer takes from the next one.

    Attributes:
        current: the gradient of the next layer's current, sample by sample, flat.
        weights: the weights to it: in blocks, with a row for each of its neurons (`ALL`), or with
            one for each of this layer's (`ACTIVE`).
        reach: its padded size.
        members: its size.
        mode: `NONE`, `ALL` or `ACTIVE`.
    """

    current: np.ndarray
    weights: np.ndarray
    reach: int
    members: int
    mode: int


def mode_of(potentials: Tensor, P: Tensor, curve: list[float]) -> int:
    """Whether the spikes' gradient is wanted of all neurons, or only of those with a slope."""
    few = int(curve[0]) in FINITE and active(potentials, P, curve) < SPARSE
    return ACTIVE if few else ALL


def upwards(carrier: Tensor, weights: Tensor | None, mode: int) -> Upwards:
    """The gradient that comes from the next layer, and the weights for the mode."""
    if carrier.numel() == 0 or weights is None:
        return Upwards(flat(None), flat(None), 0, 0, NONE)
    current, sizes = flat(by_sample(carrier)), (carrier.shape[2], weights.shape[0])
    if mode == ACTIVE:
        return Upwards(current, flat(rows_per_input(weights)), *sizes, ACTIVE)
    return Upwards(current, in_blocks(weights), *sizes, ALL)


def active(potentials: Tensor, P: Tensor, curve: list[float]) -> float:
    """The share of neurons whose slope is not zero, from some of the steps."""
    if int(curve[0]) == 12:
        return 0.0
    half = (0.5 if int(curve[0]) == 5 else 1.0) / curve[1]
    theta = P[-1] if P.shape[1] == potentials.shape[2] else P[-1, :1]
    seen = potentials[:: max(1, len(potentials) // 8)]
    return float(((seen - theta).abs() <= half).float().mean())


def onto_itself(recurrent: Tensor | None, mode: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The recurrent weights by sender and, in blocks, by receiver, and how they are used."""
    if recurrent is None:
        return flat(None), flat(None), NONE
    if mode == ACTIVE:
        return flat(rows_per_input(recurrent)), flat(None), ACTIVE
    return flat(None), in_blocks(square(recurrent)), ALL
