"""DVS128 Gesture: hands and arms in front of an event camera."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor

from surgrad.data.base import Splits
from surgrad.data.published.common import describe, find_any, parts
from surgrad.data.readers.aedat import read_gestures
from surgrad.data.readers.cameras import bin_recordings
from surgrad.data.readers.files import read_bytes
from surgrad.data.spec import About, Count, DataSpec, Positive
from surgrad.data.splits import hold_out
from surgrad.errors import ArgumentError, FormatError
from surgrad.events import SpikeTrain

GESTURES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other",
)
NAME = re.compile(r"user(\d+)_\w+\.aedat")


class DVSGesture(DataSpec, frozen=True):
    """Eleven gestures of 29 people under three lights; validation sets people aside.

    Args:
        time: the number of steps; what follows of a gesture, which lasts some six seconds, is
            dropped.
        dt: the width of a step in seconds.
        downsample: this many rows and columns of the 128 × 128 pixels share a unit.
        validation_people: of the 23 people in the official training list, drawn with
            `split_seed`. The six of the test list are in neither part.

    References:
        A. Amir et al., A low power, fully event-based gesture recognition system, CVPR 2017.
    """

    ABOUT: ClassVar[About] = About(
        summary="eleven hand and arm gestures before an event camera",
        source="A. Amir et al. (2017), CVPR",
        licence="CC BY 4.0",
        size="1176 + 288 gestures, 11 classes, 2 × 32 × 32 units",
        files=True,
    )

    kind: Literal["dvs_gesture"] = "dvs_gesture"
    time: Count = 150
    dt: Positive = 10e-3
    downsample: Count = 4
    validation_people: Count = 3

    def load(self) -> Splits:
        """The official lists of trials, the first cut into training and validation by person."""
        train, people = self._part("trials_to_train.txt")
        test, _ = self._part("trials_to_test.txt")
        known = people.unique()
        if self.validation_people >= len(known):
            raise ArgumentError(
                "validation_people", got=self.validation_people, expected=f"below {len(known)}"
            )
        generator = torch.Generator().manual_seed(self.split_seed)
        drawn = known[torch.randperm(len(known), generator=generator)[: self.validation_people]]
        held = sorted(drawn.tolist())
        note = f"validation: the people {', '.join(map(str, held))} of the training list"
        info = describe(self, spikes=train[0], dt=self.dt, labels=GESTURES, note=note)
        return parts(self, train, test, hold_out(people, held), info)

    def _part(self, name: str) -> tuple[tuple[SpikeTrain, Tensor], Tensor]:
        """Spikes, classes and people of the trials in a list."""
        listed = find_any(self, f"dvs_gesture/{name}", f"dvs_gesture/DvsGesture/{name}")
        spikes, labels, people = [], [], []
        for path, person in _trials(listed):
            recordings = read_gestures(path)
            binned = bin_recordings(
                recordings, dt=self.dt, time=self.time, downsample=self.downsample
            )
            spikes.append(binned)
            labels.append(torch.from_numpy(recordings.labels))
            people.append(torch.full((len(recordings),), person))
        return (SpikeTrain.cat(spikes), torch.cat(labels)), torch.cat(people)


def _trials(listed: Path) -> list[tuple[Path, int]]:
    """The recordings that a list names, and who is on them."""
    found = []
    for line in read_bytes(listed).decode("utf-8", errors="replace").split():
        match = NAME.fullmatch(line)
        if match is None:
            raise FormatError(f"file {listed}", got=line[:60], expected="user??_light.aedat")
        found.append((listed.with_name(line), int(match[1])))
    if not found:
        raise FormatError(f"file {listed}", got="no name", expected="names of .aedat files")
    return found
