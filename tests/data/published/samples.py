"""What tells samples apart in the small files that the tests write."""

from __future__ import annotations

import torch

from surgrad.data.base import Samples
from surgrad.events import SpikeTrain


def spikes(samples: Samples) -> SpikeTrain:
    assert isinstance(samples.inputs, SpikeTrain)
    return samples.inputs


def labels(samples: Samples) -> torch.Tensor:
    assert isinstance(samples.targets, torch.Tensor)
    return samples.targets


def marks(samples: Samples) -> list[int]:
    """The samples by the unit of their first spike, which the files below make their number."""
    train = spikes(samples)
    return train.indices[train.indptr[:: train.time][: train.batch]].tolist()
