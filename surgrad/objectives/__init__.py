"""Losses, spike-train distances, regularisers and predictions."""

from surgrad.objectives import losses
from surgrad.objectives.base import ClassLoss, Loss, StepLoss
from surgrad.objectives.losses import LOSSES
from surgrad.objectives.objective import Objective, as_objective, predict
from surgrad.objectives.regularisers import RateBound, Regulariser, SpikeCost
from surgrad.objectives.weights import REGULARISERS, Wake, WeightSum

__all__ = [
    "LOSSES",
    "REGULARISERS",
    "ClassLoss",
    "Loss",
    "Objective",
    "RateBound",
    "Regulariser",
    "SpikeCost",
    "StepLoss",
    "Wake",
    "WeightSum",
    "as_objective",
    "losses",
    "predict",
]
