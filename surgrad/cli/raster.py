"""A raster of spikes in characters, for a terminal."""

from __future__ import annotations

import numpy as np

from surgrad.events import SpikeTrain

BRAILLE = 0x2800
# the bit of a dot by its row and column within a character of four rows and two columns
BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
BARS = "▁▂▃▄▅▆▇█"


def raster(
    train: SpikeTrain, *, columns: int = 72, rows: int = 16, plain: bool = False
) -> list[str]:
    """The spikes of one sample, time to the right, units upward, one dot for one spike or more.

    Args:
        train: one sample.
        columns: characters a line; fewer if there are fewer steps.
        rows: lines; fewer if there are fewer units.
        plain: use `.` and `:` instead of dots of braille.

    Example:
        >>> train = SpikeTrain.from_events([0, 1, 2, 3], [0, 1, 2, 3], time=4, features=(4,))
        >>> raster(train)
        ['⡠⠊']
        >>> raster(train, plain=True)
        ['   .', '  . ', ' .  ', '.   ']
    """
    fine = (1, 1) if plain else BITS.shape
    height = min(rows * fine[0], train.units)
    width = min(columns * fine[1], max(train.time, 1))
    step, unit, _ = (values.numpy() for values in train.events())
    grid = np.zeros((-(-height // fine[0]) * fine[0], -(-width // fine[1]) * fine[1]), int)
    row = height - 1 - unit * height // max(train.units, 1)
    np.add.at(grid, (row, step * width // max(train.time, 1)), 1)
    if plain:
        return ["".join(" .:"[min(count, 2)] for count in line) for line in grid]
    cells = (grid > 0).reshape(-1, fine[0], grid.shape[1] // fine[1], fine[1])
    codes = np.einsum("rhcw,hw->rc", cells, BITS)
    return ["".join(chr(BRAILLE + code) for code in line) for line in codes]


def curve(values: np.ndarray, *, columns: int = 72) -> str:
    """A signal as a row of bars, from its lowest to its highest value.

    Example:
        >>> curve(np.array([0.0, 7.0, 2.0]))
        '▁█▃'
    """
    parts = np.array_split(values, min(columns, len(values)))
    means = np.array([part.mean() for part in parts])
    span = float(np.ptp(means)) or 1.0
    levels = ((means - means.min()) / span * (len(BARS) - 1)).round().astype(int)
    return "".join(BARS[level] for level in levels)
