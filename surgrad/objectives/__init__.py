"""Losses, spike-train distances, regularisers and predictions."""

from surgrad.objectives import losses
from surgrad.objectives.base import ClassLoss, Loss, StepLoss
from surgrad.objectives.losses import LOSSES
from surgrad.objectives.objective import Objective, as_objective, predict
from surgrad.objectives.regularisers import REGULARISERS, RateBound, Regulariser, SpikeCost

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
    "as_objective",
    "losses",
    "predict",
]
