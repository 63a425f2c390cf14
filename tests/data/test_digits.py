"""scikit-learn's digits, and the codes of their pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.datasets import load_digits

from surgrad.data.digits import Digits


def rebuilt(samples, t_max: float, dt: float) -> torch.Tensor:
    """The pixels that the spike times stand for, 0 where nothing fires."""
    dense = samples.inputs.to_dense()
    pixels = 1 - dense.argmax(0) * dt / t_max
    return torch.where(dense.sum(0) > 0, pixels, 0.0)


def test_the_parts_are_the_digits_of_scikit_learn():
    splits = Digits().load()
    pixels = torch.cat([rebuilt(part, 40e-3, 1e-3) for part in splits[:3]])
    labels = torch.cat([part.targets for part in splits[:3]])
    images, truth = load_digits(return_X_y=True)
    # 17 grey levels in 40 steps: a pixel is known to within half a level, and nothing is lost
    grey = torch.cat([labels.unsqueeze(1), (16 * pixels).round().long()], 1)
    expected = np.concatenate([truth[:, None], images.astype(int)], 1)
    assert sorted(grey.tolist()) == sorted(expected.tolist())


def test_every_part_has_the_classes_in_proportion():
    splits = Digits().load()
    whole = torch.cat([part.targets for part in splits[:3]]).bincount()
    for part, fraction in zip(splits[:3], (0.6, 0.2, 0.2), strict=True):
        assert ((part.targets.bincount() - fraction * whole).abs() <= 1).all()


def test_the_split_seed_draws_another_split():
    first, second = Digits().load(), Digits(split_seed=1).load()
    assert not first.test.inputs.equal(second.test.inputs)


def test_poisson_counts_follow_the_pixels():
    splits = Digits(encoding="poisson", time=200, max_rate=50.0).load()
    images = torch.from_numpy(load_digits().data).mean() / 16
    mean = float(splits.train.inputs.counts().mean())
    # 50 Hz for 0.2 s, less the few that fall into one step
    assert mean == pytest.approx(float(images) * 10, rel=0.04)


def test_the_window_scales_with_the_sample():
    assert int(Digits(time=30).load().train.inputs.events()[0].max()) <= 20


@pytest.mark.parametrize(
    "wrong", [{"t_max": 60e-3}, {"t_max": -1e-3}, {"max_rate": -1.0}, {"encoding": "x"}]
)
def test_wrong_options(wrong):
    with pytest.raises(ValidationError):
        Digits(**wrong)


def test_a_constant_current_is_the_ink_in_every_step():
    coded = Digits(encoding="constant", time=5).load()
    dense, labels = coded.test[3]
    assert dense.shape == (5, 1, 64) and coded.info.features == (64,) and len(labels) == 1
    assert torch.equal(dense, dense[:1].expand(5, 1, 64)) and 0 < dense.mean() < dense.max() <= 1
    # one row in memory, however long it lasts
    assert coded.train.inputs.stride(1) == 0
    once = Digits(encoding="constant", time=1).load().test[3][0]
    assert torch.equal(dense[0], once[0])
