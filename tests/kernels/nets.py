"""Whole networks on the engine beside the definition in float64."""

from __future__ import annotations

import torch

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.learning import BPTT
from surgrad.objectives import losses


def gradients(net, data, loss=losses.max_over_time):
    net.zero_grad()
    result = BPTT().gradients(net, data, loss)
    return result, [p.grad.clone() for p in net.parameters() if p.grad is not None]


def compare(net, data, tolerance=1e-3):
    inputs, targets = data
    wide = inputs if isinstance(inputs, SpikeTrain) else inputs.double()
    with kernels.reference():
        expected, truth = gradients(net.double(), (wide, targets))
    found, mine = gradients(net.float(), data)
    torch.testing.assert_close(found.output.double(), expected.output, rtol=1e-3, atol=1e-3)
    for a, b in zip(found.counts, expected.counts, strict=True):
        assert b.sum() > 0
        assert torch.equal(a.double(), b)
    for a, b in zip(mine, truth, strict=True):
        assert b.abs().max() > 0
        assert (a.double() - b).abs().max() < tolerance * b.abs().max()
