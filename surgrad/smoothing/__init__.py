"""Smoothed networks: soft spikes that sharpen."""

from __future__ import annotations

from surgrad.smoothing.anneal import Annealed, sharpen

__all__ = ["Annealed", "sharpen"]
