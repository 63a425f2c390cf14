"""What lies between layers of neurons, and how its weights begin."""

from surgrad.connections.initialisation import fluctuation_driven_, mean_square_trace, weighted

__all__ = ["fluctuation_driven_", "mean_square_trace", "weighted"]
