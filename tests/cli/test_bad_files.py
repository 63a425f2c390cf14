"""Data files that are not what they should be: one screen, exit code 2, no run folder."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

Run = Callable[..., tuple[int, str, str]]
Spoil = Callable[[Path], None]

CONFIG = """\
name = "broken"
data = {{ kind = "{kind}" }}
[network]
layers = [{{ size = 4 }}]
[loss]
kind = "{loss}"
"""


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES, LABELS = np.full((20, 28, 28), 200, "u1"), np.arange(20, dtype="u1") % 10


def mnist(root: Path, images: bytes = idx(IMAGES), labels: bytes = idx(LABELS)) -> None:
    (root / "mnist").mkdir(parents=True)
    for part in ("train", "t10k"):
        (root / "mnist" / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (root / "mnist" / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def cut_gzip(root: Path) -> None:
    mnist(root)
    path = root / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])


def yin_yang(root: Path, value: float = 0.5) -> None:
    (root / "yin_yang").mkdir(parents=True)
    for part, count in (("train", 5000), ("validation", 1000), ("test", 1000)):
        points = np.full((count, 4), 0.5)
        points[3, 1] = value
        np.save(root / "yin_yang" / f"{part}_samples.npy", points)
        np.save(root / "yin_yang" / f"{part}_labels.npy", np.zeros(count, np.int64))


def half_an_array(root: Path) -> None:
    yin_yang(root)
    (root / "yin_yang" / "train_samples.npy").write_bytes(b"\x93NUMPY")


def shd(
    root: Path,
    times: list[float],
    units: list[int],
    labels: list[int] | None = None,
    leave_out: str = "",
) -> None:
    (root / "shd").mkdir(parents=True)
    for part in ("train", "test"):
        with h5py.File(root / "shd" / f"shd_{part}.h5", "w") as file:
            for name, row, kind in (("times", times, "f8"), ("units", units, "u2")):
                if name != leave_out:
                    dtype = h5py.vlen_dtype(np.dtype(kind))
                    ragged = file.create_dataset(f"spikes/{name}", (1,), dtype=dtype)
                    ragged[0] = np.array(row, kind)
            file["labels"] = np.array(labels or [0])
            file["extra/speaker"] = np.array([1], "u2")
            file["extra/keys"] = [b"word"] * 20


def no_hdf5(root: Path) -> None:
    (root / "shd").mkdir(parents=True)
    (root / "shd" / "shd_train.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(40))


def nmnist(root: Path, events: bytes) -> None:
    for part in ("Train", "Test"):
        for digit in range(10):
            folder = root / "nmnist" / part / str(digit)
            folder.mkdir(parents=True)
            (folder / "00001.bin").write_bytes(events)


def event(x: int, y: int, t: int) -> bytes:
    return ((x << 8 | y) << 24 | t).to_bytes(5, "big")


def fsdd(root: Path, content: bytes, name: str = "1_theo_3.wav") -> None:
    (root / "fsdd" / "recordings").mkdir(parents=True)
    (root / "fsdd" / "recordings" / name).write_bytes(content)


def wav(rate: int, samples: int, told: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 2 * told)
    return b"RIFF" + struct.pack("<I", len(chunks) + 2 * told) + chunks + bytes(2 * samples)


def qtdb(root: Path, **arrays: np.ndarray) -> None:
    (root / "qtdb_ecg").mkdir(parents=True)
    for part in ("train", "test"):
        scipy.io.savemat(root / "qtdb_ecg" / f"QTDB_{part}.mat", arrays)


def beats(value: int = 1) -> np.ndarray:
    x = np.zeros((4, 5, 4), np.int16)
    x[0, 0, 0] = value
    return x


# the data set, what is done to its files, the cause and the fix or what was expected
FILES: dict[str, tuple[str, Spoil, str, str]] = {
    "nothing there": ("mnist", lambda _: None, "no file", "`surgrad data get mnist`"),
    "cut gzip": ("mnist", cut_gzip, "damaged gzip", "train-images-idx3-ubyte.gz"),
    "an empty file": ("mnist", lambda r: mnist(r, b""), "got an empty file", "again"),
    "the wrong magic": (
        "mnist",
        lambda r: mnist(r, b"\x89PNG" + bytes(90)),
        "got magic 89 50 4e 47",
        "this is no idx file",
    ),
    "fewer pixels than promised": (
        "mnist",
        lambda r: mnist(r, idx(IMAGES)[:-1]),
        "15695 bytes (truncated)",
        "15696 for shape (20, 28, 28)",
    ),
    "half a header": ("mnist", lambda r: mnist(r, idx(IMAGES)[:9]), "truncated", "a header of 16"),
    "labels for images": (
        "mnist",
        lambda r: mnist(r, idx(LABELS), idx(LABELS)),
        "shape (20,)",
        "check that images and labels are not swapped",
    ),
    "fewer labels than images": (
        "mnist",
        lambda r: mnist(r, labels=idx(LABELS[:7])),
        "20 images and 7 labels",
        "one label an image",
    ),
    "a label that is no digit": (
        "mnist",
        lambda r: mnist(r, labels=idx(LABELS + 7)),
        "labels of",
        "whole numbers in [0, 10)",
    ),
    "half an array": ("yin_yang", half_an_array, "train_samples.npy", "an array in npy format"),
    "a coordinate that is no number": (
        "yin_yang",
        lambda r: yin_yang(r, float("nan")),
        "train_samples.npy",
        "coordinates in [0, 1]",
    ),
    "a coordinate outside": (
        "yin_yang",
        lambda r: yin_yang(r, -0.2),
        "train_samples.npy",
        "coordinates in [0, 1]",
    ),
    "no HDF5": ("shd", no_hdf5, "shd_train.h5", "a whole HDF5 file"),
    "no spike times": (
        "shd",
        lambda r: shd(r, [0.1], [3], leave_out="times"),
        "no list spikes/times",
        "this is no file of SHD or SSC",
    ),
    "a time that is no number": (
        "shd",
        lambda r: shd(r, [0.1, float("nan")], [3, 4]),
        "unit 4 at nan s",
        "finite seconds of 0 or more",
    ),
    "a time before the start": (
        "shd",
        lambda r: shd(r, [-0.1], [3]),
        "-0.1 s",
        "finite seconds of 0 or more",
    ),
    "a channel too many": (
        "shd",
        lambda r: shd(r, [0.1], [700]),
        "got unit 700",
        "units in [0, 700)",
    ),
    "more times than channels": (
        "shd",
        lambda r: shd(r, [0.1, 0.2], [3]),
        "2 times and 1 units",
        "one unit a time",
    ),
    "a label too many": (
        "shd",
        lambda r: shd(r, [0.1], [3], [20]),
        "labels of",
        "whole numbers in [0, 20)",
    ),
    "half an event": (
        "nmnist",
        lambda r: nmnist(r, event(1, 1, 5) + b"\x00"),
        "6 bytes (truncated)",
        "five bytes an event",
    ),
    "events out of order": (
        "nmnist",
        lambda r: nmnist(r, event(1, 1, 900) + event(1, 1, 20)),
        "20 µs after 900 µs",
        "unsorted = 'sort'",
    ),
    "a pixel outside": ("nmnist", lambda r: nmnist(r, event(34, 1, 5)), "x = 34", "34 × 34"),
    "a sound at another rate": (
        "fsdd",
        lambda r: fsdd(r, wav(44100, 50, 50)),
        "44100 Hz",
        "1 channel, 16 bit, 8000 Hz",
    ),
    "half a sound": ("fsdd", lambda r: fsdd(r, wav(8000, 20, 50)), "20 of 50", "truncated"),
    "a sound that is text": (
        "fsdd",
        lambda r: fsdd(r, b"hello"),
        "1_theo_3.wav",
        "a PCM .wav file",
    ),
    "a sound without a speaker": (
        "fsdd",
        lambda r: fsdd(r, wav(8000, 20, 20), "one.wav"),
        "got this name",
        "{digit}_{speaker}_{take}.wav",
    ),
    "no heart": ("qtdb_ecg", lambda r: qtdb(r, z=beats()), "x of", "an array (samples, time, ·)"),
    "a heart that crosses twice": (
        "qtdb_ecg",
        lambda r: qtdb(r, x=beats(2), y=np.zeros((4, 5, 6))),
        "got 2",
        "entries of -1, 0 and 1",
    ),
    "steps of two waves": (
        "qtdb_ecg",
        lambda r: qtdb(r, x=beats(), y=np.ones((4, 5, 6))),
        "more than one label",
        "one-hot",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_file(what: str, run: Run, tmp_path: Path) -> None:
    kind, spoil, cause, fix = FILES[what]
    spoil(tmp_path / "data")
    loss = "every_step" if kind == "qtdb_ecg" else "max_over_time"
    (tmp_path / "broken.toml").write_text(CONFIG.format(kind=kind, loss=loss))
    options = ["--data.source", "authors"] if kind == "yin_yang" else []
    code, out, err = run("train", "broken.toml", *options)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    lines = err.strip().splitlines()
    assert len(lines) <= 24
    # paths may be broken anywhere
    text, packed = " ".join(err.split()), "".join(err.split())
    for part in (cause, fix):
        assert part in text or part.replace(" ", "") in packed, text
    assert not (tmp_path / "runs").exists()
