"""Handwritten digits of 8 × 8 pixels, which come with scikit-learn."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import model_validator
from torch import Tensor

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import constant, latency, poisson
from surgrad.data.spec import About, Count, DataSpec, NotNegative, Positive
from surgrad.data.splits import stratified_split
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain
from surgrad.extras import need


class Digits(DataSpec, frozen=True):
    """1797 handwritten digits, one input unit a pixel; darker ink fires earlier, or more.

    Args:
        encoding: `latency`, one spike a pixel at `t_max (1 - x)` and none where there is no ink,
            `poisson`, at `max_rate x`, or `constant`, the ink itself in every step.
        time: the number of steps.
        dt: the width of a step in seconds.
        t_max: when the palest ink would fire, in seconds; two thirds of the sample if left out.
        max_rate: the rate of the darkest pixel, in Hz.

    Example:
        >>> splits = Digits().load()
        >>> len(splits.train), len(splits.validation), len(splits.test)
        (1078, 360, 359)
    """

    ABOUT: ClassVar[About] = About(
        summary="handwritten digits, 8 × 8 pixels as spike latencies",
        source="E. Alpaydin and C. Kaynak (1998), UCI, as embedded in scikit-learn",
        licence="CC BY 4.0",
        size="1078 + 360 + 359 samples, 10 classes, 64 units",
        files=False,
    )

    kind: Literal["digits"] = "digits"
    encoding: Literal["latency", "poisson", "constant"] = "latency"
    time: Count = 60
    dt: Positive = 1e-3
    t_max: NotNegative | None = None
    max_rate: Positive = 100.0

    @model_validator(mode="after")
    def _window(self) -> Digits:
        if self.t_max is not None and self.t_max > (self.time - 0.999) * self.dt:
            raise ArgumentError(
                "t_max",
                got=f"{self.t_max:g} s",
                expected=f"a time before the sample ends at time · dt = {self.time * self.dt:g} s",
            )
        return self

    def load(self) -> Splits:
        """A stratified split of 60, 20 and 20 %, drawn with `split_seed`."""
        images, labels = _images()
        samples = Samples(self._encode(images), labels)
        parts = [
            samples.subset(part)
            for part in stratified_split(labels, (0.6, 0.2, 0.2), self.split_seed)
        ]
        info = self.info(
            features=(64,),
            time=self.time,
            dt=self.dt,
            classes=10,
            labels=tuple("0123456789"),
        )
        return self.splits(parts, info)

    def _encode(self, images: Tensor) -> SpikeTrain | Tensor:
        if self.encoding == "constant":
            return constant(images.float(), time=self.time)
        if self.encoding == "latency":
            t_max = 2 * self.time // 3 * self.dt if self.t_max is None else self.t_max
            return latency(images, time=self.time, dt=self.dt, t_max=t_max)
        generator = torch.Generator().manual_seed(self.split_seed)
        rates = self.max_rate * images
        return poisson(rates, time=self.time, dt=self.dt, generator=generator)


def _images() -> tuple[Tensor, Tensor]:
    """Pixels in [0, 1], `(1797, 64)`, and labels."""
    digits = need("sklearn.datasets", extra="data").load_digits()
    return torch.from_numpy(digits.data) / 16, torch.from_numpy(digits.target).long()
