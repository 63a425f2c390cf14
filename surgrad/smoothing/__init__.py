"""Smoothed networks: soft spikes that sharpen, gated synapses, a machine of spikes by chance."""

from __future__ import annotations

from surgrad.smoothing.anneal import Annealed, sharpen
from surgrad.smoothing.boltzmann import SpikingRBM
from surgrad.smoothing.gate import GatedLIF

__all__ = ["Annealed", "GatedLIF", "SpikingRBM", "sharpen"]
