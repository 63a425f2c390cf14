"""Gradients of spike times: networks that are computed from spike to spike, without a time step."""

from __future__ import annotations

from surgrad.kernels.first_spike.op import SpikeTimeWarning
from surgrad.learning import Rule
from surgrad.timing.eventprop import EventLI, EventLIF, EventProp
from surgrad.timing.layers import (
    LAYERS,
    LIFDouble,
    LIFEqual,
    NonLeaky,
    SpikeResponse,
    SpikeTimeLayer,
)
from surgrad.timing.network import SpikeTimes, first_times

RULES: dict[str, type[Rule]] = {"eventprop": EventProp}
"""The rules of this package by the names that experiment files use."""

__all__ = [
    "LAYERS",
    "RULES",
    "EventLI",
    "EventLIF",
    "EventProp",
    "LIFDouble",
    "LIFEqual",
    "NonLeaky",
    "SpikeResponse",
    "SpikeTimeLayer",
    "SpikeTimeWarning",
    "SpikeTimes",
    "first_times",
]
