"""Gated synapses: smooth while the gate is wide, spikes as it narrows."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from surgrad.errors import ArgumentError
from surgrad.network import Record, Sequential
from surgrad.neurons import IF, LI, LIF
from surgrad.smoothing import GatedLIF

F64 = torch.float64


def current(steps: int = 60, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.5 * torch.randn(steps, 3, 4, generator=generator, dtype=F64) + 0.12


def gated(width: float, tau: float = 20e-3, **options) -> GatedLIF:
    return GatedLIF(4, tau_mem=tau, width=width, dt=1e-3, **options)


def test_a_narrow_gate_spikes_like_a_lif() -> None:
    """In the same steps but for the one step that the scan takes to subtract."""
    spikes, _, _ = LIF(4, tau_mem=20e-3, dt=1e-3).run(current())
    narrow, _ = gated(1e-6)(current())
    hard, _ = gated(0.9).eval()(current())
    torch.testing.assert_close(narrow, hard, atol=1e-9, rtol=0)
    assert hard.sum() > 20
    first = (spikes > 0).double().argmax(0)
    assert torch.equal((hard > 0).double().argmax(0), first)
    # without a leak it does not matter when the threshold is taken away
    perfect = IF(4, dt=1e-3)(current())[0].sum(0)
    drained = gated(0.5, tau=9.9).eval()(current())[0].sum(0)
    assert (perfect - drained).abs().max() <= 1


@pytest.mark.parametrize("width", [1.0, 0.5, 0.1])
def test_what_is_emitted_adds_up_to_spikes(width: float) -> None:
    """And to the part of the gate that the membrane has climbed since."""
    neuron = gated(width)
    soft, state = neuron(current())
    hard, _ = gated(width).eval()(current())
    torch.testing.assert_close(soft.sum(0), hard.sum(0) + neuron.gate(state.x[0]))
    assert (soft != hard).any()


def test_it_approaches_spikes_as_the_gate_narrows() -> None:
    hard, _ = gated(0.5).eval()(current(400))
    errors = [(gated(w)(current(400))[0] - hard).abs().mean() for w in (1.0, 0.3, 0.1, 0.03, 0.01)]
    assert all(b < 0.6 * a for a, b in pairwise(errors)), errors


def net_of(width: float, tau: float) -> Sequential:
    torch.manual_seed(1)
    neuron = GatedLIF(5, tau_mem=tau, width=width, recurrent=True, learn=("tau_mem",))
    net = Sequential(nn.Linear(3, 5), neuron, nn.Linear(5, 2), LI(2), dt=1e-3).double()
    nn.init.normal_(net[0].get_parameter("weight"), 0.15, 0.1)
    return net


@pytest.mark.parametrize(("width", "tau"), [(1.0, 9.0), (0.4, 20e-3)])
def test_gradients_are_finite_differences(width: float, tau: float) -> None:
    net = net_of(width, tau)
    x = (torch.rand(40, 2, 3, generator=torch.Generator().manual_seed(2)) < 0.4).double()
    names = [name for name, _ in net.named_parameters()]

    def loss(*values: Tensor) -> Tensor:
        record = Record("counts")
        out = torch.func.functional_call(
            net, dict(zip(names, values, strict=True)), (x,), {"record": record}
        )[0]
        assert record[0]["counts"].sum() > 5
        return out.square().mean()

    values = [p.detach().clone().requires_grad_() for p in net.parameters()]
    assert torch.autograd.gradcheck(loss, values, atol=1e-6, rtol=1e-5)


def test_without_a_leak_a_spike_that_appears_is_no_jump() -> None:
    """Along a line of weights the soft loss has no step where the spiking one has many.

    All weights onto the first layer grow alike, which is what a constant input does that grows.
    """
    grown = torch.linspace(1, 1.07, 401, dtype=F64)[None, :, None].expand(30, -1, 3)

    def along(net: Sequential) -> Tensor:
        with torch.no_grad():
            return net(grown)[0].mean((0, 2)).diff().abs()

    net = net_of(0.8, 9.9)
    soft, hard = along(net), along(net.eval())
    assert hard.max() > 10 * soft.max()


def test_pieces_and_lengths() -> None:
    neuron, x = gated(0.5, recurrent=True).double(), current()
    whole, end = neuron(x)
    one, state = neuron(x[:25])
    two, after = neuron(x[25:], state)
    torch.testing.assert_close(torch.cat([one, two]), whole)
    torch.testing.assert_close(after.x, end.x)
    short, kept = neuron(x, lengths=torch.tensor([60, 25, 0]))
    torch.testing.assert_close(short[:25, 1], whole[:25, 1])
    assert not short[25:, 1].any() and not short[:, 2].any()
    torch.testing.assert_close(kept.x[:, 1], state.x[:, 1])


def test_bad_input_is_refused() -> None:
    for wrong in ({"width": 0.0}, {"width": 1.5}, {"reset": "zero"}, {"refractory": 1e-3}):
        with pytest.raises(ArgumentError, match="GatedLIF"):
            GatedLIF(3, **wrong)  # pyright: ignore[reportArgumentType]
