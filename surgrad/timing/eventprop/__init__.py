"""EventProp: the exact gradient of networks whose spikes are events in time."""

from __future__ import annotations

from surgrad.timing.eventprop.modules import EventLI, EventLIF, train_distance
from surgrad.timing.eventprop.readout import Readout
from surgrad.timing.eventprop.rule import EventProp
from surgrad.timing.eventprop.simulate import Neurons, spike_times

__all__ = [
    "EventLI",
    "EventLIF",
    "EventProp",
    "Neurons",
    "Readout",
    "spike_times",
    "train_distance",
]
