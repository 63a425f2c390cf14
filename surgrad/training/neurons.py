"""All neurons, wherever they live, by the names that experiment files use."""

from __future__ import annotations

from surgrad.neurons import NEURONS as OWN
from surgrad.neurons import Neuron
from surgrad.smoothing import NEURONS as SMOOTHED

NEURONS: dict[str, type[Neuron]] = {**OWN, **SMOOTHED}
