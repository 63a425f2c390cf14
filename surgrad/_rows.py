"""Reading and moving the compressed rows of a spike train."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from surgrad.errors import ArgumentError, EventError, ShapeError

Array: TypeAlias = "Tensor | np.ndarray | Sequence[float] | Sequence[int]"


def tensor_of(values: Array, name: str) -> Tensor:
    """`values` as a tensor, whatever the byte order, strides or write protection of an array."""
    try:
        if isinstance(values, Tensor):
            return values
        array = np.asarray(values)
        kind = np.int64 if array.dtype.kind == "u" else array.dtype.newbyteorder("=")
        return torch.from_numpy(array.astype(kind))
    except (TypeError, ValueError, RuntimeError) as cause:
        raise EventError(
            name, got=f"{type(values).__name__} ({cause})", expected="a tensor, an array or numbers"
        ) from None


def column(values: Array, name: str) -> Tensor:
    """`values` as a tensor of one axis."""
    tensor = tensor_of(values, name)
    if tensor.dim() != 1:
        raise EventError(name, got=f"shape {tuple(tensor.shape)}", expected="one entry per spike")
    return tensor


def whole(values: Array, name: str, limit: int) -> Tensor:
    """`values` as int64 `(n,)` in `[0, limit)`."""
    tensor = column(values, name)
    if tensor.dtype == torch.bool:
        raise EventError(name, got="a mask", expected="indices", fix="use mask.nonzero()[:, 0]")
    number = tensor.long()
    bad = (number < 0) | (number >= limit)
    if tensor.is_floating_point():
        bad |= number != tensor
    if bad.any():
        at = int(bad.nonzero()[0])
        raise EventError(
            name,
            got=f"{tensor[at].item()} at position {at}",
            expected=f"whole numbers in [0, {limit})",
        )
    return number


def same_size(**columns: Tensor | None) -> None:
    """Refuse columns of unequal length."""
    sizes = {name: len(values) for name, values in columns.items() if values is not None}
    if len(set(sizes.values())) > 1:
        raise EventError(
            " and ".join(sizes),
            got=f"{' and '.join(map(str, sizes.values()))} entries",
            expected="one of each per spike",
        )


def sizes_of(time: int, batch: int, features: Sequence[int]) -> tuple[int, int, tuple[int, ...]]:
    """The axes of a spike train as plain numbers."""
    try:
        axes = (index(time), index(batch), *map(index, features))
    except TypeError:
        axes = ()
    if len(axes) < 3 or min(axes) < 0 or prod(axes[2:]) >= 2**31:
        raise ShapeError(
            "axes of a SpikeTrain",
            got=f"time={time!r}, batch={batch!r}, features={features!r}",
            expected="whole numbers, zero or more, and features a tuple of under 2**31 units",
            fix="write one feature axis as (n,)",
        )
    return axes[0], axes[1], axes[2:]


def lengths_of(values: Array, batch: int, time: int) -> Tensor:
    """Valid steps, int64 `(batch,)` in `[0, time]`."""
    try:
        lengths = whole(values, "lengths", time + 1)
    except EventError as cause:
        raise ShapeError("lengths", got=cause.got, expected=f"({batch},) in [0, {time}]") from None
    if lengths.shape != (batch,):
        raise ShapeError("lengths", got=f"shape {tuple(lengths.shape)}", expected=f"({batch},)")
    return lengths


def bins_of(times: Array, dt: float) -> Tensor:
    """The step of each time, float64; `n dt` lies in step n however it was rounded."""
    if not (isinstance(dt, int | float | np.number) and 0 < dt < float("inf")):
        raise ArgumentError("dt", got=repr(dt), expected="a positive number of seconds")
    given = column(times, "spike times")
    seconds = given.double()
    bad = ~torch.isfinite(seconds) | (seconds < 0)
    if bad.any():
        raise EventError(
            "spike times",
            got=f"{seconds[bad][0].item()} at position {int(bad.nonzero()[0])}",
            expected="finite seconds, zero or more",
            fix="drop these events, or check the unit of the recording",
        )
    steps = seconds / float(dt)
    rounding = torch.finfo(given.dtype).eps if given.is_floating_point() else 0.0
    return torch.floor(steps + (1e-6 + rounding * steps).clamp(max=1e-2))


def sites_of(dense: Array) -> tuple[Tensor, Tensor, Tensor, torch.Size]:
    """Step, unit and sample of each spike in dense counts, and their shape."""
    counts = tensor_of(dense, "dense spikes").detach()
    if counts.dim() < 3:
        raise ShapeError(
            "dense spikes",
            got=f"shape {tuple(counts.shape)}",
            expected="(time, batch, *features)",
            fix="add the missing axis with unsqueeze",
        )
    flat = counts.reshape(*counts.shape[:2], prod(counts.shape[2:]))
    step, sample, unit = flat.nonzero(as_tuple=True)
    values = flat[step, sample, unit].double()
    bad = ~((values > 0) & (values < 2**31) & (values == values.floor()))
    if bad.any():
        at = int(bad.nonzero()[0])
        raise EventError(
            "dense spikes",
            got=f"{values[at].item()} in step {int(step[at])} of sample {int(sample[at])}",
            expected="whole numbers of spikes: 0, 1, 2, …",
            fix="turn currents into spikes with an encoder of surgrad.data",
        )
    repeats = values.long()
    sites = [site.repeat_interleave(repeats) for site in (step, unit, sample)]
    return sites[0], sites[1], sites[2], counts.shape


def bounds_of(steps: slice, time: int) -> tuple[int, int]:
    """Start and stop of a slice of time steps."""
    if not isinstance(steps, slice):
        raise ShapeError(
            "SpikeTrain index",
            got=repr(steps),
            expected="a slice of time steps",
            fix="use train[a:b] for time and train.select([...]) for samples",
        )
    start, stop, stride = steps.indices(time)
    if stride != 1:
        raise ShapeError("step of a time slice", got=stride, expected=1)
    return start, max(start, stop)


def check_parts(name: str, values: Tensor | None, dtype: torch.dtype, size: int) -> None:
    """Refuse a part of a spike train of another dtype or size."""
    if values is not None and (values.dtype != dtype or values.shape != (size,)):
        raise ShapeError(
            f"{name} of a SpikeTrain",
            got=f"{values.dtype} of shape {tuple(values.shape)}",
            expected=f"{dtype} of shape ({size},)",
            fix="build it with from_events, from_times, from_dense or cat",
        )


def compress(row: Tensor, unit: Tensor, rows: int, units: int) -> tuple[Tensor, Tensor]:
    """Row pointers and unit indices of spikes in any order."""
    key = (row * units + unit).sort().values
    row = key // max(units, 1)
    return pointers(torch.bincount(row, minlength=rows)), (key - row * units).int()


def pointers(counts: Tensor) -> Tensor:
    """Where each row begins, from the spikes in each."""
    return torch.nn.functional.pad(counts.reshape(-1).long().cumsum(0), (1, 0))


def segments(values: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
    """The concatenation of `values[start : start + count]`."""
    ends = counts.cumsum(0)
    offsets = (starts - ends + counts).repeat_interleave(counts)
    return values[offsets + torch.arange(len(offsets), device=values.device)]
