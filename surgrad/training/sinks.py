"""Where a run's events go: a file, a screen, or wherever else a function can send them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from surgrad.files import atomic_write

if TYPE_CHECKING:
    from surgrad.training.build import Run
    from surgrad.training.scores import Scores
    from surgrad.training.summary import Summary


@dataclass(frozen=True)
class Started:
    """All is built and the run folder is there; `history` is not empty where a run goes on."""

    run: Run
    out: Path
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class BatchDone:
    """A step of the optimiser was made; `scores` are those of the epoch so far."""

    epoch: int
    batch: int
    scores: Callable[[], Scores]


@dataclass(frozen=True)
class EpochDone:
    """An epoch is over and safe on the disk; `record` is its line in `metrics.jsonl`."""

    record: dict[str, Any]
    best: bool


@dataclass(frozen=True)
class Finished:
    """The run is over; `run.net` has the best weights."""

    run: Run
    out: Path
    summary: Summary


Event: TypeAlias = Started | BatchDone | EpochDone | Finished
Sink: TypeAlias = Callable[[Event], None]


class JsonLines:
    """Writes `metrics.jsonl`, a line an epoch.

    Args:
        path: the file; its content is replaced by the history of the run that starts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: Event) -> None:
        """See `Event`."""
        if isinstance(event, Started):
            atomic_write(self.path, "".join(map(_line, event.history)))
        elif isinstance(event, EpochDone):
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(event.record))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"
