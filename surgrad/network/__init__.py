"""Connections and neurons in sequence; state is a value that goes in and comes out."""

from surgrad.network.base import Network, Record, Stage, State
from surgrad.network.drive import Values, by_events, spread
from surgrad.network.sequential import Sequential
from surgrad.network.weights import set_weights

__all__ = [
    "Network",
    "Record",
    "Sequential",
    "Stage",
    "State",
    "Values",
    "by_events",
    "set_weights",
    "spread",
]
