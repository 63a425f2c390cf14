"""What the neurons of a layer of spike times are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Model = Literal["nonleaky", "lif_double", "lif_equal"]


@dataclass(frozen=True)
class Dynamics:
    """How a layer's neurons integrate.

    Args:
        model: a row of the table in this folder's README.
        tau: the time constant τ in seconds; of the synapse where there are two.
        threshold: ϑ.
        floor: V̇ in thresholds per τ, below which the gradient takes it to be this.
    """

    model: Model
    tau: float
    threshold: float
    floor: float
