"""What a rule's gradient looks like beside that of BPTT while a run goes on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from surgrad.files import atomic_write
from surgrad.learning import BPTT
from surgrad.learning.base import Batch
from surgrad.studies.gradients import angles, gradients, most_memory, same_chance
from surgrad.training.build import Run, some
from surgrad.training.scores import on
from surgrad.training.sinks import EpochDone, Event, Started

FILE = "alignment.jsonl"


def probed(epochs: int) -> list[int]:
    """The epochs after which to look: 0 (before training), 1, 2, 4, 8, … and the last.

    Example:
        >>> probed(20)
        [0, 1, 2, 4, 8, 16, 20]
    """
    powers = [2**k for k in range(epochs.bit_length()) if 2**k < epochs]
    return [0, *powers, epochs]


class Probe:
    """A sink that compares gradients on one batch of training samples, and counts memory.

    The batch is the same for all runs on the same data. A line for each look is written to
    `alignment.jsonl` in the run's folder: the epoch and each layer's `cosine` and `ratio`. The
    reference is BPTT of the same network, where neurons spike by chance with the same spikes.

    Args:
        samples: in the batch.
        seed: draws the batch.
    """

    def __init__(self, samples: int = 256, seed: int = 0) -> None:
        self.samples, self.seed = samples, seed
        self._run: Run | None = None
        self._batch: Batch | None = None
        self._path = Path(FILE)
        self._lines: list[dict[str, Any]] = []

    def __call__(self, event: Event) -> None:
        """See `Event`."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, EpochDone) and self._run is not None:
            self._look(event.record["epoch"])

    def _start(self, event: Started) -> None:
        self._run, self._path = event.run, event.out / FILE
        device = next(event.run.net.parameters()).device
        generator = torch.Generator().manual_seed(self.seed)
        self._batch = on(some(event.run.splits.train, self.samples, generator), device)
        done = len(event.history)
        self._lines = [line for line in read(event.out) if line["epoch"] <= done]
        self._look(done)

    def _look(self, epoch: int) -> None:
        run, batch = self._run, self._batch
        if run is None or batch is None or epoch in [line["epoch"] for line in self._lines]:
            return
        if epoch not in probed(run.experiment.training.epochs):
            return
        found = gradients(run.rule, run.net, batch, run.objective)
        reference = gradients(BPTT(), run.net, batch, run.objective)
        layers = {name: asdict(angle) for name, angle in angles(found, reference).items()}
        line: dict[str, Any] = {"epoch": epoch, "layers": layers}
        if not self._lines:
            line["memory"] = _memory(run)
        self._lines.append(line)
        atomic_write(self._path, "".join(json.dumps(line) + "\n" for line in self._lines))


def read(folder: Path) -> list[dict[str, Any]]:
    """What a probe wrote into a run's folder; nothing where there was none."""
    path = folder / FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _memory(run: Run) -> int | None:
    """The bytes that the gradient of a training batch needs at most."""
    generator = torch.Generator().manual_seed(0)
    device = next(run.net.parameters()).device
    batch = on(some(run.splits.train, run.experiment.training.batch_size, generator), device)
    with same_chance(run.net):
        found = most_memory(lambda: run.rule.gradients(run.net, batch, run.objective))
    run.net.zero_grad()
    return found
