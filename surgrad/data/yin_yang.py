"""The Yin-Yang data set: points in the plane, three classes that no line separates."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import at_times
from surgrad.data.spec import About, Count, DataSpec, NotNegative, Positive, find_file
from surgrad.errors import ArgumentError, FormatError
from surgrad.events import SpikeTrain

RADIUS = 0.5
DOT = 0.1
LABELS = ("yin", "yang", "dot")
SIZES = {"train": 5000, "validation": 1000, "test": 1000}


def yin_yang_class(x: Tensor, y: Tensor) -> Tensor:
    """The class of points within the circle of radius 1/2 about (1/2, 1/2).

    The two dots, of radius 1/10, lie at (1/4, 1/2) and (3/4, 1/2). The boundary between yin and
    yang runs along the lower half of the circle of radius 1/4 about the left dot and the upper
    half of that about the right one.

    Args:
        x: of any shape.
        y: of the same shape.

    Returns:
        0 yin (below), 1 yang (above), 2 dot; int64 of the same shape.

    Example:
        >>> yin_yang_class(torch.tensor([0.5, 0.5, 0.25]), torch.tensor([0.1, 0.9, 0.5]))
        tensor([0, 1, 2])

    References:
        L. Kriener, J. Göltz, M. A. Petrovici, The Yin-Yang dataset, NICE 2022, arXiv 2102.08211.
    """
    left = torch.hypot(x - RADIUS / 2, y - RADIUS)
    right = torch.hypot(x - 3 * RADIUS / 2, y - RADIUS)
    above = torch.where(y > RADIUS, right > RADIUS / 2, left <= RADIUS / 2)
    dot = torch.minimum(left, right) < DOT
    return torch.where(dot, 2, above.long())


def yin_yang_points(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points uniform within their class, each class equally likely.

    Args:
        count: how many.
        generator: draws classes and points.

    Returns:
        Points `(count, 2)`, float64 in [0, 1], and classes `(count,)`.

    Example:
        >>> points, classes = yin_yang_points(1000, torch.Generator().manual_seed(0))
        >>> bool((yin_yang_class(*points.T) == classes).all())
        True
    """
    goals = torch.randint(3, (count,), generator=generator)
    points = torch.empty(count, 2, dtype=torch.float64)
    missing = torch.ones(count, dtype=torch.bool)
    while missing.any():
        drawn = torch.rand(4 * count, 2, dtype=torch.float64, generator=generator)
        drawn = drawn[torch.hypot(*(drawn - RADIUS).T) <= RADIUS]
        classes = yin_yang_class(*drawn.T)
        for label in range(3):
            wanted = (missing & (goals == label)).nonzero()[:, 0]
            found = drawn[classes == label][: len(wanted)]
            points[wanted[: len(found)]] = found
            missing[wanted[: len(found)]] = False
    return points, goals


class YinYang(DataSpec, frozen=True):
    """The Yin-Yang data set in spike times: x, y, 1 - x, 1 - y and a bias, one spike each.

    A coordinate fires at `t_min + (t_max - t_min) value`, so a larger one fires *later*.

    Args:
        source: `generated` with `split_seed`, or `authors`, their published arrays.
        time: the number of steps.
        dt: the width of a step in seconds.
        t_min: when a coordinate of 0 fires, in seconds.
        t_max: when a coordinate of 1 fires, in seconds.
        bias: when the bias unit fires, in seconds; none for no bias unit.

    Example:
        >>> splits = YinYang().load()
        >>> spikes, label = splits.train[0]
        >>> spikes.shape, len(spikes.indices)
        ((120, 1, 5), 5)

    References:
        L. Kriener, J. Göltz, M. A. Petrovici, The Yin-Yang dataset, NICE 2022, arXiv 2102.08211.
        The window of 0 to 30 ms and the bias at 0 are those of T. Wunderlich and C. Pehle,
        Sci. Rep. 11 (2021).
    """

    ABOUT: ClassVar[About] = About(
        summary="points of the yin-yang sign as spike times",
        source="L. Kriener, J. Göltz, M. A. Petrovici (2022), arXiv 2102.08211",
        licence="MIT",
        size="5000 + 1000 + 1000 samples, 3 classes, 5 units",
        files=False,
    )

    kind: Literal["yin_yang"] = "yin_yang"
    source: Literal["generated", "authors"] = "generated"
    time: Count = 120
    dt: Positive = 0.5e-3
    t_min: NotNegative = 0.0
    t_max: NotNegative = 30e-3
    bias: NotNegative | None = 0.0

    @model_validator(mode="after")
    def _window(self) -> YinYang:
        last = max(self.t_max, self.bias or 0.0)
        if not self.t_min < self.t_max or last > (self.time - 0.999) * self.dt:
            raise ArgumentError(
                "window of the spike times",
                got=f"{self.t_min:g} s to {self.t_max:g} s, bias at {self.bias} s",
                expected=f"t_min < t_max, all within time · dt = {self.time * self.dt:g} s",
            )
        return self

    def load(self) -> Splits:
        """5000, 1000 and 1000 samples."""
        generator = torch.Generator().manual_seed(self.split_seed)
        parts = [
            _authors(part, count, self.root)
            if self.source == "authors"
            else yin_yang_points(count, generator)
            for part, count in SIZES.items()
        ]
        samples = [Samples(self._encode(points), labels) for points, labels in parts]
        info = self.info(
            features=(4 if self.bias is None else 5,),
            time=self.time,
            dt=self.dt,
            classes=3,
            labels=LABELS,
            note=f"{self.source} arrays",
        )
        return self.splits(samples, info)

    def _encode(self, points: Tensor) -> SpikeTrain:
        times = self.t_min + (self.t_max - self.t_min) * torch.cat([points, 1 - points], dim=1)
        if self.bias is not None:
            times = torch.cat([times, torch.full_like(times[:, :1], self.bias)], dim=1)
        return at_times(times, torch.ones_like(times).bool(), time=self.time, dt=self.dt)


def _authors(part: str, count: int, root: Path | None) -> tuple[Tensor, Tensor]:
    points = _array("samples", part, (count, 4), root)
    labels = _array("labels", part, (count,), root)
    if points.dtype.kind != "f" or not ((points >= 0) & (points <= 1)).all():
        raise FormatError(f"yin_yang/{part}_samples.npy", expected="coordinates in [0, 1]")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 2:
        raise FormatError(f"yin_yang/{part}_labels.npy", expected="whole numbers 0, 1, 2")
    return torch.from_numpy(points[:, :2]).double(), torch.from_numpy(labels).long()


def _array(what: str, part: str, shape: tuple[int, ...], root: Path | None) -> np.ndarray:
    path = find_file("yin_yang", f"yin_yang/{part}_{what}.npy", root)
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise FormatError(
            f"file {path}", got=str(error), expected="an array in npy format"
        ) from error
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise FormatError(f"file {path}", got=f"shape {np.shape(array)}", expected=f"shape {shape}")
    return array
