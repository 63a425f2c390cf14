"""Temporal XOR: two inputs, each early or late, and whether they differ."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import model_validator

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import at_times
from surgrad.data.spec import About, Count, DataSpec, NotNegative, Positive
from surgrad.errors import ArgumentError

PATTERNS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])


class TemporalXOR(DataSpec, frozen=True):
    """Two inputs that fire early or late and a bias unit; the class is whether they differ.

    Args:
        early: when an early input fires, in seconds.
        late: when a late one fires.
        bias: when the bias unit fires; none for no bias unit.
        jitter: the standard deviation of every input's spike time; moved times are kept within
            the sample.
        repeats: copies of each of the four patterns in each part.
        time: the number of steps.
        dt: the width of a step in seconds.

    Example:
        >>> splits = TemporalXOR().load()
        >>> splits.train.inputs.events()[0].view(4, 3).tolist(), splits.train.targets.tolist()
        ([[0, 0, 0], [0, 0, 15], [0, 0, 15], [0, 15, 15]], [0, 1, 1, 0])

    References:
        E. O. Neftci, H. Mostafa, F. Zenke, IEEE SPM 36 (2019), fig. 7.
    """

    ABOUT: ClassVar[About] = About(
        summary="whether two inputs spike together or apart",
        source="E. O. Neftci, H. Mostafa, F. Zenke (2019), fig. 7, generated",
        licence="generated",
        size="4 patterns, 2 classes, 3 units",
        files=False,
    )

    kind: Literal["temporal_xor"] = "temporal_xor"
    early: NotNegative = 0.0
    late: NotNegative = 15e-3
    bias: NotNegative | None = 0.0
    jitter: NotNegative = 0.0
    repeats: Count = 1
    time: Count = 60
    dt: Positive = 1e-3

    @model_validator(mode="after")
    def _times(self) -> TemporalXOR:
        last = max(self.late, self.bias or 0.0)
        if not self.early < self.late or last > (self.time - 0.999) * self.dt:
            raise ArgumentError(
                "times of temporal XOR",
                got=f"early {self.early:g} s, late {self.late:g} s, bias {self.bias} s",
                expected=f"early < late, all within time · dt = {self.time * self.dt:g} s",
            )
        return self

    def load(self) -> Splits:
        """The same patterns in each part; with `jitter`, each part has draws of its own."""
        generator = torch.Generator().manual_seed(self.split_seed)
        parts = [self._draw(generator) for _ in range(3)]
        same = "" if self.jitter else "train, validation and test are the same four patterns"
        info = self.info(
            features=(2 if self.bias is None else 3,),
            time=self.time,
            dt=self.dt,
            classes=2,
            labels=("same", "different"),
            note=same,
        )
        return self.splits(parts, info)

    def _draw(self, generator: torch.Generator) -> Samples:
        late = PATTERNS.repeat(self.repeats, 1)
        times = self.early + (self.late - self.early) * late.double()
        noise = torch.randn(times.shape, dtype=torch.float64, generator=generator)
        times = (times + self.jitter * noise).clamp(0, (self.time - 1) * self.dt)
        if self.bias is not None:
            times = torch.cat([times, torch.full_like(times[:, :1], self.bias)], dim=1)
        spikes = at_times(times, torch.ones_like(times).bool(), time=self.time, dt=self.dt)
        return Samples(spikes, late[:, 0] ^ late[:, 1])
