"""Images in the official format, and what the codes make of them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from surgrad.data.published.images import MNIST, FashionMNIST
from surgrad.errors import ArgumentError
from tests.data.published.samples import labels, marks, spikes


def images(root: Path, kind: str = "mnist", *, packed: bool = True) -> None:
    """Two classes; image `i` has one pixel, number `i`, of value 255 - i."""
    folder = root / kind
    folder.mkdir()
    for part, first, count in (("train", 0, 40), ("t10k", 100, 10)):
        pixels = np.zeros((count, 28 * 28), np.uint8)
        number = np.arange(first, first + count)
        pixels[np.arange(count), number] = 255 - number
        for what, array in (
            ("images-idx3", pixels.reshape(count, 28, 28)),
            ("labels-idx1", (number % 2).astype(np.uint8)),
        ):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            contents = head + array.tobytes()
            name = f"{part}-{what}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(contents) if packed else contents)


@pytest.mark.parametrize(("spec", "packed"), [(MNIST, True), (FashionMNIST, False)])
def test_images(tmp_path: Path, spec: type[MNIST] | type[FashionMNIST], packed: bool) -> None:
    images(tmp_path, spec.model_fields["kind"].default, packed=packed)
    options = {"root": tmp_path, "time": 11, "t_max": 10e-3, "validation_fraction": 0.25}
    splits = spec.model_validate(options).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 10, 10)
    known = marks(splits.train) + marks(splits.validation)
    assert sorted(known) == list(range(40))
    assert marks(splits.test) == list(range(100, 110))
    for part in splits[:3]:
        number = torch.tensor(marks(part))
        assert torch.equal(labels(part), number % 2)
        x = (255 - number).double() / 255
        assert torch.equal(spikes(part).events()[0], (10 * (1 - x) + 1e-6).floor().long())
    assert torch.bincount(labels(splits.validation)).tolist() == [5, 5]
    info = splits.info
    assert info.features == (28, 28) and info.classes == info.outputs == 10 == len(info.labels)


def test_the_seed_of_the_split_moves_validation_and_nothing_else(tmp_path: Path) -> None:
    images(tmp_path)
    first, again, other = (MNIST(root=tmp_path, split_seed=seed).load() for seed in (0, 0, 1))
    assert marks(first.validation) == marks(again.validation) != marks(other.validation)
    assert spikes(first.test).equal(spikes(other.test))


def test_a_limit_takes_the_first_training_samples(tmp_path: Path) -> None:
    images(tmp_path)
    whole, few = (MNIST(root=tmp_path, limit=limit).load() for limit in (None, 7))
    assert marks(few.train) == marks(whole.train)[:7]
    assert marks(few.validation) == marks(whole.validation)
    assert len(few.test) == 10


def test_pixels_as_a_constant_current(tmp_path: Path) -> None:
    images(tmp_path)
    splits = MNIST(root=tmp_path, encoding="constant", time=3).load()
    assert splits.info.features == (28, 28) and splits.info.time == 3
    latency = spikes(MNIST(root=tmp_path).load().test)
    dense, _ = splits.test.__getitems__(list(range(10)))
    assert dense.shape == (3, 10, 28, 28) and torch.equal(dense[0], dense[2])
    # whatever is not black fires in the other code
    assert torch.equal(dense[0] > 0, latency.counts() > 0)


def test_other_codes_of_images(tmp_path: Path) -> None:
    images(tmp_path)
    log = MNIST(root=tmp_path, encoding="log_latency").load().test
    x = (255 - torch.tensor(marks(log))) / 255
    assert torch.equal(spikes(log).events()[0], (20 * torch.log(x / (x - 0.2))).floor().long())
    rate = {"root": tmp_path, "encoding": "poisson", "max_rate": 1000.0, "time": 2000, "dt": 1e-3}
    test = MNIST.model_validate(rate).load().test
    counts = spikes(test).counts().flatten(1)[range(10), range(100, 110)]
    # at most one spike a step: 1 - exp(-r dt) of 2000 steps
    expected = 2000 * (1 - torch.exp(-x))
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()
    assert spikes(test).equal(spikes(MNIST.model_validate(rate).load().test))


@pytest.mark.parametrize("fraction", [1.0, 1.5, 1e-4])
def test_refuses_a_validation_part_that_is_none(tmp_path: Path, fraction: float) -> None:
    images(tmp_path)
    with pytest.raises(ArgumentError):
        MNIST(root=tmp_path, validation_fraction=fraction).load()
