"""Spike trains as events: what data sets yield and layers pass on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from surgrad._rows import (
    Array,
    bins_of,
    bounds_of,
    check_parts,
    column,
    compress,
    lengths_of,
    pointers,
    same_size,
    segments,
    sites_of,
    sizes_of,
    whole,
)
from surgrad.errors import ShapeError


class SpikeTrain:
    """The spikes of a batch of sequences, as compressed rows.

    Row `sample * time + step` holds the unit indices of the spikes that a sample emits in a step,
    in ascending order; a unit that spikes twice in a step stands there twice. Nothing dense is
    kept. Build one with `from_events`, `from_times`, `from_dense` or `cat`, which drop the spikes
    that lie in the padding, at or beyond the length of their sample.

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
        self.time, self.batch, self.features = sizes_of(time, batch, features)
        self.indptr, self.indices, self.lengths = indptr, indices, lengths
        check_parts("indptr", indptr, torch.int64, self.batch * self.time + 1)
        check_parts("indices", indices, torch.int32, indices.numel())
        check_parts("lengths", lengths, torch.int64, self.batch)

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
            EventError: if an index is out of range or not whole, or the arrays differ in length.
            ShapeError: if an axis is negative or the lengths do not fit.
        """
        time, batch, features = sizes_of(time, batch, features)
        step, unit = whole(steps, "steps", time), whole(units, "units", prod(features))
        sample = None if samples is None else whole(samples, "samples", batch)
        same_size(steps=step, units=unit, samples=sample)
        if sample is None:
            sample = whole(torch.zeros_like(step), "samples", batch)
        steps_valid = None
        if lengths is not None:
            steps_valid = lengths_of(lengths, batch, time).to(step.device)
            kept = step < steps_valid[sample]
            step, unit, sample = step[kept], unit[kept], sample[kept]
        parts = compress(sample * time + step, unit, batch * time, prod(features))
        return cls(*parts, time=time, batch=batch, features=features, lengths=steps_valid)

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
            times: of each spike, in seconds from the start of its sample.
                Those at or after `time * dt` are dropped.
            units: its unit, an index into the flattened features.
            samples: its sample in `[0, batch)`; all 0 if left out.
            dt: the width of a step in seconds.
            time: the number of steps.
            features: the shape of the units.
            batch: the number of samples.
            lengths: the valid steps of each sample.

        Raises:
            EventError: if a time is negative or not finite, or as in `from_events`.
            ArgumentError: if `dt` is not positive.

        Example:
            >>> train = SpikeTrain.from_times([0, 15e-4], [0, 1], dt=1e-3, time=3, features=(2,))
            >>> train.events()[0]
            tensor([0, 1])
        """
        steps, unit = bins_of(times, dt), column(units, "units")
        sample = None if samples is None else column(samples, "samples")
        same_size(times=steps, units=unit, samples=sample)
        inside = steps < time
        return cls.from_events(
            steps[inside],
            unit[inside],
            None if sample is None else sample[inside],
            time=time,
            features=features,
            batch=batch,
            lengths=lengths,
        )

    @classmethod
    def from_dense(cls, dense: Tensor, lengths: Array | None = None) -> SpikeTrain:
        """From spike counts, `(time, batch, *features)`; no gradient flows back to them.

        Raises:
            ShapeError: if an axis is missing.
            EventError: if an entry is not a whole number of spikes.
        """
        step, unit, sample, (time, batch, *features) = sites_of(dense)
        return cls.from_events(
            step, unit, sample, time=time, batch=batch, features=features, lengths=lengths
        )

    @classmethod
    def cat(cls, trains: Sequence[SpikeTrain]) -> SpikeTrain:
        """One batch from several, in order; shorter ones are padded and get `lengths`."""
        shapes = {train.features for train in trains}
        if len(shapes) != 1:
            raise ShapeError(
                "features of the spike trains to join",
                got=" and ".join(map(str, shapes)) or "no spike train",
                expected="one shape",
            )
        time = max(train.time for train in trains)
        ragged = any(train.lengths is not None or train.time != time for train in trains)
        return cls(
            pointers(torch.cat([train.pad(time).indptr.diff() for train in trains])),
            torch.cat([train.indices for train in trains]),
            time=time,
            batch=sum(train.batch for train in trains),
            features=trains[0].features,
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

    @property
    def _edges(self) -> Tensor:
        """Where the rows of each sample begin, and where the last one ends, `(batch, time + 1)`."""
        (stride,) = self.indptr.stride()
        return self.indptr.as_strided((self.batch, self.time + 1), (self.time * stride, stride))

    @property
    def _grid(self) -> Tensor:
        """The number of spikes in each row, `(batch, time)`."""
        return self.indptr.diff().view(self.batch, self.time)

    def __len__(self) -> int:
        return self.time

    def __repr__(self) -> str:
        return f"SpikeTrain(shape={self.shape}, spikes={len(self.indices)})"

    def events(self) -> tuple[Tensor, Tensor, Tensor]:
        """Step, unit and sample of each spike, int64, ordered by sample, step and unit."""
        rows = torch.arange(self.batch * self.time, device=self.device)
        row = rows.repeat_interleave(self.indptr.diff())
        return row % max(self.time, 1), self.indices.long(), row // max(self.time, 1)

    def to_dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Spike counts `(time, batch, *features)`."""
        step, unit, sample = self.events()
        dense = torch.zeros(prod(self.shape), dtype=dtype, device=self.device)
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
        steps = self.batch * self.time if self.lengths is None else int(self.valid.sum())
        sites = steps * self.units
        return len(self.indices) / sites if sites else 0.0

    def __getitem__(self, steps: slice) -> SpikeTrain:
        """The steps of a slice, `train[a:b]`; lengths shrink with it."""
        start, stop = bounds_of(steps, self.time)
        rows, begins = self._grid[:, start:stop], self._edges[:, start]
        return self._replace(
            indptr=pointers(rows),
            indices=segments(self.indices, begins, rows.sum(1)),
            time=stop - start,
            lengths=None if self.lengths is None else (self.lengths - start).clamp(0, stop - start),
        )

    def select(self, samples: Array) -> SpikeTrain:
        """The given samples, in the given order."""
        index = whole(samples, "samples", self.batch).to(self.device)
        # only the chosen rows are touched: a batch must not cost a pass over the whole data set
        edges = self._edges[index]
        rows = edges.diff()
        return self._replace(
            indptr=pointers(rows),
            indices=segments(self.indices, edges[:, 0], rows.sum(1)),
            batch=len(index),
            lengths=None if self.lengths is None else self.lengths[index],
        )

    def pad(self, time: int) -> SpikeTrain:
        """The same spikes in more steps, `time` in all; the new ones are not valid."""
        if time < self.time:
            raise ShapeError(
                "time", got=time, expected=f"{self.time} or more", fix="cut with train[:n]"
            )
        if time == self.time:
            return self
        rows = torch.nn.functional.pad(self._grid, (0, time - self.time))
        return self._replace(indptr=pointers(rows), time=time, lengths=self.valid)

    def reshape(self, *features: int) -> SpikeTrain:
        """The same spikes with the units in another shape, e.g. `reshape(train.units)`."""
        if min(features, default=-1) < 0 or prod(features) != self.units:
            raise ShapeError("features", got=features, expected=f"{self.units} units in all")
        return self._replace(features=features)

    def clip(self) -> SpikeTrain:
        """At most one spike per unit and step."""
        step, unit, sample = self.events()
        row = sample * self.time + step
        first = torch.ones_like(row, dtype=torch.bool)
        first[1:] = (row[1:] != row[:-1]) | (unit[1:] != unit[:-1])
        counts = torch.bincount(row[first], minlength=self.batch * self.time)
        return self._replace(indptr=pointers(counts), indices=self.indices[first])

    def to(self, device: torch.device | str) -> SpikeTrain:
        """The same spikes on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def pin_memory(self) -> SpikeTrain:
        """The same spikes in page-locked memory."""
        return self._map(lambda tensor: tensor.pin_memory())

    def equal(self, other: SpikeTrain) -> bool:
        """Whether both hold the same spikes, shape and valid steps."""
        return self.shape == other.shape and all(
            torch.equal(getattr(self, part), getattr(other, part))
            for part in ("indptr", "indices", "valid")
        )

    def _replace(self, **changes: Any) -> SpikeTrain:
        kept = {name: getattr(self, name) for name in self.__slots__}
        return SpikeTrain(**(kept | changes))

    def _map(self, move: Callable[[Tensor], Tensor]) -> SpikeTrain:
        return self._replace(
            indptr=move(self.indptr),
            indices=move(self.indices),
            lengths=None if self.lengths is None else move(self.lengths),
        )
