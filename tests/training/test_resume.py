"""A run that was stopped anyhow goes on to the same end, bit for bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from surgrad.errors import ConfigError, FormatError
from surgrad.training.loop import fit
from surgrad.training.schema import Experiment
from surgrad.training.sinks import BatchDone, EpochDone, Event

Make = Callable[..., Experiment]

KILLED = """
import os, signal, sys
from surgrad.training.loop import fit
from surgrad.training.schema import load
from surgrad.training.sinks import BatchDone

def kill(event):
    if isinstance(event, BatchDone) and (event.epoch, event.batch) == (3, 2):
        os.kill(os.getpid(), signal.SIGKILL)

import torch
torch.set_num_threads(1)
fit(load(sys.argv[1]), sys.argv[2], sinks=[kill])
"""


def content(run: Path) -> dict[str, Any]:
    """All that a run says, but for the time that it took."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((run / "summary.json").read_text())
    for table in (*records, summary):
        assert table.pop("seconds") > 0
    saved = torch.load(run / "checkpoint.pt", weights_only=True)
    for record in saved["progress"]["history"]:
        record.pop("seconds")
    return {
        "records": records,
        "summary": summary,
        "config": (run / "config.toml").read_text(),
        "weights": load_file(run / "weights.safetensors"),
        "checkpoint": saved,
    }


def assert_same(a: Any, b: Any, place: str = "") -> None:
    assert type(a) is type(b), place
    if isinstance(a, dict):
        assert a.keys() == b.keys(), place
        for key in a:
            assert_same(a[key], b[key], f"{place}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), place
        for index, pair in enumerate(zip(a, b, strict=True)):
            assert_same(*pair, f"{place}[{index}]")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), place
    else:
        assert a == b, place


def stop_at(epoch: int, batch: int) -> Callable[[Event], None]:
    def stop(event: Event) -> None:
        if isinstance(event, BatchDone) and (event.epoch, event.batch) == (epoch, batch):
            raise KeyboardInterrupt

    return stop


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_run_resumes_bit_for_bit(tiny: Make, tmp_path: Path) -> None:
    experiment = tiny(**{"training.epochs": 5})
    file = tmp_path / "tiny.toml"
    file.write_text(experiment.to_toml())
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(file), str(tmp_path / "killed")], capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "killed" / "summary.json").exists()
    assert len((tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()) == 2
    fit(experiment, tmp_path / "killed", resume=True)
    fit(experiment, tmp_path / "whole")
    assert_same(content(tmp_path / "killed"), content(tmp_path / "whole"))


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": {"kind": "adamax"}, "schedule": {"kind": "one_cycle"}},
        {
            "optimiser": {"kind": "adamw", "weight_decay": 0.1},
            "schedule": {"kind": "step", "epochs": 1},
        },
        {"optimiser": {"kind": "sgd", "momentum": 0.9}, "schedule": {"kind": "cosine"}},
        {"optimiser": {"kind": "rmsprop"}, "rule": {"kind": "tbptt", "window": 7}},
        {"network.spike": {"kind": "stochastic"}, "rule": {"kind": "score"}},
        {"rule": {"kind": "eprop", "feedback": "random"}},
        {"rule": {"kind": "eprop", "feedback": "adaptive", "decay": 0.01}},
        {"training.clip_norm": 0.1, "regularisers": [{"kind": "rate_bound", "upper": 5.0}]},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_all_optimisers_and_schedules_resume(
    changes: dict[str, Any], tiny: Make, tmp_path: Path
) -> None:
    experiment = tiny(**changes)
    fit(experiment, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(experiment, tmp_path / "broken", sinks=[stop_at(3, 1)])
    # whatever happens in between does not matter
    torch.rand(3)
    fit(experiment, tmp_path / "broken", resume=True)
    assert_same(content(tmp_path / "broken"), content(tmp_path / "whole"))


@pytest.mark.parametrize("when", [(1, 2), (2, 1)])
def test_two_interruptions_are_no_more_than_one(
    when: tuple[int, int], tiny: Make, tmp_path: Path
) -> None:
    fit(tiny(), tmp_path / "whole")
    for resume in (False, True):
        with pytest.raises(KeyboardInterrupt):
            fit(tiny(), tmp_path / "broken", resume=resume, sinks=[stop_at(*when)])
    fit(tiny(), tmp_path / "broken", resume=True)
    assert_same(content(tmp_path / "broken"), content(tmp_path / "whole"))


def test_a_stop_between_the_files_of_an_epoch_does_no_harm(tiny: Make, tmp_path: Path) -> None:
    def after_checkpoint(event: Event) -> None:
        if isinstance(event, EpochDone) and event.record["epoch"] == 2:
            raise KeyboardInterrupt

    fit(tiny(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), tmp_path / "broken", sinks=[after_checkpoint])
    # the checkpoint knows of two epochs, these files of less
    metrics = tmp_path / "broken" / "metrics.jsonl"
    metrics.write_text(metrics.read_text()[:40])
    (tmp_path / "broken" / "weights.safetensors").unlink()
    fit(tiny(), tmp_path / "broken", resume=True)
    assert_same(content(tmp_path / "broken"), content(tmp_path / "whole"))


def test_a_finished_run_is_left_as_it_is(tiny: Make, tmp_path: Path) -> None:
    first = fit(tiny(), tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    assert fit(tiny(), tmp_path / "run", resume=True) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == before


def test_resuming_with_another_experiment_is_refused_with_the_differences(
    tiny: Make, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), tmp_path / "run", sinks=[stop_at(2, 1)])
    changes = {
        "network.layers.0.size": 13,
        "network.layers.0.tau_mem": 5e-3,
        "optimiser": {"lr": 0.1},
        "training.patience": 4,
    }
    with pytest.raises(ConfigError) as caught:
        fit(tiny(**changes), tmp_path / "run", resume=True)
    text = str(caught.value)
    assert "network.layers[0].size: 12 → 13" in text
    assert "network.layers[0].tau_mem.mean: 0.02 → nothing" in text
    assert "network.layers[0].tau_mem: nothing → 0.005" in text
    assert "optimiser.lr: 0.001 → 0.1" in text
    assert "training.patience: nothing → 4" in text
    assert text.count("→") == 7  # the distribution has three entries


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "another"])
def test_a_damaged_checkpoint_is_named(damage: str, tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), tmp_path / "run", sinks=[stop_at(2, 1)])
    path = tmp_path / "run" / "checkpoint.pt"
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:1000])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("this is no checkpoint")
        case "another":
            torch.save({"net": {}}, path)
    with pytest.raises(FormatError, match=r"checkpoint\.pt"):
        fit(tiny(), tmp_path / "run", resume=True)
