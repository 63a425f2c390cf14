"""Every experiment that comes with the package is read, built, alive, and runs for two steps."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from surgrad.data.base import Splits
from surgrad.data.spec import DataSpec
from surgrad.training import schema
from surgrad.training.build import Run
from surgrad.training.loop import fit
from surgrad.training.shipped import shipped, summary
from surgrad.training.sinks import BatchDone, Event, Started

FILES = shipped()
STEPS = 2


def shorten(experiment: schema.Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the samples of two training batches, and a few to validate and test on."""
    kind: type[DataSpec] = type(experiment.data)
    whole, batch = kind.load, experiment.training.batch_size

    def load(self: DataSpec) -> Splits:
        parts = whole(self)
        few = range(min(16, len(parts.validation), len(parts.test)))
        return parts._replace(
            train=parts.train.subset(range(min(STEPS * batch, len(parts.train)))),
            validation=parts.validation.subset(few),
            test=parts.test.subset(few),
        )

    monkeypatch.setattr(kind, "load", load)


@pytest.mark.parametrize("name", FILES)
def test_runs_for_two_steps(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = schema.load(FILES[name], [("training.epochs", "1")])
    assert experiment.name == name
    shorten(experiment, monkeypatch)
    runs: list[Run] = []
    before: dict[str, torch.Tensor] = {}
    batches: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, Started):
            runs.append(event.run)
            before.update({k: p.detach().clone() for k, p in event.run.net.named_parameters()})
        if isinstance(event, BatchDone):
            batches.append(event.batch)

    fit(experiment, tmp_path / "run", sinks=[watch])
    (run,) = runs
    assert batches == list(range(1, min(STEPS, run.batches) + 1))
    assert all(layer.verdict == "ok" for layer in run.health), run.health
    for key, parameter in run.net.named_parameters():
        assert torch.isfinite(parameter).all(), key
        assert not torch.equal(parameter, before[key]), f"{key} did not move"
    result = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert math.isfinite(result["test"]["loss"])


@pytest.mark.parametrize("name", FILES)
def test_says_what_it_is(name: str) -> None:
    assert FILES[name].read_text().startswith("# ")
    assert 20 < len(summary(FILES[name])) < 120


def test_there_are_some() -> None:
    assert "digits" in FILES
