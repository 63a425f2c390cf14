"""QTDB-ECG: electrocardiograms as spikes, with a label for every step."""

from __future__ import annotations

from typing import ClassVar, Literal

from surgrad.data.base import Splits
from surgrad.data.published.common import describe, find_any, parts
from surgrad.data.readers.qtdb import read_qtdb
from surgrad.data.spec import About, DataSpec, Positive
from surgrad.data.splits import random_split

WAVES = ("P", "PQ", "QR", "RS", "ST", "TP")


class QTDB(DataSpec, frozen=True):
    """Level crossings of two leads of an electrocardiogram; which wave is it, at every step?

    Args:
        units: 4, upward and downward crossings of two leads; or 8, with a unit of its own for
            the entries of -1, of which there is one a recording, in its last step.
        dt: the width of a step in seconds; the heart was sampled at 250 Hz.
        validation_fraction: of the training recordings.

    References:
        B. Yin, F. Corradi, S. M. Bohté, Nature Machine Intelligence 3 (2021).
    """

    ABOUT: ClassVar[About] = About(
        summary="electrocardiograms as level crossings, one of six waves to name at every step",
        source="P. Laguna et al. (1997); coded by B. Yin, F. Corradi, S. Bohté (2021)",
        licence="ODC-By 1.0, coded form MIT",
        size="556 + 62 + 141 recordings of 1301 steps, 6 classes, 4 units",
        files=True,
    )

    kind: Literal["qtdb_ecg"] = "qtdb_ecg"
    units: Literal[4, 8] = 4
    dt: Positive = 4e-3
    validation_fraction: Positive = 0.1

    def load(self) -> Splits:
        """The training file, cut at random into training and validation, and the test file."""
        train, test = (
            read_qtdb(find_any(self, f"qtdb_ecg/QTDB_{part}.mat"), signed=self.units == 8)
            for part in ("train", "test")
        )
        fractions = (1 - self.validation_fraction, self.validation_fraction)
        first, second = random_split(train[0].batch, fractions, self.split_seed)
        info = describe(
            self,
            spikes=train[0],
            dt=self.dt,
            labels=WAVES,
            target="step_class",
            note="steps without a label, 8 % of them, do not count; the files do not say which "
            "recordings are of one patient",
        )
        return parts(self, train, test, (first, second), info)
