"""What a loss is: a number for an output over time, and what the output says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain
from surgrad.objectives.checks import class_axis, labels, positive, sequence

# steps of an output that a sum over steps looks at together
PIECE = 128


class Loss(ABC):
    """Maps an output over time and its targets to a scalar, the mean over samples.

    Steps at or beyond the length of a sample change neither the value nor the gradient, whatever
    they hold. Samples without a valid step or without a label do not count.

    Attributes:
        kind: the name in `LOSSES` and in experiment files.
        additive: whether the loss is a sum over steps of terms that each see the output of their
            own step only, so that an online rule knows its error as soon as the step is over.
        differentiable: whether it has a gradient with respect to the output.
        classifies: whether `predict` names classes.
        of_times: whether it takes spike times in seconds and not an output in steps.
    """

    kind: ClassVar[str]
    additive: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True
    classifies: ClassVar[bool] = False
    of_times: ClassVar[bool] = False

    def __call__(
        self,
        output: Tensor | SpikeTrain,
        targets: Tensor | SpikeTrain,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """The loss, a scalar.

        Args:
            output: of the network, `(time, batch, *features)`.
            targets: class labels int64 `(batch,)` where not said otherwise; -1 is no label.
            lengths: the valid steps of each sample, `(batch,)`; by default all.

        Raises:
            ShapeError: if output, targets and lengths do not fit each other.
            ArgumentError: if a label is no class of the output.
        """
        return self.value(*self._clean(output, targets, lengths))

    @abstractmethod
    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """The loss of an output whose padding is zero; called by `__call__`."""

    def predict(self, output: Tensor | SpikeTrain, lengths: Tensor | None = None) -> Tensor:
        """What the output says: a class for each sample, int64 `(batch,)`.

        Raises:
            ArgumentError: if the loss is not about classes.
        """
        raise ArgumentError(
            f"a prediction by {type(self).__name__}",
            got="a loss that does not read classes from the output",
            expected="one that does, such as max_over_time",
        )

    def step_error(
        self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor | None = None
    ) -> Tensor:
        """The gradient of the loss with respect to the output, of its shape."""
        with torch.enable_grad():
            leaf = output.detach().requires_grad_()
            return torch.autograd.grad(self(leaf, targets, lengths), leaf)[0]

    def at(self, dt: float) -> Self:
        """The same loss for steps of `dt` seconds, if that was left open."""
        return self

    def _clean(
        self,
        output: Tensor | SpikeTrain,
        targets: Tensor | SpikeTrain,
        lengths: Tensor | None,
    ) -> tuple[Tensor, Tensor | SpikeTrain, Tensor]:
        if lengths is None and isinstance(targets, SpikeTrain):
            lengths = targets.lengths
        clean, valid = sequence(output, lengths)
        return clean, targets, valid


@dataclass(frozen=True, kw_only=True)
class Timed(Loss):
    """A loss in seconds or hertz.

    Args:
        dt: the width of a step in seconds. A rule fills in that of the network.
    """

    dt: float | None = None

    def __post_init__(self) -> None:
        positive(self, "dt")

    def at(self, dt: float) -> Self:
        """The same loss for steps of `dt` seconds, if that was left open."""
        return replace(self, dt=dt) if self.dt is None else self

    @property
    def step(self) -> float:
        """The width of a step in seconds, which must be known by now."""
        if self.dt is None:
            raise ArgumentError(
                f"dt of {type(self).__name__}",
                got="nothing",
                expected="the width of a step in seconds",
                fix=f"write {type(self).__name__}(dt=1e-3)",
            )
        return self.dt


class ClassLoss(Loss):
    """The cross-entropy of one score a class and sample."""

    classifies: ClassVar[bool] = True

    @abstractmethod
    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """The scores `(batch, classes)` of an output whose padding is zero."""

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        class_axis(output)
        known = labels(targets, output)
        seen = lengths > 0
        scores = self.scores(output, lengths)
        scores = scores.where(seen[:, None], torch.zeros_like(scores))
        known = known.where(seen, torch.full_like(known, -1))
        return _cross_entropy(scores, known).sum() / _total(known >= 0)

    def predict(self, output: Tensor | SpikeTrain, lengths: Tensor | None = None) -> Tensor:
        """The class of the highest score, int64 `(batch,)`; the first of several."""
        clean, valid = sequence(output, lengths)
        class_axis(clean)
        return self.scores(clean.detach(), valid).argmax(-1)


class StepLoss(Loss):
    r"""A sum over steps, :math:`\sum_{n,b} w[n, b]\, \ell(y[n, b], y^*[n, b])`.

    An online rule takes `weights`, which need no output, once, and then the gradient of
    `weights[n] * terms(output[n], targets[n])` in each step.
    """

    additive: ClassVar[bool] = True

    @abstractmethod
    def weights(self, targets: Tensor, lengths: Tensor) -> Tensor:
        """`w`, float64 `(time, batch)`, from targets with a time axis; zero in the padding."""

    @abstractmethod
    def terms(self, output: Tensor, targets: Tensor) -> Tensor:
        """`ℓ`, `(...)`, of any steps: output `(..., units)` and the targets of these steps."""

    @abstractmethod
    def spread(self, targets: Tensor | SpikeTrain, output: Tensor, lengths: Tensor) -> Tensor:
        """The targets, checked, with a time axis: `(time, batch)` or `(time, batch, units)`."""

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        wanted = self.spread(targets, output, lengths)
        weights = self.weights(wanted, lengths).to(output.dtype)
        if torch.is_grad_enabled() and output.requires_grad:
            return (weights * self.terms(output.flatten(2), wanted)).sum()
        with torch.no_grad():
            return torch.stack([part for part, _ in self._parts(output, wanted, weights)]).sum()

    def step_error(
        self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor | None = None
    ) -> Tensor:
        """See `Loss.step_error`; some steps at a time, whose terms are all that is held."""
        clean, targets, valid = self._clean(output.detach(), targets, lengths)
        wanted = self.spread(targets, clean, valid)
        weights = self.weights(wanted, valid).to(clean.dtype)
        found, start = torch.empty_like(clean), 0
        with torch.enable_grad():
            for part, leaf in self._parts(clean, wanted, weights):
                (error,) = torch.autograd.grad(part, leaf)
                found[start : start + len(error)] = error
                start += len(error)
        return found

    def _parts(
        self, output: Tensor, wanted: Tensor, weights: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The sum over some steps after the other, and their output, a leaf of a graph."""
        pieces = (values.split(PIECE) for values in (output.detach(), wanted, weights))
        for piece, targets, factors in zip(*pieces, strict=True):
            leaf = piece.requires_grad_(torch.is_grad_enabled())
            yield (factors * self.terms(leaf.flatten(2), targets)).sum(), leaf


class LabelledSteps(StepLoss):
    """The cross-entropy of the output at some steps."""

    classifies: ClassVar[bool] = True

    def terms(self, output: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy of each step, 0 where there is no label."""
        return _cross_entropy(output, targets)

    def weights(self, targets: Tensor, lengths: Tensor) -> Tensor:
        """One over the number of labelled steps that count."""
        counts = self.counted(targets.shape[0], lengths) & (targets >= 0)
        return counts.double() / _total(counts)

    @abstractmethod
    def counted(self, time: int, lengths: Tensor) -> Tensor:
        """The steps that count, bool `(time, batch)`."""

    def spread(self, targets: Tensor | SpikeTrain, output: Tensor, lengths: Tensor) -> Tensor:
        """Labels `(time, batch)`, from these or from one a sample."""
        class_axis(output)
        return labels(targets, output, steps=True).expand(output.shape[:2])


def _cross_entropy(scores: Tensor, known: Tensor) -> Tensor:
    """`-log softmax` at the label, 0 where it is -1; over the last axis."""
    flat = torch.nn.functional.cross_entropy(
        scores.flatten(0, -2), known.flatten(), ignore_index=-1, reduction="none"
    )
    return flat.view(known.shape)


def _total(counts: Tensor) -> Tensor:
    return counts.sum().clamp(min=1)


def mean_over(values: Tensor, steps: Tensor) -> Tensor:
    """The mean of `(batch, ...)` over the samples that have a valid step, 0 without any."""
    kept = values[steps > 0]
    return kept.sum() / max(kept.numel(), 1)
