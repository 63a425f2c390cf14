"""Chunks of time against the definition, which goes step by step."""

import pytest
import torch
from torch import nn

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.learning import DECOLLE, OTTT, EProp, SuperSpike, chunks
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF, CuBaLI, CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid

from .nets import assert_equal, gradients

TIME, SAMPLES, UNITS = 37, 5, 7
RULES = {
    "eprop": EProp(),
    "eprop online": EProp(online=True),
    "eprop random": EProp(feedback="random", kappa="none"),
    "ottt": OTTT(),
    "superspike": SuperSpike(),
    "superspike online": SuperSpike(feedback="random", online=True),
    "decolle": DECOLLE(burn_in=4e-3),
    "decolle entropy": DECOLLE(loss="cross_entropy"),
}


def network(kind=CuBaLIF, read=CuBaLI, **options):
    torch.manual_seed(4)
    net = Sequential(
        nn.Linear(UNITS, 11), kind(11, tau_mem=8e-3, **options),
        nn.Linear(11, 9, bias=False), kind(9, tau_mem=6e-3, **options),
        nn.Linear(9, 3), read(3, tau_mem=10e-3),
        dt=1e-3, spike=Surrogate(fast_sigmoid(5)), input_rate=300.0,
    )  # fmt: skip
    with torch.no_grad():
        for module in net:
            if isinstance(module, nn.Linear):
                module.weight.mul_(9)
    return net


def batch(dtype, density=0.05, events=True):
    generator = torch.Generator().manual_seed(3)
    dense = (torch.rand(TIME, SAMPLES, UNITS, generator=generator) < density).to(dtype)
    labels = torch.tensor([0, 1, 2, 0, 1])
    lengths = torch.tensor([TIME, TIME - 5, 3, 20, 31])
    if events:
        return SpikeTrain.from_dense(dense, lengths=lengths), labels
    return dense, labels, lengths


def compare(rule, net, data, loss, tolerance):
    assert "in chunks" in rule.path(net, data, loss)
    result, found = gradients(rule, net, data, loss)
    with kernels.reference():
        assert "step by step" in rule.path(net, data, loss)
        defined, truth = gradients(rule, net, data, loss)
    assert torch.allclose(result.output, defined.output, atol=100 * tolerance)
    assert torch.allclose(result.loss, defined.loss, atol=100 * tolerance)
    for a, b in zip(result.counts, defined.counts, strict=True):
        assert torch.equal(a, b)
        assert a.sum() > 0
    assert_equal(found, truth, tolerance)


@pytest.fixture(params=[5, 16, 37, 100])
def steps(request, monkeypatch):
    monkeypatch.setattr(chunks, "STEPS", request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("events", [True, False])
def test_equal_to_the_definition(name, dtype, events, steps):
    net, data = network().to(dtype), batch(dtype, 0.05 if events else 0.4, events)
    for p in net.parameters():
        p.data = p.data.to(dtype)
    tolerance = 1e-11 if dtype == torch.float64 else 2e-4
    compare(RULES[name], net, data, losses.every_step, tolerance)


@pytest.mark.parametrize("kind", [LIF, CuBaLIF])
@pytest.mark.parametrize("loss", ["max_over_time", "last_step"])
def test_any_neuron_delay_loss_and_penalty(kind, loss, steps):
    for delay in (0, 1):
        net = network(kind, LI, delay=delay)
        bound = RateBound(upper=20.0, strength=1e-2)
        objective = Objective(getattr(losses, loss), (bound,))
        compare(EProp(), net, batch(torch.float32), objective, 2e-4)


@pytest.mark.parametrize(
    "options", [{"detach_reset": False}, {"reset": "zero"}, {"refractory": 3e-3}]
)
def test_what_fits_one_chunk_may_have_any_reset(options):
    net = network(**options)
    compare(EProp(), net, batch(torch.float32), losses.every_step, 2e-4)


def test_says_why_it_goes_step_by_step(monkeypatch):
    monkeypatch.setattr(chunks, "STEPS", 8)
    data = batch(torch.float32)
    for options, why in (
        ({"detach_reset": False}, "a trace for each synapse"),
        ({"recurrent": True}, "recurrent"),
        ({"learn": ("tau_mem",)}, "constants"),
    ):
        assert why in EProp().path(network(**options), data, losses.every_step)
