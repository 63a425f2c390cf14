"""Pieces of the kernels alone, to be timed by the cost model."""

from __future__ import annotations

from surgrad.kernels.compiled import Kernel
from surgrad.kernels.layer.rows import clear
from surgrad.kernels.layer.weights import gather, scatter


@Kernel
def gathered(order, rows, row, units, spikes):
    """Sum the rows of each `spikes` units."""
    for first in range(0, units.size, spikes):
        clear(row, 0, row.size)
        gather(row, 0, rows, 0, row.size, units, first, first + spikes)


@Kernel
def scattered(order, rows, row, units, spikes):
    """Add a row to the rows of each `spikes` units."""
    for first in range(0, units.size, spikes):
        scatter(rows, 0, row.size, units, first, first + spikes, row, 0)
