"""Smoothed networks: soft spikes that sharpen, gated synapses."""

from __future__ import annotations

from surgrad.smoothing.anneal import Annealed, sharpen
from surgrad.smoothing.gate import GatedLIF

__all__ = ["Annealed", "GatedLIF", "sharpen"]
