"""What remains of a run in one file: `summary.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from surgrad.errors import FormatError
from surgrad.files import atomic_write


@dataclass(frozen=True)
class Summary:
    """The result of a run.

    Attributes:
        name: of the experiment.
        seed: of the experiment.
        status: "finished", or "stopped early" where patience ran out.
        epochs: that were trained.
        best_epoch: whose weights were kept, chosen on the validation samples.
        test: loss and accuracy of these weights on the test samples, which nothing else has seen.
        validation: the same on the validation samples.
        rates: the mean rate of each spiking layer on the test samples, in hertz.
        confusion: of the test samples: how often each class (row) was taken for each (column).
        parameters: the number of trained numbers.
        seconds: training and validation, over all sittings.
        version: of the package.
    """

    name: str
    seed: int
    status: str
    epochs: int
    best_epoch: int
    test: dict[str, float]
    validation: dict[str, float]
    rates: list[float]
    confusion: list[list[int]]
    parameters: int
    seconds: float
    version: str

    def write(self, path: Path) -> None:
        """As JSON."""
        atomic_write(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Summary:
        """From the file that `write` made."""
        try:
            table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{field.name: table[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                str(path), got=f"{type(error).__name__}: {error}", expected="a run's summary"
            ) from None
