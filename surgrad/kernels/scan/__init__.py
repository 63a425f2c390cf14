"""The time loop of a layer of neurons driven by a current."""

from surgrad.kernels.scan.reference import Dynamics, NeuronState, Scan, rest, scan

__all__ = ["Dynamics", "NeuronState", "Scan", "rest", "scan"]
