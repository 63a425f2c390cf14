"""Learning rules: ways of assigning credit, each an argument."""

from surgrad.learning.base import Result, Rule
from surgrad.learning.bptt import BPTT, TruncatedBPTT

RULES: dict[str, type[Rule]] = {"bptt": BPTT, "tbptt": TruncatedBPTT}
"""Every learning rule by the name that experiment files use."""

__all__ = ["BPTT", "RULES", "Result", "Rule", "TruncatedBPTT"]
