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
    from surgrad.conversion import QCFS, against_time, convert
    from surgrad.events import SpikeTrain
    from surgrad.learning import (
        BPTT,
        DECOLLE,
        ERBP,
        OTTT,
        RTRL,
        DirectFeedbackAlignment,
        EProp,
        FeedbackAlignment,
        Likelihood,
        LowPass,
        RewardModulated,
        RMaxProp,
        Score,
        SnAp,
        StraightThrough,
        SuperSpike,
        TruncatedBPTT,
    )
    from surgrad.liveness import diagnose, initialise
    from surgrad.network import Record, Sequential
    from surgrad.neurons import (
        ALIF,
        IF,
        LI,
        LIF,
        QIF,
        AdEx,
        AdLIF,
        AlphaLIF,
        CuBaLI,
        CuBaLIF,
        Integrator,
        Izhikevich,
        MorrisLecar,
        SymplecticAdLIF,
    )
    from surgrad.objectives import Objective, RateBound, Wake, WeightSum, losses
    from surgrad.plasticity import RSTDP, STDP, Competition, DiehlCook, Votes
    from surgrad.smoothing import Annealed, GatedLIF
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
    from surgrad.timing import (
        EventLI,
        EventLIF,
        EventProp,
        LIFDouble,
        LIFEqual,
        NonLeaky,
        SpikeResponse,
        SpikeTimes,
    )

__version__ = "0.1.0"

__all__ = [
    "ALIF",
    "BPTT",
    "DECOLLE",
    "ERBP",
    "IF",
    "LI",
    "LIF",
    "OTTT",
    "QCFS",
    "QIF",
    "RSTDP",
    "RTRL",
    "STDP",
    "AdEx",
    "AdLIF",
    "AlphaLIF",
    "Annealed",
    "Competition",
    "CuBaLI",
    "CuBaLIF",
    "DiehlCook",
    "DirectFeedbackAlignment",
    "EProp",
    "EventLI",
    "EventLIF",
    "EventProp",
    "ExponentialEscape",
    "FeedbackAlignment",
    "GatedLIF",
    "Integrator",
    "Izhikevich",
    "LIFDouble",
    "LIFEqual",
    "Likelihood",
    "LowPass",
    "MorrisLecar",
    "NonLeaky",
    "Objective",
    "RMaxProp",
    "RateBound",
    "Record",
    "RewardModulated",
    "Score",
    "Sequential",
    "SigmoidEscape",
    "SnAp",
    "Soft",
    "SpikeResponse",
    "SpikeTimes",
    "SpikeTrain",
    "Stochastic",
    "StraightThrough",
    "SuperSpike",
    "Surrogate",
    "SurrogateEscape",
    "SymplecticAdLIF",
    "TruncatedBPTT",
    "Votes",
    "Wake",
    "WeightSum",
    "against_time",
    "arctan",
    "boxcar",
    "clamped_fast_sigmoid",
    "convert",
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
    "AdEx": "surgrad.neurons",
    "AdLIF": "surgrad.neurons",
    "ALIF": "surgrad.neurons",
    "AlphaLIF": "surgrad.neurons",
    "Annealed": "surgrad.smoothing",
    "BPTT": "surgrad.learning",
    "Competition": "surgrad.plasticity",
    "CuBaLI": "surgrad.neurons",
    "CuBaLIF": "surgrad.neurons",
    "DECOLLE": "surgrad.learning",
    "DiehlCook": "surgrad.plasticity",
    "DirectFeedbackAlignment": "surgrad.learning",
    "EProp": "surgrad.learning",
    "ERBP": "surgrad.learning",
    "EventLI": "surgrad.timing",
    "EventLIF": "surgrad.timing",
    "EventProp": "surgrad.timing",
    "ExponentialEscape": "surgrad.spikes",
    "FeedbackAlignment": "surgrad.learning",
    "GatedLIF": "surgrad.smoothing",
    "IF": "surgrad.neurons",
    "Integrator": "surgrad.neurons",
    "Izhikevich": "surgrad.neurons",
    "LI": "surgrad.neurons",
    "LIF": "surgrad.neurons",
    "LIFDouble": "surgrad.timing",
    "LIFEqual": "surgrad.timing",
    "Likelihood": "surgrad.learning",
    "LowPass": "surgrad.learning",
    "MorrisLecar": "surgrad.neurons",
    "NonLeaky": "surgrad.timing",
    "Objective": "surgrad.objectives",
    "OTTT": "surgrad.learning",
    "QCFS": "surgrad.conversion",
    "QIF": "surgrad.neurons",
    "RateBound": "surgrad.objectives",
    "Record": "surgrad.network",
    "RewardModulated": "surgrad.learning",
    "RMaxProp": "surgrad.learning",
    "RSTDP": "surgrad.plasticity",
    "RTRL": "surgrad.learning",
    "Score": "surgrad.learning",
    "Sequential": "surgrad.network",
    "SigmoidEscape": "surgrad.spikes",
    "SnAp": "surgrad.learning",
    "Soft": "surgrad.spikes",
    "SpikeResponse": "surgrad.timing",
    "SpikeTimes": "surgrad.timing",
    "SpikeTrain": "surgrad.events",
    "STDP": "surgrad.plasticity",
    "Stochastic": "surgrad.spikes",
    "StraightThrough": "surgrad.learning",
    "SuperSpike": "surgrad.learning",
    "Surrogate": "surgrad.spikes",
    "SurrogateEscape": "surgrad.spikes",
    "SymplecticAdLIF": "surgrad.neurons",
    "TruncatedBPTT": "surgrad.learning",
    "Votes": "surgrad.plasticity",
    "Wake": "surgrad.objectives",
    "WeightSum": "surgrad.objectives",
    "against_time": "surgrad.conversion",
    "convert": "surgrad.conversion",
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
