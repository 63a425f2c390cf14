"""The spiking Boltzmann machine against sums over all its states."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from surgrad.errors import ArgumentError, ShapeError
from surgrad.smoothing import SpikingRBM

VISIBLE, HIDDEN = 3, 2


def machine(**options: int) -> SpikingRBM:
    torch.manual_seed(3)
    net = SpikingRBM(VISIBLE, HIDDEN, **options)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, 0.0, 1.0)
    return net


def states(size: int) -> Tensor:
    return torch.tensor(list(product([0.0, 1.0], repeat=size)))


def joint(net: SpikingRBM) -> Tensor:
    """The probability of each pair of a visible and a hidden state."""
    v, h = states(VISIBLE), states(HIDDEN)
    energy = v @ net.weight.detach().t() @ h.t() + (v @ net.visible.detach())[:, None]
    return (energy + h @ net.hidden.detach()).flatten().softmax(0).view(len(v), len(h))


def test_the_states_sample_the_boltzmann_distribution() -> None:
    net, generator = machine(burn_in=40), torch.Generator().manual_seed(0)
    nothing = torch.zeros(VISIBLE, dtype=torch.bool)
    found = net.complete(torch.zeros(1000, VISIBLE), nothing, generator, steps=200).mean(0)
    expected = (joint(net).sum(1)[:, None] * states(VISIBLE)).sum(0)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


def test_the_free_energy_is_that_of_the_marginal() -> None:
    net = machine()
    found = (-net.free_energy(states(VISIBLE))).softmax(0).detach()
    torch.testing.assert_close(found, joint(net).sum(1))


def test_clamping_conditions_it() -> None:
    net, generator = machine(burn_in=40), torch.Generator().manual_seed(0)
    known = torch.tensor([True, False, False])
    data = torch.tensor([[1.0, 0.5, 0.5]]).expand(1500, -1)
    found = net.complete(data, known, generator, steps=200).mean(0)
    weight = joint(net).sum(1) * states(VISIBLE)[:, 0]
    expected = (weight[:, None] * states(VISIBLE)).sum(0) / weight.sum()
    torch.testing.assert_close(found, expected, atol=0.03, rtol=0)


def test_the_pairing_of_spikes_follows_the_gradient_of_the_likelihood() -> None:
    """⟨v hᵀ⟩ with the data clamped less that of the free machine, up to a positive factor."""
    net, generator = machine(burn_in=60, steps=200), torch.Generator().manual_seed(0)
    data = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]).repeat(400, 1)
    error = net.gradients(data, generator)
    v, h, p = states(VISIBLE), states(HIDDEN), joint(net)
    free = torch.einsum("ab,bh,av->hv", p, h, v)
    hidden = torch.sigmoid(data @ net.weight.detach().t() + net.hidden.detach())
    clamped = hidden.t() @ data / len(data)
    truth = -(clamped - free).flatten()
    found = torch.as_tensor(net.weight.grad).flatten()
    assert torch.nn.functional.cosine_similarity(found, truth, dim=0) > 0.97
    bias = -(data.mean(0) - (p.sum(1)[:, None] * v).sum(0))
    torch.testing.assert_close(torch.as_tensor(net.visible.grad), bias, atol=0.05, rtol=0)
    assert 0 < float(error) < 1


def test_it_learns_what_it_is_shown() -> None:
    torch.manual_seed(0)
    net, generator = SpikingRBM(8, 12), torch.Generator().manual_seed(0)
    patterns = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]])
    optimiser = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(60):
        optimiser.zero_grad()
        net.gradients(patterns.repeat(20, 1), generator)
        optimiser.step()
    known = torch.tensor([True] * 2 + [False] * 4 + [True] * 2)
    filled = net.complete(patterns.repeat(50, 1), known, generator)
    right = (filled.round() == patterns.repeat(50, 1)).float().mean()
    assert right > 0.9


def test_bad_input_is_refused() -> None:
    with pytest.raises(ArgumentError, match="hidden of SpikingRBM"):
        SpikingRBM(3, 0)
    with pytest.raises(ArgumentError, match="burn_in of SpikingRBM"):
        SpikingRBM(3, 2, burn_in=-1)
    with pytest.raises(ShapeError, match=r"\(batch, 3\)"):
        machine().gradients(torch.zeros(2, 4), torch.Generator())
