"""The readers on the published files themselves, where they are at hand."""

from __future__ import annotations

import hashlib
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from surgrad.data.checksums import forms
from surgrad.data.published.fsdd import FSDD
from surgrad.data.published.images import MNIST, FashionMNIST
from surgrad.data.published.nmnist import NMNIST
from surgrad.data.published.qtdb import QTDB
from surgrad.data.readers import (
    Recordings,
    read_bin,
    read_labelled_images,
    read_packed_0to7,
    read_packed_clips,
    read_packed_small,
    read_qtdb,
    read_wavs,
)
from surgrad.data.spec import DataSpec
from surgrad.events import SpikeTrain

MNIST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def needs(root: Path, name: str) -> Path:
    if not (root / name).exists():
        pytest.skip(f"no {name} in the data root")
    return root / name


@pytest.mark.parametrize(
    ("folder", "blob"),
    [
        # the name that git gives to the uncompressed file, as published
        ("mnist", None),
        ("fashion_mnist", "37bac79bc6f002d965f363e0b20514904504a4d9"),
    ],
)
def test_idx(data_root: Path, folder: str, blob: str | None) -> None:
    root = needs(data_root, folder)
    images, labels = read_labelled_images(
        root / "t10k-images-idx3-ubyte.gz", root / "t10k-labels-idx1-ubyte.gz", 10
    )
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == (MNIST_COUNTS if folder == "mnist" else [1000] * 10)
    file = bytes.fromhex("00000803 00002710 0000001c 0000001c") + images.tobytes()
    if blob:
        assert hashlib.sha1(b"blob %d\0" % len(file) + file).hexdigest() == blob
    else:
        assert hashlib.md5(file).hexdigest() == "2646ac647ad5339dbf082846283269ea"


def test_fsdd(data_root: Path, tmp_path: Path) -> None:
    """The packed clips, written as .wav files, are the published files byte for byte."""
    root = needs(data_root, "fsdd")
    clips = read_packed_clips(root / "fsdd.npz")
    assert len(clips) == 3000 and (clips.takes < 5).sum() == 300
    assert np.bincount(clips.labels).tolist() == [300] * 10
    speakers, counts = np.unique(clips.speakers, return_counts=True)
    assert speakers.tolist() == ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    assert counts.tolist() == [500] * 6
    lines = (root / "originals.sha256").read_text().splitlines()
    published = {name: digest for digest, name in (line.split() for line in lines)}
    chosen = list(range(0, 3000, 61))
    for index in chosen:
        name = f"{clips.labels[index]}_{clips.speakers[index]}_{clips.takes[index]}.wav"
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(clips.clip(index).astype("<i2").tobytes())
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == published[name]
    again = read_wavs(tmp_path)
    np.testing.assert_array_equal(
        again.audio, np.concatenate([clips.clip(index) for index in chosen])
    )


@pytest.mark.parametrize(("part", "samples"), [("train", 618), ("test", 141)])
def test_qtdb(data_root: Path, part: str, samples: int) -> None:
    train, labels = read_qtdb(needs(data_root, "qtdb_ecg") / f"QTDB_{part}.mat")
    assert train.shape == (1301, samples, 4)
    if part == "train":
        assert len(train.indices) == 66_336 + 54_313 + 69_749 + 58_374
        assert (labels == -1).float().mean().item() == pytest.approx(0.0818, abs=1e-4)
        assert torch.bincount(labels.flatten() + 1).tolist()[1:] == [
            *(100_530, 49_485, 46_503, 35_776, 242_792, 263_147),
        ]
    # waves follow each other as in a heart: P, PQ, QR, RS, ST, TP
    step = labels[:, 1:][(labels[:, 1:] != labels[:, :-1]) & (labels[:, :-1] >= 0)]
    before = labels[:, :-1][(labels[:, 1:] != labels[:, :-1]) & (labels[:, :-1] >= 0)]
    known = step >= 0
    assert ((before[known] + 1) % 6 == step[known]).float().mean() > 0.95


def test_nmnist_small(data_root: Path, tmp_path: Path) -> None:
    """The packed events, written in the official 40 bits, are the published files byte for byte."""
    root = needs(data_root, "nmnist_small")
    found, test = read_packed_small(root / "nmnist_small.npz")
    assert (len(found), test.sum()) == (1100, 100)
    assert np.bincount(found.labels[~test]).tolist() == [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
    lines = (root / "originals.sha256").read_text().splitlines()
    published = {name: digest for digest, name in (line.split() for line in lines)}
    for index in range(0, 1000, 101):
        own = slice(found.offsets[index], found.offsets[index + 1])
        t, x, y, p = (getattr(found, name)[own].astype(np.uint64) for name in "txyp")
        words = ((x << np.uint64(8) | y) << np.uint64(1) | p) << np.uint64(23) | t
        coded = words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 3:].tobytes()
        assert hashlib.sha256(coded).hexdigest() == published[f"{index + 1}.bs2"]
        path = tmp_path / "sample.bin"
        path.write_bytes(coded)
        for ours, theirs in zip(read_bin(path), (t, x, y, p), strict=True):
            np.testing.assert_array_equal(ours, theirs.astype(np.int64))


def test_nmnist_0to7(data_root: Path) -> None:
    """The cut was made from the same recordings: its events are events of the packed originals."""
    cut, test = read_packed_0to7(needs(data_root, "nmnist_0to7") / "nmnist_0to7_1ms.npz")
    assert np.bincount(cut.labels[test]).tolist() == [100] * 8
    assert np.bincount(cut.labels[~test]).tolist() == [400] * 8
    small, _ = read_packed_small(needs(data_root, "nmnist_small") / "nmnist_small.npz")
    index = np.load(data_root / "nmnist_0to7" / "nmnist_0to7_1ms.npz")["mnist_index"]
    both = np.flatnonzero(index < 1000)
    assert len(both) > 20
    np.testing.assert_array_equal(cut.labels[both], small.labels[index[both]])
    for sample in both[[0, len(both) // 2, -1]]:
        ours, step = events(cut, sample)
        raw, t = events(small, index[sample])
        assert 0.8 * len(raw) < len(ours) <= len(raw)
        wanted = Counter(zip(ours, step // 1000, strict=True))
        # the cut was denoised, and its clock begins at the first event that was left
        starts = t[: len(raw) - len(ours) + 1]
        assert any(wanted <= Counter(zip(raw, (t - t0) // 1000, strict=True)) for t0 in starts)


def events(found: Recordings, sample: int) -> tuple[list[int], np.ndarray]:
    """The addresses and times of one sample."""
    own = slice(found.offsets[sample], found.offsets[sample + 1])
    x, y, p, t = (getattr(found, name)[own].astype(np.int64) for name in "xypt")
    return (p * 1156 + y * 34 + x).tolist(), t


@pytest.mark.parametrize(
    "kind", ["mnist", "fashion_mnist", "fsdd", "qtdb_ecg", "nmnist", "yin_yang"]
)
def test_checksums(data_root: Path, kind: str) -> None:
    """What lies in the data root is what the table of sources says, or not there at all."""
    states = forms(kind, data_root, closely=True)
    assert set(states.values()) <= {"whole", "missing"}
    if set(states.values()) == {"missing"}:
        pytest.skip(f"no {kind} in the data root")


SIZES = [
    (NMNIST(source="small"), "nmnist_small", (899, 101, 100), None),
    (QTDB(), "qtdb_ecg", (556, 62, 141), None),
    (MNIST(limit=100), "mnist", (100, 6000, 10_000), MNIST_COUNTS),
    (FashionMNIST(limit=100), "fashion_mnist", (100, 6000, 10_000), [1000] * 10),
    (NMNIST(source="0to7"), "nmnist_0to7", (2880, 320, 800), [100] * 8),
    (FSDD(), "fsdd", (2400, 300, 300), [30] * 10),
    (FSDD(held_out_speaker="theo"), "fsdd", (2000, 500, 500), [50] * 10),
]


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "folder", "sizes", "balance"), SIZES)
def test_splits(
    data_root: Path,
    spec: DataSpec,
    folder: str,
    sizes: tuple[int, ...],
    balance: list[int] | None,
) -> None:
    needs(data_root, folder)
    splits = spec.model_copy(update={"root": data_root}).load()
    assert tuple(len(part) for part in splits[:3]) == sizes
    targets = splits.test.targets
    assert isinstance(targets, torch.Tensor)
    if balance:
        assert torch.bincount(targets).tolist() == balance
    inputs = splits.train.inputs
    assert isinstance(inputs, SpikeTrain)
    assert 1 < inputs.density() / splits.info.dt < 40
