"""Gradients of spike times: networks that are computed from spike to spike, without a time step."""

from __future__ import annotations

from surgrad.kernels.first_spike.op import SpikeTimeWarning
from surgrad.timing.layers import (
    LAYERS,
    LIFDouble,
    LIFEqual,
    NonLeaky,
    SpikeResponse,
    SpikeTimeLayer,
)
from surgrad.timing.network import SpikeTimes, first_times

__all__ = [
    "LAYERS",
    "LIFDouble",
    "LIFEqual",
    "NonLeaky",
    "SpikeResponse",
    "SpikeTimeLayer",
    "SpikeTimeWarning",
    "SpikeTimes",
    "first_times",
]
