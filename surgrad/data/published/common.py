"""What the published data sets share: files by several names, validation samples, `Info`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from surgrad.data.base import Info, Samples, Splits, Target
from surgrad.data.spec import DataSpec, data_root, find_file
from surgrad.data.splits import stratified_split
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain


def find_any(spec: DataSpec, *names: str) -> Path:
    """The first of these files or folders that lies under the data root.

    Raises:
        FormatError: if none does; asks for the first.
    """
    for name in names:
        path = data_root(spec.root) / name
        if path.exists():
            return path
    return find_file(spec.kind, names[0], spec.root)


def validation(groups: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """The indices of training and validation samples, every group cut in the same proportion."""
    if not 0 < fraction < 1:
        raise ArgumentError("validation_fraction", got=fraction, expected="between 0 and 1")
    train, held = stratified_split(groups, (1 - fraction, fraction), seed)
    return train, held


def parts(
    spec: DataSpec,
    train: tuple[SpikeTrain, Tensor],
    test: tuple[SpikeTrain, Tensor],
    indices: tuple[Tensor, Tensor],
    info: Info,
) -> Splits:
    """Splits from the official training and test parts, the first cut into two."""
    whole = Samples(*train)
    mixed = shuffled(indices[0], spec.split_seed)
    return spec.splits((whole.subset(mixed), whole.subset(indices[1]), Samples(*test)), info)


def shuffled(indices: Tensor, seed: int) -> Tensor:
    """The indices in a random order: files are sorted by class, and `limit` takes the first."""
    order = torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed))
    return indices[order]


def describe(
    spec: DataSpec,
    *,
    spikes: SpikeTrain | Tensor,
    dt: float,
    labels: tuple[str, ...],
    target: Target = "class",
    note: str = "",
) -> Info:
    """What a data set is, from its inputs and its entry in the catalogue."""
    sparse = isinstance(spikes, SpikeTrain)
    return spec.info(
        features=spikes.features if sparse else tuple(spikes.shape[2:]),
        time=spikes.time if sparse else spikes.shape[1],
        dt=dt,
        classes=len(labels),
        labels=labels,
        target=target,
        note=note,
    )


def chosen(mask: object) -> Tensor:
    """The indices where a mask is true."""
    return torch.as_tensor(mask).nonzero()[:, 0]
