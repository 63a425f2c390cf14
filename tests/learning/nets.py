"""Small networks that fire in every layer, and what their gradients are."""

from __future__ import annotations

import torch
from torch import nn

from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid

TIME, SIZE = 24, 5


def network(
    kind=CuBaLIF, *, hidden=1, read=LI, tail=(), bias=True, spike=None, width=6, **options
) -> Sequential:
    """`hidden` spiking layers of six neurons, a read-out of three units."""
    torch.manual_seed(2)
    modules, before = [], 4
    for _ in range(hidden):
        modules += [nn.Linear(before, width, bias=bias), kind(width, tau_mem=8e-3, **options)]
        before = width
    if read is not None:
        modules += [nn.Linear(before, 3, bias=bias), read(3, tau_mem=10e-3, learn=("tau_mem",))]
    net = Sequential(
        *modules,
        *tail,
        dt=1e-3,
        spike=spike or Surrogate(fast_sigmoid(5)),
        input_rate=300.0,
    )
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for module in net:
            if isinstance(module, nn.Linear):
                module.weight.mul_(3)
                if module.bias is not None:
                    module.bias.normal_(0.0, 0.1, generator=generator)
    return net.double()


def batch(ragged=True):
    generator = torch.Generator().manual_seed(3)
    inputs = (torch.rand(TIME, SIZE, 4, generator=generator) < 0.4).double()
    lengths = torch.tensor([TIME, TIME - 5, 3, TIME // 2, TIME])
    data = inputs, torch.tensor([0, 1, 2, 0, 1])
    return (*data, lengths) if ragged else data


def gradients(rule, net, data, objective):
    net.zero_grad()
    result = rule.gradients(net, data, objective)
    return result, {name: p.grad.clone() for name, p in net.named_parameters()}


def assert_equal(found, truth, tolerance=1e-12, names=None):
    """Equal to a share of the largest entry, where nothing is zero throughout."""
    for name in truth if names is None else names:
        scale = truth[name].abs().max()
        assert scale > 1e-7, f"{name}: the truth is zero, this comparison would pass vacuously"
        error = (found[name] - truth[name]).abs().max() / scale
        assert error < tolerance, f"{name}: {error:.1e}"


def cosine(found, truth):
    return float(torch.cosine_similarity(found.flatten(), truth.flatten(), 0))
