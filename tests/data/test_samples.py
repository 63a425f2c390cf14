"""Samples: what a batch holds, whatever the inputs and targets."""

from __future__ import annotations

import pickle

import pytest
import torch

from surgrad.data.base import Info, Samples
from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain


def spikes(batch: int = 6, time: int = 7, units: int = 3, lengths=None) -> SpikeTrain:
    generator = torch.Generator().manual_seed(batch)
    dense = torch.randint(0, 3, (time, batch, units), generator=generator).float()
    return SpikeTrain.from_dense(dense, lengths)


def parts_equal(a, b) -> bool:
    return a.equal(b) if isinstance(a, SpikeTrain) else torch.equal(a, b)


TARGETS = {
    "class": torch.arange(6),
    "step_class": torch.arange(42).view(6, 7) % 4 - 1,
    "values": torch.arange(84.0).view(6, 7, 2),
    "spikes": spikes(units=2),
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("dense", [False, True])
def test_a_batch_holds_the_chosen_samples(kind, dense):
    inputs = spikes()
    targets = TARGETS[kind]
    full = inputs.to_dense()
    samples = Samples(full.transpose(0, 1).contiguous() if dense else inputs, targets)
    x, y = samples.__getitems__([4, 0, 4])
    assert torch.equal(x if dense else x.to_dense(), full[:, [4, 0, 4]])
    if kind == "class":
        assert y.tolist() == [4, 0, 4]
    elif kind == "spikes":
        assert torch.equal(y.to_dense(), targets.to_dense()[:, [4, 0, 4]])
    else:
        assert torch.equal(y[:, 1], targets[0])
        assert torch.equal(y[:, 2], targets[4])


@pytest.mark.parametrize("kind", TARGETS)
def test_one_by_one_equals_the_batch(kind):
    lengths = torch.tensor([7, 3, 1, 4, 4, 2])
    samples = Samples(spikes(lengths=lengths), TARGETS[kind])
    x, y = samples.__getitems__([1, 3, 5])
    ones = [samples[i] for i in (1, 3, 5)]
    assert SpikeTrain.cat([one[0] for one in ones]).equal(x)
    for column, (_, target) in enumerate(ones):
        steps = int(x.lengths[column])
        if kind == "class":
            assert target.tolist() == [y[column].item()]
        elif kind == "spikes":
            assert torch.equal(target.to_dense()[:, 0], y.to_dense()[:steps, column])
        else:
            assert torch.equal(target[:, 0], y[:steps, column])


def test_a_batch_lasts_as_long_as_its_longest_sample():
    lengths = torch.tensor([7, 3, 1, 4, 4, 2])
    samples = Samples(spikes(lengths=lengths), TARGETS["values"])
    x, y = samples.__getitems__([2, 3])
    assert (x.time, len(y), x.lengths.tolist()) == (4, 4, [1, 4])


def test_dense_inputs_bring_their_lengths_third():
    inputs = torch.rand(6, 7, 3)
    samples = Samples(inputs, torch.arange(6), torch.tensor([7, 3, 1, 4, 4, 2]))
    x, _, lengths = samples.__getitems__([5, 1])
    assert x.shape == (3, 2, 3)
    assert lengths.tolist() == [2, 3]


def test_a_subset_is_samples_of_its_own():
    samples = Samples(spikes(), TARGETS["class"])
    part = samples.subset([5, 2])
    assert len(part) == 2
    assert parts_equal(part[0][0], samples[5][0])
    assert part[1][1].item() == 2
    assert part.subset([1])[0][1].item() == 2


def test_negative_indices_count_from_the_end_and_others_end_the_iteration():
    samples = Samples(spikes(), TARGETS["class"])
    assert samples[-1][1].item() == 5
    with pytest.raises(IndexError):
        samples[6]
    assert len(list(samples)) == 6


def test_pickle():
    samples = Samples(spikes(), TARGETS["values"])
    copy = pickle.loads(pickle.dumps(samples))
    assert parts_equal(copy[3][0], samples[3][0])
    assert torch.equal(copy[3][1], samples[3][1])


@pytest.mark.parametrize(
    ("inputs", "targets", "lengths", "error"),
    [
        (torch.rand(6, 7), torch.arange(6), None, ShapeError),
        (torch.full((6, 7, 1), torch.nan), torch.arange(6), None, ArgumentError),
        (torch.rand(6, 7, 1), torch.arange(5), None, ShapeError),
        (torch.rand(6, 7, 1), torch.arange(6) - 1, None, ArgumentError),
        (torch.rand(6, 7, 1), torch.zeros(6, 7).long() - 2, None, ArgumentError),
        (torch.rand(6, 7, 1), torch.zeros(6, 8).long(), None, ShapeError),
        (torch.rand(6, 7, 1), torch.rand(6), None, ShapeError),
        (torch.rand(6, 7, 1), torch.rand(6, 8, 1), None, ShapeError),
        (torch.rand(6, 7, 1), torch.full((6, 7, 1), torch.inf), None, ArgumentError),
        (torch.rand(6, 7, 1), torch.arange(6), torch.full((6,), 8), ShapeError),
        (torch.rand(6, 7, 1), torch.arange(6), torch.ones(5).long(), ShapeError),
        (spikes(), spikes(time=8), None, ShapeError),
        (spikes(), spikes(batch=5), None, ShapeError),
        (spikes(), torch.arange(6), torch.full((6,), 7), ArgumentError),
    ],
)
def test_what_does_not_fit_is_refused(inputs, targets, lengths, error):
    with pytest.raises(error):
        Samples(inputs, targets, lengths)


def test_info_knows_the_size_of_the_read_out():
    common = {
        "name": "x", "features": (1,), "time": 1, "dt": 1e-3, "source": "", "licence": "",
    }  # fmt: skip
    info = Info(classes=3, labels=("a", "b", "c"), target="class", **common)
    assert info.outputs == 3
    with pytest.raises(ArgumentError, match="labels"):
        Info(classes=3, labels=("a", "b"), target="class", **common)
    with pytest.raises(ArgumentError, match="outputs"):
        Info(classes=None, labels=(), target="values", **common)
