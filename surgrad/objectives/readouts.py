"""Losses on the potential of a read-out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from surgrad.events import SpikeTrain
from surgrad.objectives.base import ClassLoss, LabelledSteps, StepLoss
from surgrad.objectives.checks import class_axis, sequence, spikes_like, within


@dataclass(frozen=True)
class MaxOverTime(ClassLoss):
    r"""The cross-entropy of the maximum over time.

    .. math:: L = -\log \operatorname{softmax}_{k^*}\big(\max_n U_k[n]\big)

    The gradient of a class reaches one step, the first that holds its maximum.

    Example:
        >>> output = torch.tensor([[[0.0, 1.0]], [[3.0, 0.0]]])
        >>> MaxOverTime()(output, torch.tensor([0]))
        tensor(0.1269)
        >>> MaxOverTime().predict(output)
        tensor([0])

    References: Neftci, Mostafa & Zenke 2019, companion tutorials.
    """

    kind: ClassVar[str] = "max_over_time"

    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """The maximum over the valid steps, `(batch, classes)`."""
        if bool((lengths < len(output)).any()):
            inside = within(len(output), lengths)[:, :, None]
            output = output.masked_fill(~inside, -math.inf)
        peak = output.detach().amax(0)
        if bool(peak.isfinite().all()):
            return output.gather(0, _first(output.detach(), peak)[None]).squeeze(0)
        found = output.gather(0, output.detach().argmax(0, keepdim=True)).squeeze(0)
        # what is not a number equals nothing
        return torch.where(peak.isnan(), peak, found)


def _first(output: Tensor, peak: Tensor) -> Tensor:
    """The first step that holds its maximum, `(batch, classes)`; all maxima are finite.

    In plain arithmetic, and so several times as fast as `output.max(dim=0)` or a comparison.
    """
    time = len(output)
    left = torch.arange(time, 0, -1, dtype=torch.float32, device=output.device)
    # steps below their maximum have -1 here, and none left
    held = (output - peak).sign_().to(torch.float32).mul_(time).add_(left[:, None, None])
    return time - held.amax(0).long()


@dataclass(frozen=True)
class SumOverTime(ClassLoss):
    r"""The cross-entropy of the sum over time, :math:`\sum_n U_k[n]`.

    Its scores grow with the length of the sample; `MeanOverTime` has scores that do not.

    Example:
        >>> SumOverTime()(torch.ones(3, 1, 2), torch.tensor([0]))
        tensor(0.6931)
    """

    kind: ClassVar[str] = "sum_over_time"

    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """The sum over the valid steps, `(batch, classes)`."""
        return output.sum(0)


@dataclass(frozen=True)
class MeanOverTime(ClassLoss):
    r"""The cross-entropy of the mean over the valid steps, :math:`\frac{1}{N} \sum_n U_k[n]`.

    Example:
        >>> output = torch.tensor([[[2.0, 0.0]], [[2.0, 0.0]]])
        >>> MeanOverTime()(output, torch.tensor([0]))
        tensor(0.1269)
    """

    kind: ClassVar[str] = "mean_over_time"

    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """The mean over the valid steps, `(batch, classes)`."""
        return output.sum(0) / lengths.clamp(min=1)[:, None]


@dataclass(frozen=True)
class LastStep(LabelledSteps):
    r"""The cross-entropy of the last valid step, :math:`U_k[N - 1]`.

    Example:
        >>> output = torch.tensor([[[2.0, 0.0]], [[0.0, 2.0]]])
        >>> LastStep().predict(output), LastStep().predict(output, torch.tensor([1]))
        (tensor([1]), tensor([0]))
    """

    kind: ClassVar[str] = "last_step"

    def counted(self, time: int, lengths: Tensor) -> Tensor:
        """The last valid step of each sample, bool `(time, batch)`."""
        return torch.arange(time, device=lengths.device)[:, None] == lengths - 1

    def predict(self, output: Tensor | SpikeTrain, lengths: Tensor | None = None) -> Tensor:
        """The class of the highest potential in the last valid step, int64 `(batch,)`."""
        clean, valid = sequence(output, lengths)
        class_axis(clean)
        samples = torch.arange(len(valid), device=valid.device)
        return clean[(valid - 1).clamp(min=0), samples].argmax(-1)


@dataclass(frozen=True)
class EveryStep(LabelledSteps):
    r"""The cross-entropy of every step, the mean over all steps that have a label.

    .. math:: L = \frac{1}{|\mathcal{M}|} \sum_{(n, b) \in \mathcal{M}}
        -\log \operatorname{softmax}_{k^*[n, b]}\big(U[n, b]\big)

    Targets are labels `(batch,)`, then meant in every step, or `(time, batch)`, where -1 marks a
    step without one. Each labelled step weighs the same, so that a long sample weighs more.

    Example:
        >>> targets = torch.tensor([[0], [-1], [1]])
        >>> EveryStep()(torch.zeros(3, 1, 4), targets)
        tensor(1.3863)

    References: Deng et al. 2022 (temporal efficient training) for `(batch,)` targets.
    """

    kind: ClassVar[str] = "every_step"

    def counted(self, time: int, lengths: Tensor) -> Tensor:
        """All valid steps, bool `(time, batch)`."""
        return within(time, lengths)

    def predict(self, output: Tensor | SpikeTrain, lengths: Tensor | None = None) -> Tensor:
        """The class of the highest potential in each step, int64 `(time, batch)`; -1 in padding."""
        clean, valid = sequence(output, lengths)
        class_axis(clean)
        return clean.argmax(-1).masked_fill(~within(len(clean), valid), -1)


@dataclass(frozen=True)
class MeanSquaredError(StepLoss):
    r"""The mean squared error of the output, over valid steps and units.

    .. math:: L = \frac{1}{|\mathcal{M}| K} \sum_{(n, b) \in \mathcal{M}} \lVert y[n, b] -
        y^*[n, b] \rVert^2

    Targets have the shape of the output, `(time, batch, *features)`.

    Example:
        >>> MeanSquaredError()(torch.ones(4, 2, 3), torch.zeros(4, 2, 3))
        tensor(1.)
    """

    kind: ClassVar[str] = "mean_squared_error"

    def spread(self, targets: Tensor | SpikeTrain, output: Tensor, lengths: Tensor) -> Tensor:
        """The target values, zero in the padding."""
        return sequence(spikes_like(targets, output), lengths)[0].flatten(2)

    def weights(self, targets: Tensor, lengths: Tensor) -> Tensor:
        """One over the number of valid steps."""
        counts = within(targets.shape[0], lengths)
        return counts.double() / counts.sum().clamp(min=1)

    def terms(self, output: Tensor, targets: Tensor) -> Tensor:
        """The squared error of each step, the mean over its units."""
        return (output - targets).square().mean(-1)
