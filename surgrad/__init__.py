"""Surrogate-gradient learning in spiking neural networks: the public names, on one page.

A name is imported when it is first used, so that `import surgrad` and `surgrad --help` cost
nothing of what they do not need.

Example:
    >>> import surgrad as sg
    >>> sg.Surrogate(sg.fast_sigmoid(100)).derivative.name
    'fast_sigmoid'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surgrad import errors
    from surgrad.events import SpikeTrain
    from surgrad.learning import BPTT, TruncatedBPTT
    from surgrad.liveness import diagnose, initialise
    from surgrad.network import Record, Sequential
    from surgrad.neurons import ALIF, LI, LIF, AdLIF, AlphaLIF, CuBaLI, CuBaLIF, SymplecticAdLIF
    from surgrad.objectives import Objective, RateBound, losses
    from surgrad.spikes import (
        ExponentialEscape,
        SigmoidEscape,
        Soft,
        Stochastic,
        Surrogate,
        SurrogateEscape,
    )
    from surgrad.surrogates import (
        arctan,
        boxcar,
        clamped_fast_sigmoid,
        escape_noise,
        exponential,
        fast_sigmoid,
        gaussian,
        multi_gaussian,
        rescaled_fast_sigmoid,
        sigmoid,
        spike_train,
        straight_through,
        triangle,
        truncated_quadratic,
    )

__version__ = "0.1.0"

__all__ = [
    "ALIF",
    "BPTT",
    "LI",
    "LIF",
    "AdLIF",
    "AlphaLIF",
    "CuBaLI",
    "CuBaLIF",
    "ExponentialEscape",
    "Objective",
    "RateBound",
    "Record",
    "Sequential",
    "SigmoidEscape",
    "Soft",
    "SpikeTrain",
    "Stochastic",
    "Surrogate",
    "SurrogateEscape",
    "SymplecticAdLIF",
    "TruncatedBPTT",
    "arctan",
    "boxcar",
    "clamped_fast_sigmoid",
    "diagnose",
    "errors",
    "escape_noise",
    "exponential",
    "fast_sigmoid",
    "gaussian",
    "initialise",
    "losses",
    "multi_gaussian",
    "rescaled_fast_sigmoid",
    "sigmoid",
    "spike_train",
    "straight_through",
    "triangle",
    "truncated_quadratic",
]

# where the names live that are not surrogate derivatives; a test compares this with the imports
_HOMES = {
    "ALIF": "surgrad.neurons",
    "AdLIF": "surgrad.neurons",
    "AlphaLIF": "surgrad.neurons",
    "BPTT": "surgrad.learning",
    "CuBaLI": "surgrad.neurons",
    "CuBaLIF": "surgrad.neurons",
    "ExponentialEscape": "surgrad.spikes",
    "LI": "surgrad.neurons",
    "LIF": "surgrad.neurons",
    "Objective": "surgrad.objectives",
    "RateBound": "surgrad.objectives",
    "Record": "surgrad.network",
    "Sequential": "surgrad.network",
    "SigmoidEscape": "surgrad.spikes",
    "Soft": "surgrad.spikes",
    "SpikeTrain": "surgrad.events",
    "Stochastic": "surgrad.spikes",
    "Surrogate": "surgrad.spikes",
    "SurrogateEscape": "surgrad.spikes",
    "SymplecticAdLIF": "surgrad.neurons",
    "TruncatedBPTT": "surgrad.learning",
    "diagnose": "surgrad.liveness",
    "errors": "surgrad",
    "initialise": "surgrad.liveness",
    "losses": "surgrad.objectives",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'surgrad' has no attribute {name!r}")
    home = _HOMES.get(name, "surgrad.surrogates")
    if home == "surgrad":
        return importlib.import_module(f"surgrad.{name}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
