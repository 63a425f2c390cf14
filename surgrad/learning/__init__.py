"""Learning rules: ways of assigning credit, each an argument."""

from surgrad.learning.alignment import DirectFeedbackAlignment, FeedbackAlignment
from surgrad.learning.base import Result, Rule
from surgrad.learning.bptt import BPTT, TruncatedBPTT
from surgrad.learning.decolle import DECOLLE
from surgrad.learning.eprop import OTTT, EProp
from surgrad.learning.erbp import ERBP
from surgrad.learning.forward import ForwardRule
from surgrad.learning.lowpass import LowPass
from surgrad.learning.rmaxprop import RMaxProp
from surgrad.learning.rtrl import RTRL, SnAp
from surgrad.learning.stochastic import Likelihood, RewardModulated, Score, StraightThrough
from surgrad.learning.superspike import SuperSpike

RULES: dict[str, type[Rule]] = {
    "bptt": BPTT,
    "tbptt": TruncatedBPTT,
    "rtrl": RTRL,
    "snap1": SnAp,
    "eprop": EProp,
    "ottt": OTTT,
    "superspike": SuperSpike,
    "decolle": DECOLLE,
    "low_pass": LowPass,
    "fa": FeedbackAlignment,
    "dfa": DirectFeedbackAlignment,
    "erbp": ERBP,
    "straight_through": StraightThrough,
    "score": Score,
    "likelihood": Likelihood,
    "reward": RewardModulated,
}
"""Every learning rule by the name that experiment files use."""

__all__ = [
    "BPTT",
    "DECOLLE",
    "ERBP",
    "OTTT",
    "RTRL",
    "RULES",
    "DirectFeedbackAlignment",
    "EProp",
    "FeedbackAlignment",
    "ForwardRule",
    "Likelihood",
    "LowPass",
    "RMaxProp",
    "Result",
    "RewardModulated",
    "Rule",
    "Score",
    "SnAp",
    "StraightThrough",
    "SuperSpike",
    "TruncatedBPTT",
]
