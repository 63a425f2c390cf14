"""The losses, ready to use under their names; their classes take parameters."""

from __future__ import annotations

from surgrad.objectives.base import Loss
from surgrad.objectives.counts import FirstSpikeLatency, SpikeCount, SpikeCountError, SpikeRate
from surgrad.objectives.distances import VanRossum, VictorPurpura
from surgrad.objectives.readouts import (
    EveryStep,
    LastStep,
    MaxOverTime,
    MeanOverTime,
    MeanSquaredError,
    SumOverTime,
)
from surgrad.objectives.times import ExponentialSpikeTime, FirstSpikeTime, SpikeTimeError

__all__ = [
    "LOSSES",
    "EveryStep",
    "ExponentialSpikeTime",
    "FirstSpikeLatency",
    "FirstSpikeTime",
    "LastStep",
    "MaxOverTime",
    "MeanOverTime",
    "MeanSquaredError",
    "SpikeCount",
    "SpikeCountError",
    "SpikeRate",
    "SpikeTimeError",
    "SumOverTime",
    "VanRossum",
    "VictorPurpura",
    "every_step",
    "exponential_spike_time",
    "first_spike_latency",
    "first_spike_time",
    "last_step",
    "max_over_time",
    "mean_over_time",
    "mean_squared_error",
    "spike_count",
    "spike_count_error",
    "spike_rate",
    "spike_time_error",
    "sum_over_time",
    "van_rossum",
    "victor_purpura",
]

max_over_time = MaxOverTime()
sum_over_time = SumOverTime()
mean_over_time = MeanOverTime()
last_step = LastStep()
every_step = EveryStep()
mean_squared_error = MeanSquaredError()
spike_count = SpikeCount()
spike_count_error = SpikeCountError()
spike_rate = SpikeRate()
first_spike_latency = FirstSpikeLatency()
van_rossum = VanRossum()
victor_purpura = VictorPurpura()
first_spike_time = FirstSpikeTime()
exponential_spike_time = ExponentialSpikeTime()
spike_time_error = SpikeTimeError()

LOSSES: dict[str, type[Loss]] = {
    loss.kind: loss
    for loss in (
        MaxOverTime,
        SumOverTime,
        MeanOverTime,
        LastStep,
        EveryStep,
        MeanSquaredError,
        SpikeCount,
        SpikeCountError,
        SpikeRate,
        FirstSpikeLatency,
        VanRossum,
        VictorPurpura,
        FirstSpikeTime,
        ExponentialSpikeTime,
        SpikeTimeError,
    )
}
"""Every loss by kind."""
