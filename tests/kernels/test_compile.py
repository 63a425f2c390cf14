"""Whole networks behind `torch.compile`: the numbers are those without it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.spikes import Soft, SpikeFunction, Surrogate
from surgrad.surrogates import TABLE


@pytest.fixture(autouse=True)
def fresh():
    yield
    torch._dynamo.reset()


def network(spike: SpikeFunction | None = None) -> Sequential:
    torch.manual_seed(0)
    modules = [nn.Linear(30, 40), CuBaLIF(40, recurrent=True, learn=("tau_mem",)),
               nn.Linear(40, 24), CuBaLIF(24), nn.Linear(24, 5), LI(5), nn.Softplus()]  # fmt: skip
    return Sequential(*modules, dt=1e-3, input_rate=10.0, spike=spike)


def spikes(seed: int = 0, density: float = 0.09) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(40, 6, 30, generator=generator) < density).float()


def train(seed: int = 0) -> SpikeTrain:
    return SpikeTrain.from_dense(spikes(seed))


def equal(run, net, inputs, **options) -> None:
    found = []
    for function in (run, net):
        out, state = function(inputs, **options)
        value = out.square().sum() + state[0].x.sum()
        found.append([out, *torch.autograd.grad(value, list(net.parameters()))])
    for mine, true in zip(*found, strict=True):
        assert true.abs().max() > 0
        # sums over neurons that share a constant may be made in another order
        assert (mine - true).abs().max() <= 1e-5 * true.abs().max()


@pytest.mark.parametrize(
    ("spike", "made"),
    [(Surrogate(TABLE["triangle"](3.0)), train), (Soft(TABLE["sigmoid"](3.0)), spikes)],
)
def test_the_graph_of_a_network_is_whole(spike, made):
    net = network(spike)
    run = torch.compile(net, backend="aot_eager", fullgraph=True)
    for seed in range(2):
        equal(run, net, made(seed))
    # what the compiler has seen is not what it will always be
    with torch.no_grad():
        net[1].get_parameter("tau_mem.raw").sub_(0.5)
        net[3].get_buffer("tau_mem.fixed").mul_(0.5)
    equal(run, net, made(0))


def test_states_and_lengths():
    net, whole = network(), spikes()
    run = torch.compile(net, backend="aot_eager", fullgraph=True)
    _, state = net(whole)
    equal(run, net, whole, state=tuple(part.detach() for part in state))
    equal(run, net, whole, lengths=torch.tensor([40, 0, 1, 17, 39, 25]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_default_compiler():
    net = network()
    run = torch.compile(net, fullgraph=True)
    out, true = run(spikes())[0], net(spikes())[0]
    torch.testing.assert_close(out, true)
    found = [torch.autograd.grad(x.square().sum(), list(net.parameters())) for x in (out, true)]
    for mine, expected in zip(*found, strict=True):
        # time constants are kept in float64, and their gradients are float32's all the same
        torch.testing.assert_close(mine.float(), expected.float())


# the compiler warns of what it does itself
@pytest.mark.filterwarnings("ignore")
def test_the_reference_is_taken_where_it_is_asked_for(monkeypatch):
    net = network()
    run = torch.compile(net, backend="aot_eager")
    run(spikes())

    def refuse(*_: object) -> None:
        raise AssertionError("the kernels ran")

    monkeypatch.setattr(engine, "_run", refuse)
    with kernels.reference():
        torch.testing.assert_close(run(spikes())[0], net(spikes())[0])
