"""An ordinary DataLoader over samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from surgrad.errors import ArgumentError

if TYPE_CHECKING:
    from surgrad.data.base import Samples


def collate(batch: Any) -> Any:
    """Hand on the batch that `Samples.__getitems__` gathered."""
    return batch


def loader(
    samples: Samples,
    batch_size: int,
    *,
    shuffle: bool = False,
    generator: torch.Generator | None = None,
) -> DataLoader:
    """Batches of samples, the last and smaller one included.

    Args:
        samples: what `DataSpec.load()` gives.
        batch_size: samples in a batch.
        shuffle: whether each pass goes through the samples in a new random order.
        generator: draws the orders; left out, a new one with seed 0. The global random state is
            neither read nor changed.

    Raises:
        ArgumentError: if the batch size is not a positive whole number or there are no samples.

    Example:
        >>> from surgrad.data.base import Samples
        >>> samples = Samples(torch.zeros(5, 3, 2), torch.arange(5))
        >>> [labels.tolist() for _, labels in loader(samples, 2)]
        [[0, 1], [2, 3], [4]]
    """
    if type(batch_size) is not int or batch_size < 1:
        raise ArgumentError("batch_size", got=batch_size, expected="a whole number, 1 or more")
    if not len(samples):
        raise ArgumentError("samples to load", got="none", expected="at least one")
    return DataLoader(
        samples,
        batch_size=batch_size,
        shuffle=shuffle,
        generator=torch.Generator().manual_seed(0) if generator is None else generator,
        collate_fn=collate,
    )
