"""The operations that a network spends its time in; the plain-torch reference defines each."""

from surgrad.kernels.engine import reference

__all__ = ["reference"]
