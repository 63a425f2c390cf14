"""Outputs and targets that each loss accepts."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.objectives import LOSSES, Loss

TIME, BATCH, CLASSES, DT = 7, 4, 3, 1e-3
ON_SPIKES = {"spike_count", "spike_count_error", "spike_rate", "first_spike_latency"}
ON_TRAINS = {"van_rossum", "victor_purpura"}
# losses of spike times have tests of their own
KINDS = [kind for kind in LOSSES if not LOSSES[kind].of_times]
GRADED = [kind for kind in KINDS if LOSSES[kind].differentiable]


def loss_of(kind: str) -> Loss:
    """The loss of a kind, with default parameters."""
    return LOSSES[kind]().at(DT)


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def output_of(kind: str, *, seed: int = 0) -> Tensor:
    """Potentials for a read-out loss, spikes for the others; float64."""
    potentials = draw(TIME, BATCH, CLASSES, seed=seed)
    return (potentials > 0.5).double() if kind in ON_SPIKES | ON_TRAINS else potentials


def targets_of(kind: str) -> Tensor:
    """Labels, values or spikes."""
    if kind == "mean_squared_error":
        return draw(TIME, BATCH, CLASSES, seed=1)
    if kind in ON_TRAINS:
        return (draw(TIME, BATCH, CLASSES, seed=1) > 0.5).double()
    return torch.tensor([0, 2, 1, 2])


def first(targets: Tensor, steps: int, sample: int) -> Tensor:
    """The targets of one sample in its first steps."""
    return (
        targets[sample : sample + 1] if targets.dim() == 1 else targets[:steps, sample : sample + 1]
    )
