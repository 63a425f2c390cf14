"""Random patterns to memorise: Poisson spikes with labels that mean nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import poisson
from surgrad.data.spec import About, Count, DataSpec, Positive


class RandomPatterns(DataSpec, frozen=True):
    """Poisson patterns with random labels; what can be learned is to remember them.

    Args:
        samples: the number of patterns.
        classes: the number of labels, each equally often where `samples` allows.
        units: the number of input units.
        rate: of each unit, in Hz.
        time: the number of steps.
        dt: the width of a step in seconds.

    Example:
        >>> splits = RandomPatterns().load()
        >>> splits.train is splits.test, splits.train.targets.bincount().tolist()
        (True, [128, 128])

    References:
        F. Zenke, SpyTorch tutorial 1 (2019); E. O. Neftci, H. Mostafa, F. Zenke, IEEE SPM 36
        (2019). There each label is a coin flip, here the classes have equal size.
    """

    ABOUT: ClassVar[About] = About(
        summary="random Poisson patterns with random labels, to memorise",
        source="F. Zenke, SpyTorch tutorial 1 (2019), generated",
        licence="generated",
        size="256 samples, 2 classes, 100 units",
        files=False,
    )

    kind: Literal["random_patterns"] = "random_patterns"
    samples: Count = 256
    classes: Count = 2
    units: Count = 100
    rate: Positive = 5.0
    time: Count = 200
    dt: Positive = 1e-3

    def load(self) -> Splits:
        """The same samples three times: the task is to memorise them."""
        generator = torch.Generator().manual_seed(self.split_seed)
        rates = torch.full((self.samples, self.units), self.rate)
        spikes = poisson(rates, time=self.time, dt=self.dt, generator=generator)
        labels = torch.arange(self.samples) % self.classes
        samples = Samples(spikes, labels[torch.randperm(self.samples, generator=generator)])
        info = self.info(
            features=(self.units,),
            time=self.time,
            dt=self.dt,
            classes=self.classes,
            note="train, validation and test are the same samples: the task is to memorise them",
        )
        train = samples if self.limit is None else samples.subset(range(self.samples)[: self.limit])
        return Splits(train, train, train, info)
