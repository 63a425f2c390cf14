"""What lies between layers of neurons, and how its weights begin."""

from surgrad.connections.convolutions import Convolution, convolution
from surgrad.connections.initialisation import fluctuation_driven_, mean_square_trace, weighted
from surgrad.connections.steps import each_step
from surgrad.connections.ways import OtherWayBack, way_back

__all__ = [
    "Convolution",
    "OtherWayBack",
    "convolution",
    "each_step",
    "fluctuation_driven_",
    "mean_square_trace",
    "way_back",
    "weighted",
]
