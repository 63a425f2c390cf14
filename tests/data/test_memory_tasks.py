"""Random patterns and precise spikes: tasks of memory, whose parts are the same by construction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from surgrad.data.pictures import draw
from surgrad.data.precise_spikes import PreciseSpikes, picture_spikes, spaced_spikes
from surgrad.data.random_patterns import RandomPatterns
from surgrad.errors import ArgumentError, FormatError, ShapeError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_random_patterns_are_those_of_the_tutorial():
    splits = RandomPatterns().load()
    spikes = splits.train.inputs
    assert spikes.shape == (200, 256, 100)
    # 5 Hz for 200 ms: one spike a unit and pattern on average
    assert abs(float(spikes.counts().mean()) - 1) < 5 / math.sqrt(25_600) + 0.01
    assert splits.train.targets.bincount().tolist() == [128, 128]
    assert splits.train is splits.validation is splits.test
    assert "memorise" in splits.info.note


def test_the_labels_of_random_patterns_mean_nothing():
    targets = RandomPatterns().load().train.targets
    # neither in turn nor in blocks
    assert 100 < int((targets[::2] == 0).sum() + (targets[1::2] == 1).sum()) < 156
    assert 40 < int((targets[:128] == 0).sum()) < 88


@pytest.mark.parametrize("spec", [RandomPatterns, PreciseSpikes])
def test_the_limit_holds_for_what_is_the_same(spec):
    options = {"patterns": 4} if spec is PreciseSpikes else {}
    splits = spec(limit=3, **options).load()
    assert len(splits.train) == len(splits.test) == 3


def test_spaced_spikes_keep_their_distance_and_use_every_place():
    train = spaced_spikes(4, batch=300, units=5, time=60, generator=seeded(), gap=10, lead=7)
    assert torch.equal(train.counts(), torch.full((300, 5), 4.0))
    times = train.to_dense().permute(1, 2, 0).nonzero()[:, 2].view(1500, 4)
    assert int(times.diff(dim=1).min()) == 10
    assert (int(times.min()), int(times.max())) == (7, 59)


def test_spaced_spikes_are_uniform_among_all_placements():
    # two spikes at distance two or more in four steps: 02, 03, 13, each a third
    train = spaced_spikes(2, batch=3000, units=1, time=4, generator=seeded(1), gap=2)
    patterns = (train.to_dense()[:, :, 0].T @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()
    counts = patterns.bincount(minlength=11)
    assert int(counts[[10, 9, 5]].sum()) == 3000
    assert ((counts[[10, 9, 5]] - 1000).abs() < 5 * math.sqrt(3000 * 2 / 9)).all()


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"gap": 0}, {"lead": -1}, {"count": 7}, {"lead": 8}, {"time": 0}]
)
def test_spikes_that_do_not_fit(wrong):
    options = {"count": 5, "gap": 2, "batch": 1, "units": 1, "time": 12, "lead": 0, **wrong}
    with pytest.raises(ArgumentError):
        spaced_spikes(options.pop("count"), generator=seeded(), **options)


def test_precise_spikes_have_targets_that_are_spikes():
    splits = PreciseSpikes(patterns=3, outputs=2, spikes=4).load()
    x, y = splits.train.__getitems__([2, 0])
    assert (x.shape, y.shape) == ((500, 2, 100), (500, 2, 2))
    assert torch.equal(y.counts(), torch.full((2, 2), 4.0))
    assert int(y.events()[0].min()) >= 20
    assert (splits.info.target, splits.info.outputs) == ("spikes", 2)
    assert not x.select([0]).equal(x.select([1]))


def test_a_picture_is_its_raster():
    picture = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.6, 0.5]])
    train = picture_spikes(picture, units=4, time=6)
    raster = train.to_dense()[:, 0].T.flip(0)
    assert torch.equal(
        raster, (picture > 0.5).float().repeat_interleave(2, 0).repeat_interleave(2, 1)
    )


def test_the_gap_thins_a_picture():
    train = picture_spikes(torch.ones(1, 1), units=2, time=10, gap=4)
    assert train.events()[0].tolist() == [0, 0, 4, 4, 8, 8]


@pytest.mark.parametrize("name", ["heart", "rings", "spiral"])
def test_the_built_in_pictures(name):
    ink = draw(name, 100)
    assert set(ink.unique().tolist()) == {0, 1}
    assert 0.2 < float(ink.mean()) < 0.7
    # none reaches the corners
    assert float(ink[[0, 0, -1, -1], [0, -1, 0, -1]].sum()) == 0


def test_the_shapes_of_the_pictures():
    heart = draw("heart", 100)
    assert torch.equal(heart, heart.flip(1))
    assert heart[10, 50] == 0
    assert heart[10, 25] == heart[90, 50] == 1
    rings = draw("rings", 100)
    assert torch.equal(rings, rings.T)
    assert rings[50, 50] == 0
    # one arm, which half a turn about the centre lays into its gaps
    spiral = draw("spiral", 100)
    axis = (torch.arange(100) + 0.5) / 50 - 1
    inside = torch.hypot(axis.unsqueeze(1), axis) < 1
    assert float((spiral + spiral.flip(0, 1))[inside].eq(1).double().mean()) > 0.95


def test_targets_from_pictures_and_files(tmp_path):
    spec = PreciseSpikes(picture="rings", outputs=50, time=200, gap=5e-3)
    targets = spec.load().train.targets
    assert targets.equal(picture_spikes(draw("rings"), units=50, time=200, gap=5))
    np.save(tmp_path / "p.npy", np.eye(4))
    spec = PreciseSpikes(picture=str(tmp_path / "p.npy"), outputs=4, time=4, gap=1e-3)
    assert torch.equal(spec.load().train.targets.to_dense()[:, 0], torch.eye(4).flip(1))


def test_pictures_that_are_none(tmp_path):
    with pytest.raises(FormatError, match="hart"):
        PreciseSpikes(picture="hart").load()
    (tmp_path / "p.npy").write_bytes(b"PNG")
    with pytest.raises(FormatError, match="heart, rings, spiral"):
        PreciseSpikes(picture=tmp_path / "p.npy").load()
    np.save(tmp_path / "p.npy", np.array(["a"]))
    with pytest.raises(FormatError):
        PreciseSpikes(picture=tmp_path / "p.npy").load()
    with pytest.raises(ShapeError, match="rows"):
        picture_spikes(torch.ones(3), units=2, time=2)
    with pytest.raises(ArgumentError, match="picture"):
        picture_spikes(torch.zeros(3, 3), units=2, time=2)
    with pytest.raises(ArgumentError, match="picture"):
        picture_spikes(torch.full((3, 3), 255.0), units=2, time=2)


@pytest.mark.parametrize(
    "wrong", [{"picture": "heart", "patterns": 2}, {"rate": -1.0}, {"gap": 0.0}, {"lead": -1.0}]
)
def test_wrong_options(wrong):
    with pytest.raises(ValidationError):
        PreciseSpikes(**wrong)


def test_random_patterns_refuse_negative_rates():
    with pytest.raises(ValidationError):
        RandomPatterns(rate=-5.0)
