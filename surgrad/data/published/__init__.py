"""The published data sets: how each is read, coded, split and named in an experiment file."""

from __future__ import annotations

from typing import TypeAlias

from surgrad.data.published.dvs_gesture import DVSGesture
from surgrad.data.published.fsdd import FSDD
from surgrad.data.published.heidelberg import SHD, SSC
from surgrad.data.published.images import MNIST, FashionMNIST
from surgrad.data.published.nmnist import NMNIST
from surgrad.data.published.qtdb import QTDB

Published: TypeAlias = MNIST | FashionMNIST | FSDD | QTDB | NMNIST | SHD | SSC | DVSGesture
"""The options of any of them."""

__all__ = [
    "FSDD",
    "MNIST",
    "NMNIST",
    "QTDB",
    "SHD",
    "SSC",
    "DVSGesture",
    "FashionMNIST",
    "Published",
]
