"""`surgrad data`: what is listed, fetched, shown and refused."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from surgrad.cli.raster import curve, raster
from surgrad.data import catalogue, download
from surgrad.data.digits import Digits
from surgrad.data.published.images import MNIST
from surgrad.data.published.nmnist import NMNIST
from surgrad.events import SpikeTrain

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, spec in (("mnist", MNIST), ("nmnist", NMNIST)):
        monkeypatch.setitem(catalogue.DATASETS, kind, spec)


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """Ten training pictures of each of two classes, one bright pixel each, and two of a test."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for part, count in (("train", 20), ("t10k", 2)):
        pixels = np.zeros((count, 28, 28), np.uint8)
        pixels[:, 3, 4] = 255
        for what, array in (("images-idx3", pixels), ("labels-idx1", np.arange(count) % 2)):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            contents = gzip.compress(head + array.astype(np.uint8).tobytes())
            (folder / f"{part}-{what}-ubyte.gz").write_bytes(contents)
    return folder


def row(text: str, name: str) -> list[str]:
    (line,) = (
        line for line in text.splitlines() if line.split()[: len(name.split())] == name.split()
    )
    return line.split()[len(name.split()) :]


def test_lists_every_data_set_and_what_is_there(
    run: Run, mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    code, out, _ = run("data", "ls")
    assert code == 0
    assert row(out, "digits")[-2:] == ["none", "needed"]
    assert row(out, "mnist")[-1] == "there" and row(out, "mnist")[-2] != "not"
    assert row(out, "nmnist")[-2:] == ["not", "there"]
    assert row(out, "nmnist")[-5:-2] == ["CC", "BY-SA", "4.0"]
    assert str(mnist.parent) in out
    (mnist / "t10k-images-idx3-ubyte.gz").unlink()
    assert row(run("data", "ls")[1], "mnist")[-2:] == ["not", "there"]


def test_get_says_what_needs_no_files(run: Run) -> None:
    code, out, err = run("data", "get", "digits")
    assert (code, out, err) == (0, "digits needs no files\n", "")


def test_get_checks_what_is_there(
    run: Run, tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (data_root / "nmnist_small").is_dir():
        pytest.skip("no nmnist_small in the data root")
    code, out, _ = run("data", "get", "nmnist", "--root", data_root)
    assert code == 0 and "small" in out and "whole as far as is known" in out
    assert "surgrad data get nmnist --form official" in out


def test_get_fetches_into_the_data_root(run: Run, tmp_path: Path, monkeypatch) -> None:
    asked: list[tuple] = []

    def fake(url, target, *, digest, progress):
        asked.append((url, digest))
        progress(target.name, 5, 10)
        target.write_bytes(b"")

    monkeypatch.setattr(download, "fetch", fake)
    code, out, _ = run("data", "get", "mnist")
    assert code == 0
    names = [f"{part}-ubyte.gz" for part in ("train-images-idx3", "t10k-labels-idx1")]
    assert all(f"fetched {tmp_path / 'data' / 'mnist' / name}" in out for name in names)
    assert len(asked) == 4 and all(digest.startswith("sha256:") for _, digest in asked)


def test_get_without_a_network_says_so(run: Run, tmp_path: Path, monkeypatch) -> None:
    def unreachable(*_, **__):
        raise download.DownloadError("address x", got="no connection", fix="connect to a network")

    monkeypatch.setattr(download, "fetch", unreachable)
    code, _, err = run("data", "get", "mnist")
    assert code == 2 and "connect to a network" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("get", "mnits"), ("mnits", "did you mean mnist")),
        (("show", "digit"), ("did you mean digits",)),
        (("get", "mnist", "--form", "tar"), ("tar", "official")),
        (("show", "mnist"), ("train-images-idx3-ubyte.gz", "surgrad data get mnist")),
        (("show", "digits", "--index", "9999"), ("9999", "0 to 1077")),
        (("show", "digits", "--index", "-1"), ("-1", "0 to 1077")),
        (("show", "digits", "--tme", "3"), ("tme", "time")),
        (("show", "digits", "--time", "none"), ("time", "none", "integer")),
        (("show", "digits", "--time"), ("time", "expected a value")),
        (("show", "digits", "stray"), ("stray", "--key value")),
        (("show", "digits", "--part", "all"), ("all",)),
        (("show", "digits", "--svg", "none/x.svg"), ("none", "folder")),
    ],
)
def test_refuses(run: Run, tokens: tuple[str, ...], words: tuple[str, ...]) -> None:
    code, _, err = run("data", *tokens)
    assert code == 2
    assert "Traceback" not in err and 0 < err.count("\n") < 24
    said = " ".join(err.replace("│", " ").split())
    assert all(word in said for word in words), said


def test_shows_the_numbers_and_a_sample(run: Run) -> None:
    code, out, _ = run("data", "show", "digits", "--part", "test", "--index", "4")
    assert code == 0
    assert row(out, "samples") == ["1078", "360", "359"]
    assert sum(int(row(out, f"class {digit}")[0]) for digit in range(10)) == 1078
    assert "64 units, 60 steps of 1 ms, 60 ms in all" in out
    splits = Digits().load()
    inputs, target = splits.test[4][:2]
    assert isinstance(inputs, SpikeTrain) and isinstance(target, torch.Tensor)
    assert f"test sample 4, class {int(target)}" in out
    assert f"{len(inputs.indices)} spikes of 64 units" in out
    rate = splits.train.inputs.density() / 1e-3  # pyright: ignore
    assert float(row(out, "rate of a unit, Hz")[0]) == pytest.approx(rate, rel=0.01)


def test_options_are_those_of_the_table(run: Run, mnist: Path) -> None:
    code, out, _ = run("data", "show", "mnist", "--limit", "8", "--time=30", "--t-max", "1e-2")
    assert code == 0
    assert row(out, "samples") == ["8", "2", "2"]
    assert row(out, "class 1") == [str(8 - int(row(out, "class 0")[0])), "1", "1"]
    assert "28 × 28 units, 30 steps of 1 ms" in out and "1 spikes of 784 units" in out


@pytest.mark.parametrize("name", ["digits", "mackey_glass"])
def test_draws_a_picture(run: Run, tmp_path: Path, name: str) -> None:
    code, out, _ = run("data", "show", name, "--svg", "sample.svg")
    assert code == 0 and "drawn into sample.svg" in out
    root = ElementTree.parse(tmp_path / "sample.svg").getroot()
    assert root.tag.endswith("svg")
    assert len(list(root.iter())) > 50


def test_dense_values_are_drawn_as_a_curve(run: Run) -> None:
    code, out, _ = run("data", "show", "mackey_glass")
    assert code == 0 and "█" in out and "▁" in out and "values a step" in out


def test_a_raster_has_a_dot_where_a_spike_is() -> None:
    train = SpikeTrain.from_events([0, 9, 9], [0, 7, 7], time=10, features=(8,))
    assert raster(train, plain=True)[0] == " " * 9 + ":"
    assert raster(train, plain=True)[7] == "." + " " * 9
    assert raster(train) == ["⠀⠀⠀⠀⠈", "⡀⠀⠀⠀⠀"]
    assert raster(train, columns=1, rows=1) == ["⡈"]


def test_a_raster_keeps_to_its_size() -> None:
    steps = torch.arange(1000)
    train = SpikeTrain.from_events(steps, steps, time=1000, features=(10, 100))
    lines = raster(train, columns=50, rows=10)
    assert [len(line) for line in lines] == [50] * 10
    # a diagonal lights every column and row
    assert all(line.strip("⠀") for line in lines)
    assert not any(ord(lines[y][x]) - 0x2800 for y in range(5) for x in range(20))
    empty = SpikeTrain.from_events([], [], time=1, features=(1,))
    assert raster(empty) == ["⠀"]


def test_a_curve_goes_from_the_lowest_to_the_highest_bar() -> None:
    assert curve(np.linspace(-3, 5, 800), columns=8) == "▁▂▃▄▅▆▇█"
    assert curve(np.full(5, 2.0)) == "▁" * 5
