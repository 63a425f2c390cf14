"""The commands do what they say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from surgrad.cli import overrides
from surgrad.training import loop
from surgrad.training.loop import fit
from surgrad.training.schema import load
from surgrad.training.shipped import shipped
from surgrad.training.sinks import BatchDone, Event

Run = Callable[..., tuple[int, str, str]]


def test_train_writes_a_run_and_a_report_where_it_says(
    run: Run, short: Path, tmp_path: Path
) -> None:
    code, out, err = run("train", "short.toml", "--network.layers.0.size", "9")
    assert code == 0, err
    folder = tmp_path / "runs" / "short-4"
    assert {path.name for path in folder.iterdir()} == {
        "config.toml", "metrics.jsonl", "summary.json", "weights.safetensors", "checkpoint.pt",
        "examples.npz", "report.html",
    }  # fmt: skip
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["network"]["layers"][0]["size"] == 9
    lines = out.splitlines()
    assert lines[0].startswith("short, seed 4: 64 + 360 + 359 samples of 20 steps; 64 → 9 cuba_lif")
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1/2", "2/2"]
    assert "report: " + str(Path("runs") / "short-4" / "report.html") in lines


def test_options_stand_anywhere(run: Run, short: Path, tmp_path: Path) -> None:
    tokens = ["--training.epochs=1", "--out", "here", "short.toml", "--seed", "9"]
    assert run("train", *tokens)[0] == 0
    summary = json.loads((tmp_path / "here" / "summary.json").read_text())
    assert (summary["seed"], summary["epochs"]) == (9, 1)


def test_evaluate_finds_what_training_found(run: Run, short: Path, tmp_path: Path) -> None:
    fit(load("short.toml"), "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    for split in ("test", "validation"):
        code, out, _ = run("evaluate", "run", "--split", split)
        assert code == 0
        assert f"{100 * summary[split]['accuracy']:.2f} %" in out
        assert f"{summary[split]['loss']:.4f}" in out


@pytest.mark.parametrize("damage", ["missing", "truncated", "of another network"])
def test_damaged_weights_are_named(damage: str, run: Run, short: Path, tmp_path: Path) -> None:
    fit(load("short.toml", [("training.epochs", "1")]), "run")
    weights = tmp_path / "run" / "weights.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:100])
    else:
        fit(load("short.toml", [("network.layers.0.size", "7")]), "other")
        (tmp_path / "other" / "weights.safetensors").replace(weights)
    code, out, err = run("evaluate", "run")
    assert (code, out) == (2, "")
    assert "weights.safetensors" in " ".join(err.split()) and "train" in err


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int, batch: int) -> None:
    """Ctrl-C after a batch."""
    to = loop._to

    def stop(event: Event) -> None:
        if isinstance(event, BatchDone) and (event.epoch, event.batch) == (epoch, batch):
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_to", lambda sinks: to([*sinks, stop]))


def test_an_interrupted_run_says_how_to_go_on_and_does(
    run: Run, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, 2, 1)
        code, _, err = run("train", "short.toml", "--out", "a run", "--network.layers.0.size", "9")
    assert code == 130
    command = err.strip().partition("go on with: ")[2]
    assert command == ("surgrad train short.toml --network.layers.0.size=9 --out 'a run' --resume")
    tokens = [token.strip("'") for token in command.replace("a run", "a\0run").split()[1:]]
    code, out, _ = run(*(token.replace("\0", " ") for token in tokens))
    assert code == 0
    assert json.loads((tmp_path / "a run" / "summary.json").read_text())["epochs"] == 2
    code, out, _ = run(
        "train", "short.toml", "--network.layers.0.size=9", "--out", "a run", "--resume"
    )
    assert code == 0
    assert "was finished before" in out


def test_an_interruption_before_the_start_leaves_nothing(
    run: Run, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "build", interrupted)
    code, _, err = run("train", "short.toml")
    assert code == 130
    assert "nothing to clean up" in err
    assert list(tmp_path.iterdir()) == [short]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_from_the_keyboard(short: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "surgrad", "train", "short.toml", "--training.epochs", "100000"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell makes the commands that it runs in the background deaf to the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("epoch"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted; go on with: surgrad train short.toml --training.epochs=" in err
    assert "Traceback" not in err


def test_validate_says_yes(run: Run, short: Path) -> None:
    code, out, _ = run("validate", "short.toml", "--rule.kind", "tbptt")
    assert code == 0
    assert out == (
        "short.toml is valid: short, digits, cuba_lif → li, max_over_time, tbptt, 2 epochs\n"
    )


def test_experiments_are_listed_and_copied(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("experiments", "ls")
    assert code == 0
    assert all(name in out for name in shipped())
    assert run("experiments", "cp", "digits")[:2] == (0, "copied to digits.toml\n")
    assert (tmp_path / "digits.toml").read_bytes() == shipped()["digits"].read_bytes()
    (tmp_path / "sub").mkdir()
    assert run("experiments", "cp", "digits", "sub")[0] == 0
    assert run("experiments", "cp", "digits", "mine.toml")[0] == 0
    assert load(tmp_path / "sub" / "digits.toml") == load("mine.toml") == load("digits")


def test_the_doctor_looks_at_the_machine(run: Run) -> None:
    code, out, _ = run("doctor")
    assert code == 0
    for word in ("torch", "numba", "h5py", "(surgrad[data])", "digits", "needs no files"):
        assert word in out


def test_the_doctor_looks_at_a_network(run: Run, short: Path, tmp_path: Path) -> None:
    code, out, _ = run("doctor", "short.toml")
    assert code == 0
    assert "hidden 1" in out and "ok" in out
    assert "a batch of 32: loss " in out
    code, out, _ = run("doctor", "short.toml", "--network.layers.0.refractory", "1.9")
    assert code == 0
    assert list(tmp_path.iterdir()) == [short]


def test_the_doctor_says_which_path_a_layer_takes(run: Run, short: Path) -> None:
    out = run("doctor", "short.toml")[1]
    assert "hidden 1 is driven by events" in out and "read-out is driven by events" in out
    out = run("doctor", "short.toml", "--network.spike.kind", "soft")[1]
    assert "hidden 1 is driven by events" in out
    assert "read-out uses a dense product: its input is analogue" in out
    assert "reference" not in out
    out = run("doctor", "short.toml", "--network.layers.0.neuron", "qif")[1]
    assert "hidden 1 runs on the plain-torch reference: QIF goes on step by step" in out


def test_a_silent_layer_is_named_at_the_start(
    run: Run, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what the initialisation would have put right
    monkeypatch.setattr("surgrad.training.build.initialise", lambda *_, **__: None)
    tokens = ["--network.layers.0.threshold", "500.0", "--training.epochs", "1"]
    code, out, _ = run("train", "short.toml", *tokens)
    assert code == 0
    assert "warning: hidden 1 is silent" in out
    assert "silent" in run("doctor", "short.toml", *tokens)[1]


def test_help_and_version_are_quick() -> None:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "surgrad", "--help"], capture_output=True)
        took.append(time.perf_counter() - start)
        assert done.returncode == 0
    # about 0.2 s; the rest is for a machine that does other things too
    assert min(took) < 1.5


@pytest.mark.parametrize(
    "command", ["train", "evaluate", "report", "validate", "doctor", "experiments", "data"]
)
def test_every_command_has_help(command: str, run: Run) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"surgrad {command}" in out


def test_overrides_with_hyphens_and_equals_signs() -> None:
    files, found = overrides.split(["a.toml", "--training.batch-size=3", "--name=a=b", "--x", "-1"])
    assert files == ["a.toml"]
    assert found == [("training.batch_size", "3"), ("name", "a=b"), ("x", "-1")]
