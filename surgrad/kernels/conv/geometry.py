"""The sizes of a convolution by events."""

from __future__ import annotations

from typing import NamedTuple

from surgrad.kernels.layer.pack import padded

MAXIMUM, MEAN = 1, 2


class Geometry(NamedTuple):
    """What is pooled, and where the kernel goes.

    Attributes:
        channels, tall, wide: of the units that spike.
        last: 1 if they are counted channel last, 0 if channel first.
        pooling: 0 for none, `MAXIMUM` or `MEAN`, over windows that do not overlap.
        window: how tall and how wide those are.
        filters: the channels that come out.
        rows, columns: of the kernel.
        down, right: its stride.
        above, before: the padding on either side.
        apart, beside: its dilation.
    """

    channels: int
    tall: int
    wide: int
    last: int
    pooling: int
    window: int
    filters: int
    rows: int
    columns: int
    down: int = 1
    right: int = 1
    above: int = 0
    before: int = 0
    apart: int = 1
    beside: int = 1

    @property
    def pooled(self) -> tuple[int, int]:
        """Height and width of what the kernel sees."""
        return self.tall // self.window, self.wide // self.window

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of what comes out; not positive where the kernel does not fit."""
        height, width = self.pooled
        tall = height + 2 * self.above - self.apart * (self.rows - 1) - 1
        wide = width + 2 * self.before - self.beside * (self.columns - 1) - 1
        return tall // self.down + 1, wide // self.right + 1

    @property
    def features(self) -> tuple[int, int, int]:
        """The shape of what comes out, channels first."""
        return self.filters, *self.out

    @property
    def units(self) -> int:
        """The number of units that may spike."""
        return self.channels * self.tall * self.wide

    @property
    def sites(self) -> int:
        """The number of units behind the pooling."""
        height, width = self.pooled
        return self.channels * height * width

    @property
    def neurons(self) -> int:
        """The number of currents."""
        height, width = self.out
        return self.filters * height * width

    @property
    def size(self) -> int:
        """The number of currents in memory, a row of one step."""
        return padded(self.neurons)

    @property
    def kernel(self) -> tuple[int, int, int, int]:
        """For `pieces`: rows, columns, lanes, and whether a line's currents lie as its weights."""
        lanes = padded(self.filters)
        dense = self.right == self.beside == 1 and lanes == self.filters
        return self.rows, self.columns, lanes, int(dense)

    @property
    def scale(self) -> float:
        """What one spike is worth behind the pooling."""
        return 1.0 / self.window**2 if self.pooling == MEAN else 1.0
