"""FSDD spikes: spoken digits through the cochlea of this library."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from surgrad.data.base import Samples, Splits
from surgrad.data.checksums import digest_of, folder_digest
from surgrad.data.encoders.cochlea import Ear, cochlea
from surgrad.data.encoders.filterbank import envelopes
from surgrad.data.encoders.hair import integrate_and_fire
from surgrad.data.published.cache import cached, code_of
from surgrad.data.published.common import chosen, describe, find_any, shuffled, validation
from surgrad.data.readers.fsdd import RATE, Clips, read_packed_clips, read_wavs
from surgrad.data.spec import About, Count, DataSpec, Positive
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain

Speaker: TypeAlias = Literal["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]

TEST_TAKES = 5
Parts: TypeAlias = tuple[Tensor, Tensor, Tensor]


class FSDD(DataSpec, frozen=True):
    """Ten digits by six speakers, each 50 times, as spikes of a cochlea.

    The official split: takes 0 to 4 are the test set, and validation is cut from the other takes,
    the same of every digit and speaker, so the speakers are known. With `held_out_speaker` the test
    set is all that one speaker said, validation all that another said, and the network has heard
    neither.

    Args:
        time: the number of steps; a clip that lasts longer is cut. One in a hundred is longer
            than the one second of the defaults.
        dt: the width of a step in seconds.
        ear: the options of the cochlea.
        held_out_speaker: leave this speaker out.
        validation_speaker: who is left out for validation then; drawn with `split_seed` if not
            given.
        validation_fraction: of the training clips, with the official split.

    References:
        Z. Jackson et al., Free Spoken Digit Dataset (2018).
    """

    ABOUT: ClassVar[About] = About(
        summary="spoken digits by six speakers as spikes of a cochlea (FSDD spikes)",
        source="Z. Jackson et al. (2018), Free Spoken Digit Dataset",
        licence="CC BY-SA 4.0",
        size="2400 + 300 + 300 clips, 10 classes, 64 × 3 units",
        files=True,
    )

    kind: Literal["fsdd"] = "fsdd"
    time: Count = 200
    dt: Positive = 5e-3
    ear: Ear = Field(default_factory=Ear)
    held_out_speaker: Speaker | None = None
    validation_speaker: Speaker | None = None
    validation_fraction: Positive = 0.1

    @model_validator(mode="after")
    def _unheard(self) -> FSDD:
        if self.validation_speaker is not None:
            if self.held_out_speaker is None:
                raise ArgumentError(
                    "validation_speaker of fsdd",
                    got=self.validation_speaker,
                    expected="a held_out_speaker beside it",
                )
            if self.validation_speaker == self.held_out_speaker:
                raise ArgumentError(
                    "validation_speaker of fsdd",
                    got=self.validation_speaker,
                    expected="another speaker than the one held out",
                )
        return self

    def load(self) -> Splits:
        """The split by takes, or by speakers where one is held out."""
        clips, digest = self._clips()
        key = {
            "recordings": digest,
            "code": code_of(cochlea, envelopes, integrate_and_fire),
            "ear": self.ear.model_dump(),
            "time": self.time,
            "dt": self.dt,
        }
        spikes = cached(self.kind, key, lambda: self._encode(clips))
        named = self.held_out_speaker is not None
        (train, held, test), note = self._by_speaker(clips) if named else self._by_takes(clips)
        whole = Samples(spikes, torch.from_numpy(clips.labels))
        info = describe(self, spikes=spikes, dt=self.dt, labels=tuple("0123456789"), note=note)
        indices = (shuffled(train, self.split_seed), held, test)
        return self.splits([whole.subset(index) for index in indices], info)

    def _clips(self) -> tuple[Clips, str]:
        """The recordings, and their checksum."""
        path = find_any(self, "fsdd/fsdd.npz", "fsdd/recordings")
        if path.is_file():
            return read_packed_clips(path), digest_of(path, "sha256")
        return read_wavs(path), folder_digest(path, list(path.glob("*.wav")), "sha256")

    def _encode(self, clips: Clips) -> SpikeTrain:
        sounds = [clips.clip(index) for index in range(len(clips))]
        return cochlea(sounds, fs=RATE, dt=self.dt, ear=self.ear, time=self.time)

    def _by_takes(self, clips: Clips) -> tuple[Parts, str]:
        rest = chosen(clips.takes >= TEST_TAKES)
        _, speakers = np.unique(clips.speakers, return_inverse=True)
        groups = torch.from_numpy(clips.labels + 10 * speakers)[rest]
        train, held = validation(groups, self.validation_fraction, self.split_seed)
        test = chosen(clips.takes < TEST_TAKES)
        return (rest[train], rest[held], test), "official split: test speakers are known"

    def _by_speaker(self, clips: Clips) -> tuple[Parts, str]:
        names = sorted(set(clips.speakers.tolist()))
        others = [name for name in names if name != self.held_out_speaker]
        generator = torch.Generator().manual_seed(self.split_seed)
        drawn = others[int(torch.randint(len(others), (), generator=generator))]
        held = self.validation_speaker or drawn
        for name in (self.held_out_speaker, held):
            if name not in names:
                raise ArgumentError("speaker of fsdd", got=name, expected=", ".join(names))
        test = clips.speakers == self.held_out_speaker
        check = clips.speakers == held
        note = f"test speaker {self.held_out_speaker}, validation speaker {held}, both unheard"
        return (chosen(~(test | check)), chosen(check), chosen(test)), note
