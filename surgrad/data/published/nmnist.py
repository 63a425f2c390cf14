"""N-MNIST: MNIST through the eyes of an event camera."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from surgrad.data.base import Splits
from surgrad.data.published.common import chosen, describe, find_any, parts, validation
from surgrad.data.readers.cameras import Recordings, bin_recordings
from surgrad.data.readers.nmnist import read_folder, read_packed_0to7, read_packed_small
from surgrad.data.spec import About, Count, DataSpec, Positive
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain

Part = tuple[SpikeTrain, Tensor]

NOTES = {
    "official": "",
    "small": "the first 1000 training and 100 test samples: no result on N-MNIST itself",
    "0to7": "a cut of training samples of the digits 0 to 7, not the official test set: "
    "no result on N-MNIST itself",
}


class NMNIST(DataSpec, frozen=True):
    """Events of a camera that looks at handwritten digits in three saccades of 100 ms.

    Args:
        source: `official`, the folders Train and Test; `small`, its first 1000 training and 100
            test samples; or `0to7`, 500 denoised training samples of each of the digits 0 to 7,
            100 of them set aside as a test part that is not the official one.
        time: the number of steps; later events are dropped.
        dt: the width of a step in seconds; 1 ms or more for `0to7`.
        downsample: this many rows and columns of pixels share a unit.
        unsorted: what to do with a recording whose time runs backwards.
        validation_fraction: of the training samples, the same of every class.

    References:
        G. Orchard, A. Jayawant, G. Cohen, N. Thakor, Frontiers in Neuroscience 9:437 (2015).
    """

    ABOUT: ClassVar[About] = About(
        summary="handwritten digits seen by an event camera in three saccades",
        source="G. Orchard, A. Jayawant, G. Cohen, N. Thakor (2015)",
        licence="CC BY-SA 4.0",
        size="54000 + 6000 + 10000 samples, 10 classes, 2 × 34 × 34 units",
        files=True,
    )

    kind: Literal["nmnist"] = "nmnist"
    source: Literal["official", "small", "0to7"] = "official"
    time: Count = 300
    dt: Positive = 1e-3
    downsample: Count = 1
    unsorted: Literal["refuse", "sort"] = "refuse"
    validation_fraction: Positive = 0.1

    @model_validator(mode="after")
    def _resolved(self) -> NMNIST:
        if self.source == "0to7" and self.dt < 1e-3 * (1 - 1e-9):
            raise ArgumentError(
                "dt of nmnist", got=self.dt, expected="1e-3 or more, the steps of source = '0to7'"
            )
        return self

    def load(self) -> Splits:
        """Training and validation samples from the training part, and the test part."""
        train, test = self._official() if self.source == "official" else self._packed()
        indices = validation(train[1], self.validation_fraction, self.split_seed)
        digits = "01234567" if self.source == "0to7" else "0123456789"
        info = describe(
            self, spikes=train[0], dt=self.dt, labels=tuple(digits), note=NOTES[self.source]
        )
        return parts(self, train, test, indices, info)

    def _official(self) -> tuple[Part, Part]:
        train, test = (self._folder(part) for part in ("Train", "Test"))
        return train, test

    def _folder(self, part: str) -> Part:
        folder = find_any(self, f"nmnist/{part}")
        pieces = [
            (self._bin(some), torch.from_numpy(some.labels))
            for some in read_folder(folder, unsorted=self.unsorted)
        ]
        trains, labels = zip(*pieces, strict=True)
        return SpikeTrain.cat(trains), torch.cat(labels)

    def _packed(self) -> tuple[Part, Part]:
        if self.source == "small":
            recordings, test = read_packed_small(find_any(self, "nmnist_small/nmnist_small.npz"))
        else:
            recordings, test = read_packed_0to7(find_any(self, "nmnist_0to7/nmnist_0to7_1ms.npz"))
        spikes, labels = self._bin(recordings), torch.from_numpy(recordings.labels)
        first, second = (chosen(mask) for mask in (np.logical_not(test), test))
        return (spikes.select(first), labels[first]), (spikes.select(second), labels[second])

    def _bin(self, recordings: Recordings) -> SpikeTrain:
        return bin_recordings(recordings, dt=self.dt, time=self.time, downsample=self.downsample)
