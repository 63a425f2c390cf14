"""Every experiment that comes with the package is read, built, alive, and runs for two steps."""

from __future__ import annotations

import json
import math
import re
import shlex
import wave
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from surgrad.data.base import Splits
from surgrad.data.published import cache
from surgrad.data.spec import DataSpec
from surgrad.training import schema
from surgrad.training.build import Run
from surgrad.training.loop import fit
from surgrad.training.shipped import shipped, summary
from surgrad.training.sinks import BatchDone, Event, Started

FILES = shipped()
STEPS = 2
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def spoken_digits(folder: Path) -> None:
    """Short noises in the place of FSDD's recordings."""
    draw = np.random.default_rng(0)
    for digit, speaker, take in product(range(10), SPEAKERS, (0, *range(5, 15))):
        noise = draw.normal(0, 3000, 600 + 40 * digit).astype("<i2")
        with wave.open(str(folder / f"{digit}_{speaker}_{take}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(noise.tobytes())


def heart_beats(folder: Path) -> None:
    """Random crossings in the place of the QT database."""
    io = pytest.importorskip("scipy.io")
    draw = np.random.default_rng(0)
    for part, size in (("train", 300), ("test", 20)):
        x = (draw.random((size, 120, 4)) < 0.05).astype(np.int16)
        y = np.eye(6, dtype=np.uint8)[draw.integers(0, 6, (size, 120))]
        io.savemat(folder / f"QTDB_{part}.mat", {"x": x, "y": y})


def digits(folder: Path) -> None:
    """Patches of light in the place of MNIST, in idx files."""
    draw = np.random.default_rng(0)
    for part, size in (("train", 400), ("t10k", 40)):
        labels = np.arange(size, dtype=np.uint8) % 10
        images = np.zeros((size, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[8:20, 2 * label + 2 : 2 * label + 9] = draw.integers(100, 256, (12, 7))
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{part}-{name}-ubyte").write_bytes(head + array.tobytes())


def seen_digits(folder: Path) -> None:
    """Events along rows, one place for each digit, in the place of N-MNIST's cut."""
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(8, dtype=np.uint8), 60)
    events = 400
    rows = (4 * labels + 1)[:, None] + draw.integers(0, 3, (len(labels), events))
    polarity = draw.integers(0, 2, rows.shape)
    steps = draw.multinomial(299, np.full(events, 1 / events), len(labels))
    np.savez(
        folder / "nmnist_0to7_1ms.npz",
        dt=steps.astype(np.uint16).ravel(),
        addr=(1156 * polarity + 34 * rows + draw.integers(0, 34, rows.shape))
        .astype(np.uint16)
        .ravel(),
        offsets=np.arange(len(labels) + 1) * events,
        label=labels,
        is_test=np.arange(len(labels)) % 5 == 0,
    )


# what stands in for the files of a data set, by its kind: where they lie, and what writes them
STAND_INS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "fashion_mnist": ("fashion_mnist", digits),
    "fsdd": ("fsdd/recordings", spoken_digits),
    "mnist": ("mnist", digits),
    "nmnist": ("nmnist_0to7", seen_digits),
    "qtdb_ecg": ("qtdb_ecg", heart_beats),
}


def provide(data: DataSpec, root: Path) -> None:
    """Write files in the published format, small ones, where the data set needs files."""
    if data.ABOUT.files:
        assert data.kind in STAND_INS, f"write a stand-in for the files of {data.kind}"
        place, write = STAND_INS[data.kind]
        (root / place).mkdir(parents=True)
        write(root / place)


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


# a gradient that is cut where a spike only just reaches its threshold is no defect of a file
@pytest.mark.filterwarnings("ignore:spikes of:surgrad.timing.SpikeTimeWarning")
@pytest.mark.parametrize("name", FILES)
def test_runs_for_two_steps(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = schema.load(FILES[name], [("training.epochs", "1")])
    assert experiment.name == name
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("SURGRAD_DATA", str(tmp_path / "data"))
    provide(experiment.data, tmp_path / "data")
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


@pytest.mark.parametrize("name", FILES)
def test_the_commands_above_it_are_valid(name: str) -> None:
    lines = re.findall(r"^# +surgrad train (.*)", FILES[name].read_text(), re.M)
    for line in lines:
        first, *words = shlex.split(line, comments=True)
        keys = [word.removeprefix("--") for word in words[::2]]
        schema.load(first, list(zip(keys, words[1::2], strict=True)))
    assert any(line.split()[0] == name for line in lines)


def test_there_are_some() -> None:
    assert "digits" in FILES
