"""The competing layer against the same written step by step, and digits learned without labels."""

from __future__ import annotations

import math

import pytest
import torch

from surgrad.data.digits import Digits
from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.plasticity import Competition, DiehlCook, Votes

OWN = Competition(
    threshold=1.0, raised=0.2, tau_raised=1.0, inhibition=0.8, lowest=-0.5, refractory=2e-3,
    tau_mem=20e-3, tau_pre=10e-3, norm=3.0, w_max=0.9, offset=0.1,
)  # fmt: skip


def by_hand(net, own, spikes, rate):
    """The definition, in plain torch."""
    W, raised = net.weight.clone(), net.raised.clone()
    counts = torch.zeros(spikes.shape[1], W.shape[1])
    for b in range(spikes.shape[1]):
        U, hold, fired = (torch.zeros(W.shape[1]) for _ in range(3))
        r = torch.zeros(W.shape[0])
        for n in range(len(spikes)):
            s = spikes[n, b]
            U = U * math.exp(-1e-3 / own.tau_mem) + s @ W
            r = r * math.exp(-1e-3 / own.tau_pre)
            r = r + s if own.pairing == "all" else torch.where(s > 0, 1.0, r)
            above = (U - own.threshold - raised).masked_fill(hold > 0, -1.0)
            hold = (hold - 1).clamp(min=0)
            if above.max() <= 0:
                continue
            i = int(above.argmax())
            counts[b, i] += 1
            U = (U - own.inhibition).clamp(min=own.lowest)
            U[i], hold[i], fired[i] = 0.0, round(own.refractory / 1e-3), 1
            raised[i] += own.raised
            step = r - own.offset
            if own.bounds == "soft":
                step = torch.where(step > 0, step * (own.w_max - W[:, i]), step * W[:, i])
            W[:, i] = (W[:, i] + rate * step).clamp(0, own.w_max)
        raised *= math.exp(-len(spikes) * 1e-3 / own.tau_raised)
        W = torch.where(fired > 0, W * (own.norm / W.sum(0)), W)
    return counts, W, raised


@pytest.mark.parametrize("pairing", ["all", "nearest"])
@pytest.mark.parametrize("bounds", ["hard", "soft"])
def test_it_does_what_is_written(pairing, bounds):
    own = Competition(**{**OWN.__dict__, "pairing": pairing, "bounds": bounds})
    net = DiehlCook(12, 5, torch.Generator().manual_seed(0), own)
    spikes = (torch.rand(40, 6, 12, generator=torch.Generator().manual_seed(1)) < 0.1).float()
    counts, W, raised = by_hand(net, own, spikes, 0.05)
    assert counts.sum() > 20 and (counts.sum(0) > 0).sum() > 2
    before = net.weight.clone()
    found = net.learn(SpikeTrain.from_dense(spikes), rate=0.05)
    assert torch.equal(found, counts)
    torch.testing.assert_close(net.weight, W)
    torch.testing.assert_close(net.raised, raised)
    assert not torch.equal(before, W)


def test_without_learning_nothing_changes():
    net = DiehlCook(12, 5, torch.Generator().manual_seed(0), OWN)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    spikes = SpikeTrain.from_dense((torch.rand(40, 6, 12) < 0.2).float())
    assert torch.equal(net(spikes), net(spikes)) and net(spikes).sum() > 0
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_digits_without_labels():
    pytest.importorskip("sklearn")
    splits = Digits(encoding="poisson", time=100, max_rate=100.0).load()
    draw = torch.Generator().manual_seed(0)
    net = DiehlCook(64, 100, draw, Competition(threshold=4.0, norm=16.0))
    for rate in (0.1, 0.03, 0.01):
        net.learn(splits.train.inputs, rate=rate)
    votes = Votes.of(net(splits.train.inputs), splits.train.targets, 10)
    counts = net(splits.test.inputs)
    for weighted in (False, True):
        said = votes.predict(counts, weighted=weighted)
        assert (said == splits.test.targets).float().mean() > 0.8


def test_mistakes_are_named():
    net = DiehlCook(12, 5, torch.Generator(), OWN)
    with pytest.raises(ShapeError, match="4 units"):
        net(SpikeTrain.from_dense(torch.zeros(3, 1, 4)))
    for name, value in (("tau_mem", 0.0), ("pairing", "some"), ("bounds", "none")):
        with pytest.raises(ArgumentError, match=f"{name} of Competition"):
            Competition(**{name: value})
