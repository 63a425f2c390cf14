"""What a loss checks before it computes."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from surgrad._rows import lengths_of
from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain


def positive(owner: object, *names: str) -> None:
    """Refuse fields of `owner` that are neither None nor positive numbers."""
    for name in names:
        value = getattr(owner, name)
        if value is None:
            continue
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not 0 < float(value) < math.inf:
            raise ArgumentError(
                f"{name} of {type(owner).__name__}", got=repr(value), expected="a positive number"
            )


def one_of(owner: object, name: str, *choices: str) -> None:
    """Refuse a field of `owner` that is not among the choices."""
    value = getattr(owner, name)
    if value not in choices:
        raise ArgumentError(
            f"{name} of {type(owner).__name__}", got=repr(value), expected=" or ".join(choices)
        )


def told(value: object) -> str:
    """How an error speaks of a value that should have been a tensor of some shape."""
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return type(value).__name__


def sequence(output: Any, lengths: Any) -> tuple[Tensor, Tensor]:
    """The output with zeros in its padding, and the valid steps of each sample."""
    if isinstance(output, SpikeTrain):
        lengths = output.lengths if lengths is None else lengths
        output = output.to_dense()
    if not isinstance(output, Tensor) or output.dim() < 3 or not len(output):
        raise ShapeError(
            "output of the network",
            got=told(output),
            expected="(time, batch, *features), of one step or more",
            fix="keep the time axis, the loss reduces it",
        )
    time, batch = output.shape[:2]
    if lengths is None:
        return output, torch.full((batch,), time, dtype=torch.long, device=output.device)
    given = lengths_of(lengths, batch, time)
    valid = given.to(output.device)
    if bool((given == time).all()):
        return output, valid
    # `where`, not a product: the padding may hold anything, infinities too
    inside = within(time, valid).view(time, batch, *(1,) * (output.dim() - 2))
    return output.where(inside, torch.zeros((), dtype=output.dtype, device=output.device)), valid


def within(time: int, lengths: Tensor) -> Tensor:
    """Which steps are valid, bool `(time, batch)`."""
    return torch.arange(time, device=lengths.device)[:, None] < lengths


def class_axis(output: Tensor) -> None:
    """Refuse an output with several axes of features where each unit stands for a class."""
    if output.dim() != 3:
        raise ShapeError(
            "output of the network",
            got=f"shape {tuple(output.shape)}",
            expected="(time, batch, classes)",
            fix="end the network in one axis of units, one for each class",
        )


def labels(targets: Any, output: Tensor, *, steps: bool = False) -> Tensor:
    """Class labels, int64 `(batch,)` or with `steps` also `(time, batch)`; -1 means none."""
    time, batch, classes = output.shape
    shapes = [(batch,), (time, batch)] if steps else [(batch,)]
    plain = isinstance(targets, Tensor) and not (
        targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool
    )
    if not plain or targets.shape not in shapes:
        raise ShapeError(
            "targets",
            got=told(targets),
            expected="int64 class labels " + " or ".join(map(str, shapes)),
            fix="give each sample the number of its class, not a one-hot row",
        )
    known = targets.long().to(output.device)
    bad = (known < -1) | (known >= classes)
    if bad.any():
        raise ArgumentError(
            "targets",
            got=f"class {int(known[bad][0])}",
            expected=f"0 to {classes - 1}, as the output has {classes} units, or -1 for no label",
        )
    return known


def spikes_like(targets: Any, output: Tensor) -> Tensor:
    """Target spikes or values, of the shape and dtype of the output."""
    dense = targets.to_dense() if isinstance(targets, SpikeTrain) else targets
    if not isinstance(dense, Tensor) or dense.shape != output.shape:
        raise ShapeError(
            "targets",
            got=told(dense),
            expected=f"{tuple(output.shape)}, the shape of the output",
        )
    return dense.to(output)
