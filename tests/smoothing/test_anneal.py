"""Soft spikes that sharpen: their values, their place in a network, and their way through a run."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.smoothing import Annealed, sharpen
from surgrad.spikes import Soft, Surrogate
from surgrad.surrogates import fast_sigmoid, sigmoid, triangle
from surgrad.training import checkpoint, schema
from surgrad.training.build import build
from surgrad.training.loop import fit

V = torch.linspace(-1, 1, 41, dtype=torch.float64)


def net_of(spike: Annealed) -> Sequential:
    torch.manual_seed(0)
    neuron = CuBaLIF(6, tau_mem=20e-3, tau_syn=10e-3, detach_reset=False)
    net = Sequential(nn.Linear(3, 6), neuron, nn.Linear(6, 2), LI(2), dt=1e-3, spike=spike)
    return net.double()


def test_sharpness_grows_geometrically() -> None:
    spike = Annealed(sigmoid(2), final=50)
    for share, scale in ((0.0, 2.0), (0.5, 10.0), (1.0, 50.0)):
        spike.at(share)
        assert float(spike.sharpness) == pytest.approx(scale)
        torch.testing.assert_close(spike(V), Soft(sigmoid(scale))(V), rtol=1e-6, atol=1e-9)


def test_evaluation_has_spikes_unless_it_should_not() -> None:
    hard, soft = Annealed(triangle(3)).eval(), Annealed(triangle(3), harden=False).eval()
    assert torch.equal(hard(V), Surrogate()(V))
    assert torch.equal(soft(V), Soft(triangle(3))(V))
    with pytest.raises(ArgumentError, match="final"):
        Annealed(final=0.0)


def test_a_network_follows_mode_copy_and_file(tmp_path: Path) -> None:
    net = net_of(Annealed(fast_sigmoid(3), final=30))
    x = (torch.rand(20, 4, 3) < 0.4).double()
    other = copy.deepcopy(net)
    sharpen(net, 1.0)
    assert not torch.equal(net(x)[0], other(x)[0])
    checkpoint.save_weights(tmp_path / "w", net.state_dict())
    checkpoint.load_weights(tmp_path / "w", other)
    assert torch.equal(net(x)[0], other(x)[0])
    spiking = copy.deepcopy(net).eval()
    for neuron in spiking.neurons:
        if isinstance(neuron, CuBaLIF):
            del neuron.spike
            neuron.spike = Surrogate(fast_sigmoid(30))
    assert torch.equal(net.eval()(x)[0], spiking(x)[0])


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_its_gradient_is_that_of_finite_differences(share: float) -> None:
    net = net_of(Annealed(sigmoid(4), final=20))
    sharpen(net, share)
    x = (torch.rand(15, 2, 3, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    weight = net[0].get_parameter("weight")

    def loss(change: torch.Tensor) -> torch.Tensor:
        inputs = {"0.weight": weight.detach() + change}
        return torch.func.functional_call(net, inputs, (x,))[0].square().sum()

    zero = torch.zeros_like(weight).requires_grad_()
    assert torch.autograd.gradcheck(loss, zero, atol=1e-6, rtol=1e-6)


def test_a_run_ends_sharp(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "experiments" / "digits_annealed.toml"
    changes = [("training.epochs", "2"), ("data.limit", "128")]
    summary = fit(schema.load(path, changes), tmp_path / "run")
    run = build(schema.load(tmp_path / "run" / "config.toml"))
    checkpoint.load_weights(tmp_path / "run" / "weights.safetensors", run.net)
    (spike,) = {m for m in run.net.modules() if isinstance(m, Annealed)}
    assert float(spike.sharpness) == pytest.approx({1: 4.0, 2: 50.0}[summary.best_epoch])
