"""Hair cells: from the levels of the channels to spikes."""

from __future__ import annotations

import numpy as np

Events = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Frame, clip and unit of each spike; unit `channel * thresholds + k`."""


def integrate_and_fire(
    level: np.ndarray, thresholds: np.ndarray, *, keep: float, rest: int
) -> Events:
    """Leaky integrators of the level that fire at their threshold and start again from zero.

    Args:
        level: `(clips, channels, frames)`.
        thresholds: `(K,)`, one cell a channel each.
        keep: of the potential, from frame to frame.
        rest: frames after a spike in which a cell stays at zero.
    """
    drive = np.ascontiguousarray(np.moveaxis(level, 2, 0)[..., None], dtype=np.float32)
    drive *= 1 - keep
    shape = (*drive.shape[1:3], len(thresholds))
    potential = np.zeros(shape, dtype=np.float32)
    wakes = np.zeros(shape, dtype=np.int32)
    found = []
    for frame, current in enumerate(drive):
        potential *= keep
        potential += current
        if rest:
            potential[wakes > frame] = 0
        fires = np.flatnonzero(potential >= thresholds)
        potential.flat[fires] = 0
        wakes.flat[fires] = frame + rest + 1
        found.append(fires)
    return _events(found, shape[1] * shape[2])


def onsets(level: np.ndarray, thresholds: np.ndarray) -> Events:
    """A spike where the level rises to a threshold or above.

    Args:
        level: `(clips, channels, frames)`, silent before the first frame.
        thresholds: `(K,)`, one cell a channel each.
    """
    level = np.moveaxis(level, 2, 0)[..., None]
    below = np.ones(1, dtype=bool)
    found = []
    for frame in level:
        above = frame >= thresholds
        found.append(np.flatnonzero(above & below))
        below = ~above
    return _events(found, level.shape[2] * len(thresholds))


def _events(found: list[np.ndarray], units: int) -> Events:
    frame = np.repeat(np.arange(len(found)), [len(fires) for fires in found])
    flat = np.concatenate(found)
    return frame, flat // units, flat % units
