"""Neurons: each is its parameters and the map from them to a tableau."""

from surgrad.neurons.base import Neuron, SpikingNeuron
from surgrad.neurons.leaky import LI, LIF, AlphaLIF, CuBaLI, CuBaLIF

NEURONS: dict[str, type[Neuron]] = {
    "li": LI,
    "cuba_li": CuBaLI,
    "lif": LIF,
    "cuba_lif": CuBaLIF,
    "alpha_lif": AlphaLIF,
}
"""Every neuron by the name that experiment files use."""

__all__ = ["LI", "LIF", "NEURONS", "AlphaLIF", "CuBaLI", "CuBaLIF", "Neuron", "SpikingNeuron"]
