"""A convolution by events and its dense counterpart, to be timed by the cost model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from surgrad.kernels.conv.geometry import Geometry
from surgrad.kernels.conv.passes import collect, spread
from surgrad.kernels.conv.tables import tables
from surgrad.kernels.layer.memory import flat, rows
from surgrad.kernels.layer.pack import WIDTH


class Trial:
    """Some frames of random spikes, and what both ways do with them.

    Args:
        side: of the square images.
        channels: that come in; twice as many go out.
        frames: the number of images.
        density: spikes per unit.
    """

    def __init__(self, side: int, channels: int, frames: int, density: float) -> None:
        generator = torch.Generator().manual_seed(0)
        self.geometry = Geometry(channels, side, side, 1, 0, 1, 2 * channels, 5, 5)
        images = torch.rand(frames, side, side, channels, generator=generator) < density
        counts, units = images.flatten(1).sum(1), images.flatten(1).nonzero()[:, 1]
        stops = counts.cumsum(0)
        self.events = rows(stops - counts, stops, units.int())
        self.images = images.float().permute(0, 3, 1, 2)
        self.weights = torch.randn(2 * channels, channels, 5, 5, generator=generator)
        self.current = torch.conv2d(self.images, self.weights)
        self.frames = frames

    @property
    def dense_products(self) -> int:
        """Multiplications of one pass of the dense convolution."""
        return self.current.numel() * self.weights[0].numel()

    @property
    def added(self) -> float:
        """About how many numbers one pass by events adds."""
        return self.dense_products * float(self.images.mean())

    def dense(self) -> tuple[Callable[[], object], Callable[[], object]]:
        """The forward pass and the gradient of the weights."""
        weights = self.weights.contiguous(memory_format=torch.channels_last)
        backward = torch.ops.aten.convolution_backward
        sizes = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False])
        return (
            lambda: torch.conv2d(self.images, weights),
            lambda: backward(self.current, self.images, weights, None, *sizes),
        )

    def by_events(self) -> tuple[Callable[[], object], Callable[[], object]]:
        """The same two passes by events."""
        geometry, size = self.geometry, self.geometry.size
        work, stamps = np.empty(size + WIDTH, np.float32), np.empty(0, np.int64)
        packed = flat(self.weights.permute(1, 2, 3, 0))
        current = torch.empty(self.frames, size).flatten().numpy()
        nothing = np.empty(0, np.float32)
        given = (0, self.frames, 1, geometry.kernel, tables(geometry), self.events, stamps)
        return (
            lambda: spread((), *given, packed, nothing, work, current),
            lambda: collect((), *given, current, work, packed, nothing, geometry.filters,
                            geometry.neurons),
        )  # fmt: skip
