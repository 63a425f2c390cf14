"""Local plasticity without gradients: rules on ordinary networks, and the Diehl & Cook network."""

from surgrad.learning.base import Rule
from surgrad.plasticity.diehl_cook import Competition, DiehlCook, Votes
from surgrad.plasticity.stdp import RSTDP, STDP

RULES: dict[str, type[Rule]] = {"stdp": STDP, "rstdp": RSTDP}
"""The rules by the names that experiment files use."""

__all__ = ["RSTDP", "RULES", "STDP", "Competition", "DiehlCook", "Votes"]
