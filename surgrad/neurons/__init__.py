"""Neurons: a small linear system and a threshold, with parameters in SI units."""
