"""SHD and SSC: spoken words through a model of the inner ear."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import model_validator
from torch import Tensor

from surgrad.data.base import Samples, Splits
from surgrad.data.published.common import describe, find_any, parts, validation
from surgrad.data.readers.heidelberg import CHANNELS, Heidelberg, read_heidelberg
from surgrad.data.spec import About, Count, DataSpec, Positive
from surgrad.data.splits import hold_out
from surgrad.errors import ArgumentError, FormatError


class _Heidelberg(DataSpec, frozen=True):
    """700 channels of the cochlea, pooled and binned.

    Args:
        time: the number of steps; later spikes are dropped. A sample lasts up to 1.4 s.
        dt: the width of a step in seconds.
        pool: this many neighbouring channels share a unit; a divisor of 700.
    """

    time: Count = 350
    dt: Positive = 4e-3
    pool: Count = 1

    @model_validator(mode="after")
    def _pooled(self) -> _Heidelberg:
        if CHANNELS % self.pool:
            raise ArgumentError("pool", got=self.pool, expected=f"a divisor of {CHANNELS}")
        return self

    def _file(self, part: str, classes: int) -> Heidelberg:
        path = find_any(self, f"{self.kind}/{self.kind}_{part}.h5")
        return read_heidelberg(path, dt=self.dt, time=self.time, classes=classes, pool=self.pool)


class SHD(_Heidelberg, frozen=True):
    """The Spiking Heidelberg Digits: 0 to 9, in English and German.

    Two of the twelve speakers are heard in the test file only, so validation sets speakers aside
    too.

    Args:
        validation: `speakers`, whole speakers of the training file, drawn with `split_seed`; or
            `stratified`, a tenth of every class, which promises more than the test set keeps.
        validation_speakers: how many.

    References:
        B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, IEEE TNNLS 33 (2022), arXiv 1910.07407.
    """

    ABOUT: ClassVar[About] = About(
        summary="spoken digits in English and German, 700 channels of a cochlea",
        source="B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke (2020), arXiv 1910.07407",
        licence="CC BY 4.0",
        size="8156 + 2264 samples, 20 classes, 700 units",
        files=True,
    )

    kind: Literal["shd"] = "shd"
    validation: Literal["speakers", "stratified"] = "speakers"
    validation_speakers: Count = 2

    def load(self) -> Splits:
        """Training and validation samples from the training file, and the test file."""
        train, test = (self._file(part, 20) for part in ("train", "test"))
        note = "validation: a tenth of every class"
        if self.validation == "speakers":
            indices, held = self._speakers(train)
            note = f"validation: the speakers {', '.join(map(str, held))} of the training file"
        else:
            indices = validation(train.labels, 0.1, self.split_seed)
        info = describe(self, spikes=train.spikes, dt=self.dt, labels=_names(train, 20), note=note)
        return parts(self, (train.spikes, train.labels), (test.spikes, test.labels), indices, info)

    def _speakers(self, train: Heidelberg) -> tuple[tuple[Tensor, Tensor], list[int]]:
        if train.speakers is None:
            raise FormatError(
                "shd/shd_train.h5",
                got="no extra/speaker",
                expected="the speaker of each sample",
                fix="fetch the published file, or set validation = 'stratified'",
            )
        speakers = train.speakers.unique()
        generator = torch.Generator().manual_seed(self.split_seed)
        drawn = torch.randperm(len(speakers), generator=generator)[: self.validation_speakers]
        held = sorted(speakers[drawn].tolist())
        return hold_out(train.speakers, held), held


class SSC(_Heidelberg, frozen=True):
    """The Spiking Speech Commands: 35 words, with a validation file of their own.

    References:
        B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, IEEE TNNLS 33 (2022), arXiv 1910.07407.
    """

    ABOUT: ClassVar[About] = About(
        summary="35 spoken commands, 700 channels of a cochlea",
        source="B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke (2020), arXiv 1910.07407",
        licence="CC BY 4.0",
        size="75466 + 9981 + 20382 samples, 35 classes, 700 units",
        files=True,
    )

    kind: Literal["ssc"] = "ssc"

    def load(self) -> Splits:
        """The training, validation and test files."""
        files = [self._file(part, 35) for part in ("train", "valid", "test")]
        info = describe(self, spikes=files[0].spikes, dt=self.dt, labels=_names(files[0], 35))
        return self.splits([Samples(file.spikes, file.labels) for file in files], info)


def _names(file: Heidelberg, classes: int) -> tuple[str, ...]:
    return file.keys if len(file.keys) == classes else tuple(map(str, range(classes)))
