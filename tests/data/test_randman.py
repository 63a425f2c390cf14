"""Random manifolds: their formula, smoothness and dimension."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from surgrad.data.randman import Manifold, Randman
from surgrad.errors import ArgumentError


def manifold(embedding: int = 6, dim: int = 1, alpha: float = 2.0, seed: int = 0) -> Manifold:
    return Manifold(embedding, dim, alpha=alpha, generator=torch.Generator().manual_seed(seed))


def test_the_formula():
    surface = manifold(embedding=2, dim=3, alpha=1.5)
    theta = surface.parameters
    x = torch.tensor([0.3, 0.8, 0.55], dtype=torch.float64)
    value = 1.0
    for d in range(3):
        total = 0.0
        for k in range(theta.shape[-1]):
            a, f, p = (float(theta[j, 1, d, k]) for j in range(3))
            s = 1 / (k + 1) ** 1.5
            total += a * s * math.sin(2 * math.pi * (k * float(x[d]) * f + p))
        value *= total
    assert float(surface(x.unsqueeze(0))[0, 1]) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("alpha", "terms"), [(0.5, 1000), (1.0, 1000), (1.5, 100), (3.0, 10)])
def test_the_terms_that_the_precision_needs(alpha, terms):
    spectrum = manifold(alpha=alpha).spectrum
    assert len(spectrum) == terms
    assert float(spectrum[-1]) == pytest.approx(terms**-alpha)


def test_the_larger_alpha_the_smoother():
    grid = torch.linspace(0, 1, 1001).unsqueeze(1)

    def roughness(alpha: float) -> float:
        image = manifold(10, 1, alpha)(grid)
        return float((image.diff(dim=0).abs().sum(0) / (image.amax(0) - image.amin(0))).mean())

    # total variation over range: 1 for a monotonous curve
    values = [roughness(alpha) for alpha in (1.0, 1.5, 2.0, 3.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 20
    assert values[-1] < 4


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_dimension_is_the_rank_of_its_tangents(dim):
    surface = manifold(embedding=8, dim=dim, alpha=3.0, seed=1)
    x = torch.full((dim,), 0.37, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda p: surface(p.unsqueeze(0))[0], x)
    assert int(torch.linalg.matrix_rank(jacobian, rtol=1e-6)) == dim
    near = surface(x + 1e-4 * torch.randn(50, dim, dtype=torch.float64))
    spread = torch.linalg.svdvals(near - near.mean(0))
    assert float(spread[dim] / spread[dim - 1]) < 0.02


def test_samples_fill_the_window_and_classes_share_nothing():
    spec = Randman(classes=3, samples=200)
    splits = spec.load()
    assert [len(part) for part in splits[:3]] == [480, 60, 60]
    for part in splits[:3]:
        assert torch.equal(part.inputs.counts(), torch.ones(len(part), 20))
        assert part.targets.bincount(minlength=3).tolist() == [len(part) // 3] * 3
    times = torch.cat([part.inputs.to_dense().argmax(0) for part in splits[:3]])
    labels = torch.cat([part.targets for part in splits[:3]])
    for label in range(3):
        mine = times[labels == label]
        assert mine.amin(0).tolist() == [0] * 20
        # half of 100 steps
        assert mine.amax(0).tolist() == [49] * 20
    means = torch.stack([times[labels == label].double().mean(0) for label in range(3)])
    assert float(torch.pdist(means).min()) > 5


def test_a_nearest_neighbour_knows_the_class():
    splits = Randman(classes=4, samples=300, alpha=2.0).load()
    train, test = (
        part.inputs.to_dense().argmax(0).double() for part in (splits.train, splits.test)
    )
    nearest = torch.cdist(test, train).argmin(1)
    correct = splits.train.targets[nearest] == splits.test.targets
    assert float(correct.double().mean()) > 0.97


def test_several_spikes_a_unit():
    train = Randman(classes=2, samples=20, units=5, spikes=3).load().train.inputs
    assert train.features == (5,)
    assert torch.equal(train.counts(), torch.full((32, 5), 3.0))


def test_seeds_draw_other_manifolds():
    one, other = (Randman(classes=2, samples=20, split_seed=seed).load() for seed in (0, 1))
    assert not one.train.inputs.equal(other.train.inputs)


@pytest.mark.parametrize("wrong", [{"spread": 1.1}, {"samples": 9}, {"alpha": 0.0}, {"dim": 0}])
def test_wrong_options(wrong):
    with pytest.raises(ValidationError):
        Randman(**wrong)


def test_manifolds_that_are_none():
    for wrong in ({"embedding": 0}, {"dim": 0}, {"alpha": -1.0}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            manifold(**wrong)
