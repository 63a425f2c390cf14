"""Spike trains as events: what data sets yield and layers pass on."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from surgrad.errors import EventError, ShapeError

Array: TypeAlias = "Tensor | np.ndarray | Sequence[float] | Sequence[int]"


class SpikeTrain:
    """The spikes of a batch of sequences, as compressed rows.

    Row `sample * time + step` holds the unit indices of the spikes that a sample emits in a step,
    in ascending order; a unit that spikes twice in a step stands there twice. Nothing dense is
    kept. Build one with `from_events`, `from_times`, `from_dense` or `cat`.

    Attributes:
        indptr: int64 `(batch * time + 1,)`, where each row begins in `indices`.
        indices: int32 `(spikes,)`, unit indices into the flattened features.
        time: the number of steps.
        batch: the number of samples.
        features: the shape of the units, e.g. `(700,)` or `(2, 34, 34)`.
        lengths: int64 `(batch,)`, the valid steps of each sample, or None where all are `time`.

    Example:
        >>> train = SpikeTrain.from_events([0, 2, 2], [1, 0, 1], time=3, features=(2,))
        >>> train.to_dense()[:, 0]
        tensor([[0., 1.],
                [0., 0.],
                [1., 1.]])
    """

    __slots__ = ("batch", "features", "indices", "indptr", "lengths", "time")

    def __init__(
        self,
        indptr: Tensor,
        indices: Tensor,
        *,
        time: int,
        batch: int,
        features: Sequence[int],
        lengths: Tensor | None = None,
    ) -> None:
        self.indptr, self.indices = indptr, indices
        self.time, self.batch, self.features = time, batch, tuple(features)
        self.lengths = lengths
        if indptr.shape != (batch * time + 1,):
            raise ShapeError(
                "indptr of a SpikeTrain",
                got=f"shape {tuple(indptr.shape)}",
                expected=f"({batch * time + 1},), one more than batch × time = {batch} × {time}",
            )
        if lengths is not None and lengths.shape != (batch,):
            raise ShapeError(
                "lengths of a SpikeTrain", got=f"shape {tuple(lengths.shape)}", expected=f"({batch},)"
            )

    @classmethod
    def from_events(
        cls,
        steps: Array,
        units: Array,
        samples: Array | None = None,
        *,
        time: int,
        features: Sequence[int],
        batch: int = 1,
        lengths: Array | None = None,
    ) -> SpikeTrain:
        """From the step, unit and sample of each spike, in any order.

        Args:
            steps: the time step of each spike, in `[0, time)`.
            units: its unit, an index into the flattened features.
            samples: its sample in `[0, batch)`; all 0 if left out.
            time: the number of steps.
            features: the shape of the units.
            batch: the number of samples.
            lengths: the valid steps of each sample.

        Raises:
            EventError: if an index is out of range or not a whole number, or the arrays differ in length.
        """
        units_total = prod(features)
        step = _indices(steps, "steps", time)
        unit = _indices(units, "units", units_total)
        sample = torch.zeros_like(step) if samples is None else _indices(samples, "samples", batch)
        if not len(step) == len(unit) == len(sample):
            raise EventError(
                "steps, units and samples",
                got=f"{len(step)}, {len(unit)} and {len(sample)} entries",
                expected="one of each per spike",
            )
        key = (sample * time + step) * units_total + unit
        key = key.sort().values
        rows = torch.div(key, max(units_total, 1), rounding_mode="floor")
        counts = torch.bincount(rows, minlength=batch * time)
        return cls(
            _indptr(counts),
            (key - rows * units_total).int(),
            time=time,
            batch=batch,
            features=features,
            lengths=None if lengths is None else _lengths(lengths, batch, time),
        )

    @classmethod
    def from_times(
        cls,
        times: Array,
        units: Array,
        samples: Array | None = None,
        *,
        dt: float,
        time: int,
        features: Sequence[int],
        batch: int = 1,
        lengths: Array | None = None,
    ) -> SpikeTrain:
        """From continuous spike times, binned: step `n` holds the spikes in `[n dt, (n+1) dt)`.

        Args:
            times: seconds from the start of the sample. Spikes at or after `time * dt` are dropped.
            units: as in `from_events`, like `samples`, `time`, `features`, `batch` and `lengths`.
            dt: the width of a step in seconds.

        Raises:
            EventError: if a time is negative or not finite, or as in `from_events`.

        Example:
            >>> SpikeTrain.from_times([0.0, 0.0015], [0, 1], dt=1e-3, time=3, features=(2,)).events()[0]
            tensor([0, 1])
        """
        seconds = torch.as_tensor(times).double()
        bad = ~torch.isfinite(seconds) | (seconds < 0)
        if bad.any():
            raise EventError(
                "spike times",
                got=f"{seconds[bad][0].item()} at position {int(bad.nonzero()[0])}",
                expected="finite seconds, zero or more",
                fix="drop these events, or check the unit of the recording",
            )
        # a millionth of a step forgives times that were computed as n * dt
        steps = torch.floor(seconds / dt + 1e-6).long()
        inside = steps < time
        samples = None if samples is None else torch.as_tensor(samples)[inside]
        return cls.from_events(
            steps[inside],
            torch.as_tensor(units)[inside],
            samples,
            time=time,
            features=features,
            batch=batch,
            lengths=lengths,
        )

    @classmethod
    def from_dense(cls, dense: Tensor, lengths: Array | None = None) -> SpikeTrain:
        """From a tensor of spike counts, `(time, batch, *features)`.

        Raises:
            ShapeError: if an axis is missing.
            EventError: if an entry is not a whole number of spikes.
        """
        if dense.dim() < 3:
            raise ShapeError(
                "dense spikes",
                got=f"shape {tuple(dense.shape)}",
                expected="(time, batch, *features)",
                fix="add the missing axis with unsqueeze",
            )
        counts = dense.detach().flatten(2)
        if not ((counts >= 0) & (counts == counts.round())).all():
            raise EventError(
                "dense spikes", got="an entry that is not a whole number", expected="0, 1, 2, …"
            )
        step, sample, unit = counts.nonzero(as_tuple=True)
        repeats = counts[step, sample, unit].long()
        step, sample, unit = (index.repeat_interleave(repeats) for index in (step, sample, unit))
        time, batch = dense.shape[:2]
        return cls.from_events(
            step,
            unit,
            sample,
            time=time,
            batch=batch,
            features=dense.shape[2:],
            lengths=lengths,
        )

    @classmethod
    def cat(cls, trains: Sequence[SpikeTrain]) -> SpikeTrain:
        """One batch from several, in order; shorter ones are padded and get `lengths`."""
        if not trains:
            raise EventError("SpikeTrain.cat", got="no spike train", expected="at least one")
        features = trains[0].features
        for train in trains:
            if train.features != features:
                raise ShapeError(
                    "features of the spike trains to join", got=train.features, expected=features
                )
        time = max(train.time for train in trains)
        ragged = any(train.lengths is not None or train.time != time for train in trains)
        padded = [train.pad(time) for train in trains]
        return cls(
            _indptr(torch.cat([train.indptr.diff() for train in padded])),
            torch.cat([train.indices for train in trains]),
            time=time,
            batch=sum(train.batch for train in trains),
            features=features,
            lengths=torch.cat([train.valid for train in trains]) if ragged else None,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """`(time, batch, *features)`."""
        return (self.time, self.batch, *self.features)

    @property
    def units(self) -> int:
        """The number of units, all feature axes together."""
        return prod(self.features)

    @property
    def device(self) -> torch.device:
        """Where the events lie."""
        return self.indices.device

    @property
    def valid(self) -> Tensor:
        """The valid steps of each sample, int64 `(batch,)`."""
        if self.lengths is not None:
            return self.lengths
        return torch.full((self.batch,), self.time, dtype=torch.long, device=self.device)

    def __len__(self) -> int:
        return self.time

    def __repr__(self) -> str:
        return f"SpikeTrain(shape={self.shape}, spikes={len(self.indices)})"

    def events(self) -> tuple[Tensor, Tensor, Tensor]:
        """Step, unit and sample of each spike, int64, ordered by sample and step."""
        rows = torch.arange(self.batch * self.time, device=self.device)
        row = rows.repeat_interleave(self.indptr.diff())
        return row % max(self.time, 1), self.indices.long(), row // max(self.time, 1)

    def to_dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Spike counts `(time, batch, *features)`."""
        step, unit, sample = self.events()
        dense = torch.zeros(self.time * self.batch * self.units, dtype=dtype, device=self.device)
        flat = (step * self.batch + sample) * self.units + unit
        dense.index_add_(0, flat, torch.ones((), dtype=dtype, device=self.device).expand(len(flat)))
        return dense.view(self.shape)

    def counts(self) -> Tensor:
        """The spikes of each unit over time, float32 `(batch, *features)`."""
        _, unit, sample = self.events()
        total = torch.bincount(sample * self.units + unit, minlength=self.batch * self.units)
        return total.view(self.batch, *self.features).float()

    def density(self) -> float:
        """The mean spikes per unit and valid step."""
        sites = int(self.valid.sum()) * self.units
        return len(self.indices) / sites if sites else 0.0

    def __getitem__(self, steps: slice) -> SpikeTrain:
        """The steps of a slice; lengths shrink with it.

        Example:
            >>> train = SpikeTrain.from_events([0, 2], [1, 0], time=3, features=(2,))
            >>> train[1:3].to_dense()[:, 0]
            tensor([[0., 0.],
                    [1., 0.]])
        """
        if not isinstance(steps, slice):
            raise ShapeError(
                "SpikeTrain index",
                got=repr(steps),
                expected="a slice of time steps",
                fix="use train[a:b] for time and train.select([...]) for samples",
            )
        start, stop, stride = steps.indices(self.time)
        if stride != 1:
            raise ShapeError("step of a time slice", got=stride, expected=1)
        stop = max(start, stop)
        rows = self.indptr.diff().view(self.batch, self.time)[:, start:stop]
        begins = self.indptr[:-1].view(self.batch, self.time)[:, start:stop]
        first = begins[:, 0] if stop > start else torch.zeros_like(rows.sum(1))
        return SpikeTrain(
            _indptr(rows.reshape(-1)),
            _segments(self.indices, first, rows.sum(1)),
            time=stop - start,
            batch=self.batch,
            features=self.features,
            lengths=None if self.lengths is None else (self.lengths - start).clamp(0, stop - start),
        )

    def select(self, samples: Array) -> SpikeTrain:
        """The given samples, in the given order."""
        index = _indices(samples, "samples", self.batch).to(self.device)
        rows = self.indptr.diff().view(self.batch, self.time)[index]
        starts = self.indptr[: self.batch * self.time + 1][:: max(self.time, 1)][index]
        return SpikeTrain(
            _indptr(rows.reshape(-1)),
            _segments(self.indices, starts, rows.sum(1)),
            time=self.time,
            batch=len(index),
            features=self.features,
            lengths=None if self.lengths is None else self.lengths[index],
        )

    def pad(self, time: int) -> SpikeTrain:
        """The same spikes in `time` steps, which is no fewer than now; the new ones are not valid."""
        if time == self.time:
            return self
        rows = self.indptr.diff().view(self.batch, self.time)
        rows = torch.nn.functional.pad(rows, (0, time - self.time))
        return SpikeTrain(
            _indptr(rows.reshape(-1)),
            self.indices,
            time=time,
            batch=self.batch,
            features=self.features,
            lengths=self.valid,
        )

    def reshape(self, *features: int) -> SpikeTrain:
        """The same spikes with the units in another shape, e.g. `reshape(train.units)`."""
        if prod(features) != self.units:
            raise ShapeError("features", got=features, expected=f"{self.units} units in all")
        return SpikeTrain(
            self.indptr,
            self.indices,
            time=self.time,
            batch=self.batch,
            features=features,
            lengths=self.lengths,
        )

    def clip(self) -> SpikeTrain:
        """At most one spike per unit and step."""
        step, unit, sample = self.events()
        key = (sample * self.time + step) * self.units + unit
        first = torch.ones_like(key, dtype=torch.bool)
        first[1:] = key[1:] != key[:-1]
        return SpikeTrain.from_events(
            step[first],
            unit[first],
            sample[first],
            time=self.time,
            batch=self.batch,
            features=self.features,
            lengths=self.lengths,
        )

    def to(self, device: torch.device | str) -> SpikeTrain:
        """The same spikes on another device."""
        return self._with(lambda tensor: tensor.to(device))

    def pin_memory(self) -> SpikeTrain:
        """The same spikes in page-locked memory."""
        return self._with(lambda tensor: tensor.pin_memory())

    def _with(self, move) -> SpikeTrain:
        return SpikeTrain(
            move(self.indptr),
            move(self.indices),
            time=self.time,
            batch=self.batch,
            features=self.features,
            lengths=None if self.lengths is None else move(self.lengths),
        )

    def equal(self, other: SpikeTrain) -> bool:
        """Whether both hold the same spikes, shape and valid steps."""
        return (
            self.shape == other.shape
            and torch.equal(self.indptr, other.indptr)
            and torch.equal(self.indices, other.indices)
            and torch.equal(self.valid, other.valid)
        )


def _indices(values: Array, name: str, limit: int) -> Tensor:
    tensor = torch.as_tensor(values)
    if tensor.numel() == 0:
        return tensor.long().reshape(-1)
    if tensor.dim() != 1:
        raise EventError(name, got=f"shape {tuple(tensor.shape)}", expected="one entry per spike")
    whole = tensor.long()
    bad = (whole != tensor) | (whole < 0) | (whole >= limit)
    if bad.any():
        at = int(bad.nonzero()[0])
        raise EventError(
            name, got=f"{tensor[at].item()} at position {at}", expected=f"whole numbers in [0, {limit})"
        )
    return whole


def _lengths(values: Array, batch: int, time: int) -> Tensor:
    tensor = torch.as_tensor(values).long()
    if tensor.shape != (batch,) or ((tensor < 0) | (tensor > time)).any():
        raise ShapeError(
            "lengths",
            got=f"{tuple(tensor.shape)} values up to {int(tensor.max()) if tensor.numel() else 0}",
            expected=f"({batch},) values in [0, {time}]",
        )
    return tensor


def _indptr(counts: Tensor) -> Tensor:
    return torch.nn.functional.pad(counts.long().cumsum(0), (1, 0))


def _segments(values: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
    """The concatenation of `values[start : start + count]`."""
    ends = counts.cumsum(0)
    offsets = (starts - ends + counts).repeat_interleave(counts)
    return values[offsets + torch.arange(int(counts.sum()), device=values.device)]
