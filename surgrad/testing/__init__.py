"""The batteries that everything in the package passes, for your own as well.

Each raises `AssertionError` with the claim that does not hold.
"""

from surgrad.testing.neurons import check_neuron
from surgrad.testing.rules import check_rule
from surgrad.testing.surrogates import check_surrogate

__all__ = ["check_neuron", "check_rule", "check_surrogate"]
