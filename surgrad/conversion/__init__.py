"""From trained networks of analogue units to spiking ones."""

from surgrad.conversion.balance import METHODS, Method
from surgrad.conversion.calibrate import shift_biases
from surgrad.conversion.convert import convert
from surgrad.conversion.curve import Point, against_time, multiplications, present
from surgrad.conversion.modules import Gain, MaxGate, Parallel
from surgrad.conversion.qcfs import QCFS

__all__ = [
    "METHODS",
    "QCFS",
    "Gain",
    "MaxGate",
    "Method",
    "Parallel",
    "Point",
    "against_time",
    "convert",
    "multiplications",
    "present",
    "shift_biases",
]
