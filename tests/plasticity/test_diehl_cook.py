"""The competing layer against the same written step by step, and digits learned without labels."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surgrad.data.digits import Digits
from surgrad.data.encoders import poisson
from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.plasticity import Competition, DiehlCook, Votes
from surgrad.plasticity.taps import Taps

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


def by_hand_at_each_place(net, own, module, spikes, rate):
    """The definition for maps of neurons that share their weights, in plain torch."""
    W, raised = net.weight.clone(), net.raised.clone()
    maps, decay = W.shape[1], math.exp(-1e-3 / own.tau_pre)
    options = {"stride": module.stride, "padding": module.padding}
    counts = torch.zeros(0)
    for b in range(spikes.shape[1]):
        r, fired = torch.zeros_like(spikes[0, b]), torch.zeros(maps)
        shape = F.conv2d(r[None], W.T.view_as(module.weight), **options)[0].shape
        counts = counts if len(counts) else torch.zeros(spikes.shape[1], *shape)
        U, hold = torch.zeros(shape), torch.zeros(shape)
        for n in range(len(spikes)):
            s = spikes[n, b]
            U = U * math.exp(-1e-3 / own.tau_mem)
            U = U + F.conv2d(s[None], W.T.view_as(module.weight), **options)[0]
            r = r * decay
            r = r + s if own.pairing == "all" else torch.where(s > 0, 1.0, r)
            # what each place sees, and whether there is anything to see
            seen = F.unfold(r[None], module.kernel_size, **options)[0].view(len(W), *shape[1:])
            there = F.unfold(torch.ones_like(r)[None], module.kernel_size, **options)
            there = there[0].view(len(W), *shape[1:])
            free, hold = hold <= 0, (hold - 1).clamp(min=0)
            for y, x in itertools.product(range(shape[1]), range(shape[2])):
                above = (U[:, y, x] - own.threshold - raised).masked_fill(~free[:, y, x], -1.0)
                if above.max() <= 0:
                    continue
                i = int(above.argmax())
                counts[b, i, y, x] += 1
                U[:, y, x] = (U[:, y, x] - own.inhibition).clamp(min=own.lowest)
                U[i, y, x], hold[i, y, x], fired[i] = 0.0, round(own.refractory / 1e-3), 1
                raised[i] += own.raised
                step = (seen[:, y, x] - own.offset) * there[:, y, x]
                W[:, i] = (W[:, i] + rate * step).clamp(0, own.w_max)
        raised *= math.exp(-len(spikes) * 1e-3 / own.tau_raised)
        W = torch.where(fired > 0, W * (own.norm / W.sum(0)), W)
    return counts, W, raised


@pytest.mark.parametrize("pairing", ["all", "nearest"])
@pytest.mark.parametrize(
    "module",
    [nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(2, 4, (2, 3), stride=2)],
    ids=["pad", "by 2"],
)
def test_maps_compete_at_each_place_as_is_written(module, pairing):
    own = Competition(**{**OWN.__dict__, "pairing": pairing, "raised": 0.02})
    taps = Taps.of(module, (2, 5, 6))
    net = DiehlCook(2, 4, torch.Generator().manual_seed(0), own, taps)
    draw = torch.Generator().manual_seed(1)
    spikes = (torch.rand(30, 3, 2, 5, 6, generator=draw) < 0.1).float()
    counts, W, raised = by_hand_at_each_place(net, own, module, spikes, 0.05)
    assert counts.sum() > 20 and (counts.sum((0, 2, 3)) > 0).sum() > 2
    before = net.weight.clone()
    found = net.learn(SpikeTrain.from_dense(spikes), rate=0.05)
    assert torch.equal(found, counts)
    torch.testing.assert_close(net.weight, W, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.raised, raised, rtol=1e-4, atol=1e-5)
    assert not torch.equal(before, W)


def test_maps_find_bars_wherever_they_are():
    draw = torch.Generator().manual_seed(0)
    images = torch.zeros(600, 1, 8, 8)
    for k, place in enumerate(torch.randint(0, 8, (600,), generator=draw).tolist()):
        (images[k, 0, place] if k % 2 else images[k, 0, :, place]).fill_(1.0)
    taps = Taps.of(nn.Conv2d(1, 8, 3), (1, 8, 8))
    net = DiehlCook(1, 8, draw, Competition(threshold=4.0, norm=3.0, offset=0.2, raised=2e-3), taps)

    def lying():
        """How much more of each kernel's sum lies in a row than in a column."""
        kernels = net.weight.T.view(8, 3, 3)
        return kernels.sum(2).amax(1) - kernels.sum(1).amax(1)

    assert lying().abs().max() < 1.0
    net.learn(poisson(200.0 * images, time=50, dt=1e-3, generator=draw), rate=0.02)
    # the largest difference there can be, as weights are at most one
    assert lying().abs().min() > 1.9
    assert lying().min() < 0 < lying().max()


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
    draw = torch.Generator()
    taps = Taps.of(nn.Conv2d(3, 5, 1), (3, 2, 2))
    for net in (DiehlCook(12, 5, draw, OWN), DiehlCook(3, 5, draw, OWN, taps)):
        with pytest.raises(ShapeError, match=r"4 units.*12"):
            net(SpikeTrain.from_dense(torch.zeros(3, 1, 4)))
    for name, value in (("tau_mem", 0.0), ("pairing", "some"), ("bounds", "none")):
        with pytest.raises(ArgumentError, match=f"{name} of Competition"):
            Competition(**{name: value})
