"""Neurons: each is its parameters and the map from them to a tableau."""

from surgrad.neurons.adaptive import ALIF, AdLIF, SymplecticAdLIF
from surgrad.neurons.base import Neuron, Population, SpikingNeuron
from surgrad.neurons.conductance import MorrisLecar
from surgrad.neurons.leaky import LI, LIF, AlphaLIF, CuBaLI, CuBaLIF
from surgrad.neurons.nonlinear import QIF, NonlinearNeuron
from surgrad.neurons.perfect import IF, Integrator
from surgrad.neurons.planar import AdEx, Izhikevich

NEURONS: dict[str, type[Neuron]] = {
    "li": LI,
    "cuba_li": CuBaLI,
    "lif": LIF,
    "cuba_lif": CuBaLIF,
    "alpha_lif": AlphaLIF,
    "alif": ALIF,
    "adlif": AdLIF,
    "symplectic_adlif": SymplecticAdLIF,
    "if": IF,
    "integrator": Integrator,
    "qif": QIF,
    "izhikevich": Izhikevich,
    "adex": AdEx,
    "morris_lecar": MorrisLecar,
}
"""Every neuron by the name that experiment files use."""

__all__ = [
    "ALIF",
    "IF",
    "LI",
    "LIF",
    "NEURONS",
    "QIF",
    "AdEx",
    "AdLIF",
    "AlphaLIF",
    "CuBaLI",
    "CuBaLIF",
    "Integrator",
    "Izhikevich",
    "MorrisLecar",
    "Neuron",
    "NonlinearNeuron",
    "Population",
    "SpikingNeuron",
    "SymplecticAdLIF",
]
