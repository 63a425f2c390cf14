"""A batch's loss, taken apart: the part of each sample and step."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch
from surgrad.objectives import Loss
from surgrad.objectives.base import StepLoss


def loss_terms(loss: Loss, output: Tensor, batch: Batch) -> Tensor:
    """What each step of each sample adds to the loss, `(time, batch)`; its sum is the loss.

    An additive loss is a sum over steps. Any other is the mean of the samples' own losses, and
    each of them is due in the sample's last step.

    Args:
        loss: the loss.
        output: of the network, `(time, batch, *features)`.
        batch: targets and lengths.

    Example:
        >>> from surgrad.objectives import losses
        >>> output, targets = torch.randn(5, 3, 2), torch.tensor([0, 1, 1])
        >>> batch = Batch(output, targets)
        >>> terms = loss_terms(losses.max_over_time, output, batch)
        >>> torch.allclose(terms.sum(), losses.max_over_time(output, targets))
        True
    """
    if isinstance(loss, StepLoss):
        wanted = loss.spread(batch.targets, output, batch.valid)
        weights = loss.weights(wanted, batch.valid).to(output)
        return weights * loss.terms(output.flatten(2), wanted)
    count = output.shape[1]
    singles = [chosen(batch, torch.tensor([b], device=output.device)) for b in range(count)]
    values = torch.stack(
        [loss(output[:, [b]], one.targets, one.lengths) for b, one in enumerate(singles)]
    )
    total = values.sum()
    terms = values.new_zeros(output.shape[:2])
    if total:
        # samples that do not count have a loss of 0 and no share in the mean
        last = (batch.valid - 1).clamp(min=0)
        terms[last, torch.arange(count)] = values * (
            loss(output, batch.targets, batch.lengths) / total
        )
    return terms


def chosen(batch: Batch, samples: Tensor) -> Batch:
    """A batch of some samples, in any order, as often as they are named.

    Args:
        batch: inputs with the time axis first.
        samples: indices int64.
    """
    return Batch(
        _select(batch.inputs, samples, 1),
        _select(batch.targets, samples, _axis(batch.targets)),
        None if batch.lengths is None else batch.lengths[samples],
    )


def _select(values: SpikeTrain | Tensor, samples: Tensor, axis: int) -> SpikeTrain | Tensor:
    if isinstance(values, SpikeTrain):
        return values.select(samples)
    return values.index_select(axis, samples)


def _axis(targets: SpikeTrain | Tensor) -> int:
    """The samples' axis: the first of labels or levels, the second where there is time."""
    if isinstance(targets, SpikeTrain):
        return 1
    return 0 if targets.dim() == 1 or (targets.dim() == 2 and targets.is_floating_point()) else 1
