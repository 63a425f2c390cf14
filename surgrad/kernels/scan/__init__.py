"""The time loop of a layer of neurons driven by a current."""

from surgrad.kernels.scan.reference import NeuronState, Scan, rest, scan

__all__ = ["NeuronState", "Scan", "rest", "scan"]
