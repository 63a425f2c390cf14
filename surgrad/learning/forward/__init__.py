"""The engine of the rules that run forward in time: eligibility x learning signal x loss.

A rule is a `ForwardRule`. It runs in chunks of time (`chunks`) where its signal can, and else step
by step (`steps`), over a network that is taken apart (`cells`), with traces (`traces`) whose
derivatives are those of the neuron alone (`local`).
"""

from surgrad.learning.forward.cells import delays
from surgrad.learning.forward.rule import ForwardRule
from surgrad.learning.forward.setting import Deltas, Here, Layers, Moment, Setting, Signal
from surgrad.learning.forward.steps import frames, inside, moments

__all__ = [
    "Deltas",
    "ForwardRule",
    "Here",
    "Layers",
    "Moment",
    "Setting",
    "Signal",
    "delays",
    "frames",
    "inside",
    "moments",
]
