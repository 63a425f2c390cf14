"""Chunks of time against the definition, which goes step by step."""

import pytest
import torch
from torch import nn

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.learning import BPTT, DECOLLE, ERBP, OTTT, EProp, SuperSpike
from surgrad.learning.forward import chunks
from surgrad.learning.forward.traces import collapses
from surgrad.network import Sequential
from surgrad.neurons import ALIF, LI, LIF, AdLIF, CuBaLI, CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid
from tests.learning.nets import assert_equal, gradients

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
    "erbp": ERBP(quantum=3.0),
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


PRICED = Objective(losses.every_step, (RateBound(upper=20.0, strength=1e-2),))
OPTIONS = {
    "through its spikes": {"detach_reset": False},
    "reset to zero": {"reset": "zero"},
    "refractory": {"refractory": 3e-3},
    "constants": {"learn": ("tau_mem", "threshold")},
    "recurrent": {"recurrent": True},
    "recurrent, all of it": {
        "recurrent": True, "reset": "zero", "detach_reset": False, "learn": ("tau_mem",),
    },
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_any_reset_constants_and_recurrent_weights(options, dtype, steps):
    net = network(**options).to(dtype)
    compare(EProp(), net, batch(dtype), PRICED, 1e-11 if dtype == torch.float64 else 2e-4)


@pytest.mark.parametrize("name", [n for n in RULES if n not in ("decolle entropy", "erbp")])
def test_recurrent_weights_under_all_rules(name, steps):
    compare(RULES[name], network(recurrent=True), batch(torch.float32), losses.every_step, 2e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [ALIF, AdLIF])
@pytest.mark.parametrize("rule", [EProp(), EProp("random")], ids=str)
def test_neurons_that_adapt(rule, kind, dtype, steps):
    net = network(kind, recurrent=True).to(dtype)
    for neuron in net.neurons[:2]:
        assert not collapses(neuron.tableau(), through_spikes=True)
    tolerance = 1e-11 if dtype == torch.float64 else 2e-4
    compare(rule, net, batch(dtype, 0.4, events=False), PRICED, tolerance)


def test_the_weights_onto_oneself_have_a_gradient_and_send_none(steps):
    net = network(recurrent=True)
    with torch.no_grad():
        net.neurons[1].get_parameter("recurrent.weight").zero_()
    _, alone = gradients(EProp(), net, batch(torch.float32), losses.every_step)
    _, truth = gradients(BPTT(), net, batch(torch.float32), losses.every_step)
    # weights that are zero send nothing back in BPTT either; layers below get other errors
    assert_equal(alone, truth, 2e-4, names=["3.recurrent.weight", "2.weight"])


def convolutional(pool, dtype):
    torch.manual_seed(4)
    net = Sequential(
        nn.Conv2d(1, 3, 2), CuBaLIF((3, 5, 5), tau_mem=8e-3), pool(2, 1),
        nn.Conv2d(3, 2, 2, bias=False), CuBaLIF((2, 3, 3), tau_mem=8e-3),
        nn.Flatten(), nn.Linear(18, 3), LI(3, tau_mem=10e-3),
        dt=1e-3, spike=Surrogate(fast_sigmoid(5)), input_rate=300.0,
    ).to(dtype)  # fmt: skip
    with torch.no_grad():
        for place in (0, 3):
            net[place].get_parameter("weight").mul_(6).abs_()
    generator = torch.Generator().manual_seed(3)
    inputs = (torch.rand(TIME, SAMPLES, 1, 6, 6, generator=generator) < 0.05).to(dtype)
    lengths = torch.tensor([TIME, TIME - 5, 3, 20, 31])
    data = SpikeTrain.from_dense(inputs, lengths=lengths), torch.tensor([0, 1, 2, 0, 1])
    return net, data


# one pass has a filtered trace for each synapse, which convolutions are refused
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [name for name in RULES if "online" not in name])
@pytest.mark.parametrize("width", [5, 100])
def test_convolutions_and_pooling(name, dtype, width, monkeypatch):
    monkeypatch.setattr(chunks, "STEPS", width)
    rule = RULES[name]
    coarse = isinstance(rule, DECOLLE) or getattr(rule, "feedback", "") == "random"
    net, data = convolutional(nn.MaxPool2d if coarse else nn.AvgPool2d, dtype)
    compare(rule, net, data, losses.every_step, 1e-11 if dtype == torch.float64 else 2e-4)


def test_says_why_it_goes_step_by_step():
    net, data = convolutional(nn.MaxPool2d, torch.float32)
    assert "steps one by one" in EProp().path(net, data, losses.every_step)
    assert "in chunks" in EProp("random").path(net, data, losses.every_step)
    by_chance = Sequential(nn.Dropout(0.5), *network(), input_rate=None)
    assert "pooling" in EProp().path(by_chance, batch(torch.float32), losses.every_step)
