"""Smoothed networks: soft spikes that sharpen, gated synapses, a machine of spikes by chance."""

from __future__ import annotations

from surgrad.neurons import Neuron
from surgrad.smoothing.anneal import Annealed, sharpen
from surgrad.smoothing.boltzmann import SpikingRBM
from surgrad.smoothing.gate import GatedLIF

NEURONS: dict[str, type[Neuron]] = {"gated_lif": GatedLIF}
"""Its neurons, by the names that experiment files use."""

__all__ = ["NEURONS", "Annealed", "GatedLIF", "SpikingRBM", "sharpen"]
