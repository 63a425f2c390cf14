"""Spikes and targets: encoders, readers of published formats, synthetic tasks.

`surgrad.data.catalogue` lists the data sets by kind; `DATASETS["digits"]().load()` gives the
three parts of one, and `loader` batches of a part.
"""

from surgrad.data.base import Batch, Info, Samples, Splits
from surgrad.data.loader import loader
from surgrad.data.spec import About, DataSpec

__all__ = ["About", "Batch", "DataSpec", "Info", "Samples", "Splits", "loader"]
