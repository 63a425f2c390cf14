"""From values, signals and sounds to spikes.

Every encoder is a function to a `SpikeTrain`; what is random takes a `torch.Generator`.
"""

from surgrad.data.encoders.cochlea import Ear, cochlea
from surgrad.data.encoders.constant import constant
from surgrad.data.encoders.delta import delta, level_crossing, on_off
from surgrad.data.encoders.latency import at_times, latency, log_latency
from surgrad.data.encoders.poisson import poisson, poisson_steps, regular
from surgrad.data.encoders.population import population_latency, population_rate, tuning

__all__ = [
    "Ear",
    "at_times",
    "cochlea",
    "constant",
    "delta",
    "latency",
    "level_crossing",
    "log_latency",
    "on_off",
    "poisson",
    "poisson_steps",
    "population_latency",
    "population_rate",
    "regular",
    "tuning",
]
