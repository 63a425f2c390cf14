"""Rules for networks that spike by chance: score function, reward, likelihood, straight-through."""

from surgrad.learning.stochastic.likelihood import Likelihood
from surgrad.learning.stochastic.reward import RewardModulated
from surgrad.learning.stochastic.score import Score
from surgrad.learning.stochastic.straight_through import StraightThrough

__all__ = ["Likelihood", "RewardModulated", "Score", "StraightThrough"]
