"""What a data set yields: batches of spikes and targets, time first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import Dataset

from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain

Batch: TypeAlias = (
    "tuple[SpikeTrain | Tensor, Tensor | SpikeTrain] | tuple[Tensor, Tensor | SpikeTrain, Tensor]"
)
"""`(inputs, targets)`, and `(inputs, targets, lengths)` where dense inputs differ in length."""

Target: TypeAlias = Literal["class", "step_class", "values", "spikes"]


@dataclass(frozen=True)
class Info:
    """What a data set is, for those who build a network for it.

    Attributes:
        name: the kind of the data set.
        features: the shape of the input units.
        time: the steps of the longest sample.
        dt: the width of a step in seconds.
        classes: the number of classes, None where the targets are values or spikes.
        labels: a name for each class.
        target: one class a sample, one class a step, values `(time, batch, K)` or spike trains.
        source: where the data come from.
        licence: under what they may be used.
        outputs: the units that a read-out needs; the number of classes unless given.
        note: what a reader of a result on these data must know.
    """

    name: str
    features: tuple[int, ...]
    time: int
    dt: float
    classes: int | None
    labels: tuple[str, ...]
    target: Target
    source: str
    licence: str
    outputs: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if not self.outputs and self.classes:
            object.__setattr__(self, "outputs", self.classes)
        if self.outputs < 1:
            raise ArgumentError("outputs of a data set", got=self.outputs, expected="1 or more")
        if self.classes is not None and len(self.labels) not in (0, self.classes):
            raise ArgumentError(
                f"labels of {self.name}", got=len(self.labels), expected=f"{self.classes} names"
            )


class Samples(Dataset):
    """Inputs and targets of many samples, in memory; indexing gives batches.

    A batch lasts as long as its longest sample, so that a batch of short recordings costs little.

    Args:
        inputs: a spike train of all samples, or dense values `(samples, time, *features)`.
        targets: classes `(samples,)`, or `(samples, time)` with -1 where a step has no label
            (yielded as `(time, batch)`), values `(samples, time, K)` (yielded as
            `(time, batch, K)`), or a spike train of as many samples and steps.
        lengths: the valid steps of dense inputs, `(samples,)`; a spike train brings its own.

    Raises:
        ShapeError: if the numbers of samples or steps differ, or an axis is missing.
        ArgumentError: if dense inputs or values are not finite, or a class is negative.

    Example:
        >>> train = SpikeTrain.from_events(
        ...     [0, 1, 0], [0, 1, 1], [0, 0, 1], time=2, features=(2,), batch=2
        ... )
        >>> spikes, labels = Samples(train, torch.tensor([3, 4]))[1]
        >>> spikes.shape, labels
        ((2, 1, 2), tensor([4]))
    """

    def __init__(
        self,
        inputs: SpikeTrain | Tensor,
        targets: Tensor | SpikeTrain,
        lengths: Tensor | None = None,
    ) -> None:
        self.inputs, self.targets, self.lengths = inputs, targets, lengths
        if isinstance(inputs, SpikeTrain):
            if lengths is not None:
                raise ArgumentError(
                    "lengths of samples", got="lengths beside a SpikeTrain", fix="set train.lengths"
                )
            self._count, self._time = inputs.batch, inputs.time
            self._valid = inputs.lengths
        else:
            _check_dense(inputs, lengths)
            self._count, self._time = inputs.shape[:2]
            self._valid = lengths
        _check_targets(targets, self._count, self._time)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Batch:
        if not -self._count <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        return self.__getitems__([index % self._count])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """One batch of the given samples, in the given order."""
        index = torch.as_tensor(indices, dtype=torch.long)
        time = self._time
        if self._valid is not None and len(index):
            time = max(1, int(self._valid[index].max()))
        targets = _gather(self.targets, index, time)
        if isinstance(self.inputs, SpikeTrain):
            spikes = self.inputs.select(index)
            return (spikes if time == self._time else spikes[:time]), targets
        dense = _time_first(self.inputs, index, time)
        return (dense, targets) if self.lengths is None else (dense, targets, self.lengths[index])

    def subset(self, indices: Tensor | Sequence[int]) -> Samples:
        """The given samples, in the given order, as samples of their own."""
        index = torch.as_tensor(indices, dtype=torch.long)
        inputs, targets = self.inputs, self.targets
        return Samples(
            inputs.select(index) if isinstance(inputs, SpikeTrain) else _chosen(inputs, index),
            targets.select(index) if isinstance(targets, SpikeTrain) else targets[index],
            None if self.lengths is None else self.lengths[index],
        )


class Splits(NamedTuple):
    """The three parts of a data set, and what it is."""

    train: Samples
    validation: Samples
    test: Samples
    info: Info


def _gather(values: Tensor | SpikeTrain, index: Tensor, time: int) -> Tensor | SpikeTrain:
    if isinstance(values, SpikeTrain):
        chosen = values.select(index)
        return chosen if time == values.time else chosen[:time]
    return values[index] if values.dim() == 1 else _time_first(values, index, time)


def _chosen(values: Tensor, index: Tensor) -> Tensor:
    """Samples of `(samples, time, *features)`; what is constant in time keeps its one row."""
    if values.stride(1) == 0:
        return values[index, 0].unsqueeze(1).expand(-1, *values.shape[1:])
    return values[index]


def _time_first(values: Tensor, index: Tensor, time: int) -> Tensor:
    if values.stride(1) == 0:
        return _chosen(values, index)[:, :time].transpose(0, 1)
    return values[index, :time].transpose(0, 1).contiguous()


def _check_dense(inputs: Tensor, lengths: Tensor | None) -> None:
    if inputs.dim() < 3:
        raise ShapeError(
            "dense inputs of samples",
            got=f"shape {tuple(inputs.shape)}",
            expected="(samples, time, *features)",
        )
    # a constant current has one row in memory, however long it lasts
    if not torch.isfinite(inputs if inputs.stride(1) else inputs[:, :1]).all():
        raise ArgumentError("dense inputs of samples", got="a value that is not finite")
    if lengths is not None and (
        lengths.shape != inputs.shape[:1] or ((lengths < 0) | (lengths > inputs.shape[1])).any()
    ):
        raise ShapeError(
            "lengths of samples",
            got=f"shape {tuple(lengths.shape)}",
            expected=f"({inputs.shape[0]},) values in [0, {inputs.shape[1]}]",
        )


def _check_targets(targets: Tensor | SpikeTrain, count: int, time: int) -> None:
    if isinstance(targets, SpikeTrain):
        if (targets.batch, targets.time) != (count, time):
            raise ShapeError(
                "target spikes",
                got=f"{targets.batch} samples of {targets.time} steps",
                expected=f"{count} samples of {time} steps",
            )
        return
    whole = not targets.is_floating_point()
    fits = (
        targets.shape == (count,) or targets.shape == (count, time)
        if whole
        else targets.dim() == 3 and targets.shape[:2] == (count, time)
    )
    if not fits:
        raise ShapeError(
            "targets",
            got=f"{targets.dtype} of shape {tuple(targets.shape)}",
            expected=f"classes ({count},) or ({count}, {time}), or values ({count}, {time}, K)",
        )
    if whole and targets.numel() and int(targets.min()) < (0 if targets.dim() == 1 else -1):
        raise ArgumentError("classes", got=int(targets.min()), expected="0, 1, 2, …")
    if not whole and not torch.isfinite(targets).all():
        raise ArgumentError("target values", got="a value that is not finite")
