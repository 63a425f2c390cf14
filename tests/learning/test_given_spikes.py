"""A layer alone: given its own spikes as inputs, its rule is BPTT of an objective of its own.

A recurrent layer whose spikes are handed to it beside its input is a layer without recurrent
weights: what is left of BPTT is what the rules that send nothing from neuron to neuron compute.
"""

import pytest
import torch
from torch import nn

from surgrad.learning import BPTT, DECOLLE, OTTT, EProp, SuperSpike
from surgrad.learning.forward import chunks
from surgrad.learning.forward.feedback import fixed
from surgrad.learning.forward.filters import double_exponential
from surgrad.neurons import ALIF, LIF, CuBaLIF
from surgrad.objectives import losses
from tests.learning.nets import SIZE, TIME, assert_equal, batch, cosine, gradients, network

KINDS = {"lif": LIF, "cuba": CuBaLIF, "alif": ALIF}
INPUTS, NEURONS, OUTPUTS = 4, 6, 3


def case(kind, detach):
    """A recurrent network, and its hidden layer without recurrent weights but with its spikes."""
    net = network(kind, recurrent=True, detach_reset=detach)
    inputs, targets = batch(ragged=False)
    hidden = net.neurons[0]
    recurrent = hidden.get_parameter("recurrent.weight")
    with torch.no_grad():
        recurrent.mul_(3)
        current = net[0](inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        spikes = hidden.run(current).output
    assert spikes.sum() > 30
    return net, inputs, targets, spikes


def alone(net, kind, detach, inputs, spikes):
    """The layer over both, a leaf in front of its weights, and its spikes with a graph."""
    weight = torch.cat([net[0].weight, net.neurons[0].recurrent.weight], 1).detach()
    leaf = weight.requires_grad_()
    twin = kind(NEURONS, tau_mem=8e-3, detach_reset=detach, dt=1e-3, spike=net.neurons[0].spike)
    both = torch.cat([inputs, spikes], -1)
    output = twin.double().run(both @ leaf.T + net[0].bias.detach()).output
    assert torch.equal(output, spikes)
    return leaf, output


def compare(rule, net, data, leaf, objective, loss=losses.every_step):
    (truth,) = torch.autograd.grad(objective, leaf)
    _, found = gradients(rule, net, data, loss)
    own = torch.cat([found["0.weight"], found["1.recurrent.weight"]], 1)
    assert_equal({"both": own}, {"both": truth}, 1e-11)


@pytest.fixture(params=["step by step", "one chunk", "chunks"])
def path(request, monkeypatch):
    if request.param == "step by step":
        monkeypatch.setattr("surgrad.learning.forward.rule.hindrance", lambda *_: "it is asked for")
    monkeypatch.setattr(chunks, "STEPS", 7 if request.param == "chunks" else 100)


@pytest.mark.parametrize("name", ["lif", "cuba"])
@pytest.mark.parametrize("detach", [True, False])
def test_decolle_is_bptt_of_the_local_loss(name, detach, path):
    net, inputs, targets, spikes = case(KINDS[name], detach)
    # what a weight does by way of its neuron's own spikes is left out
    leaf, s = alone(net, KINDS[name], True, inputs, spikes)
    G = 2.0 * fixed((OUTPUTS, NEURONS), seed=3, layer=0, like=inputs, uniform=True)
    rows = nn.functional.one_hot(targets, OUTPUTS).double().expand(TIME, SIZE, OUTPUTS)
    objective = nn.functional.smooth_l1_loss(s @ G.T, rows, reduction="none").mean()
    compare(DECOLLE(amplitude=2.0, seed=3), net, (inputs, targets), leaf, objective)


def error_of(net, inputs, targets):
    output = net(inputs)[0].detach()
    return losses.every_step.step_error(output, targets)


def to_come(kernel, values):
    """Errors that a trace has to wait for: the sum over later ones, weighted by the kernel."""
    found = torch.zeros_like(values)
    for n in range(len(values)):
        found[n] = sum(kernel[m - n] * values[m] for m in range(n, len(values)))
    return found


def later(values, steps):
    return torch.cat([values[steps:], torch.zeros_like(values[:steps])])


@pytest.mark.parametrize("name", ["lif", "cuba"])
@pytest.mark.parametrize("detach", [True, False])
def test_superspike_is_bptt_of_the_filtered_error(name, detach, path):
    net, inputs, targets, spikes = case(KINDS[name], detach)
    leaf, s = alone(net, KINDS[name], True, inputs, spikes)
    kernel = double_exponential(6e-3, 2e-3, 1e-3).kernel(TIME).flatten()
    # a spike acts on the read-out one step later
    signal = later(to_come(kernel, error_of(net, inputs, targets)), 1) @ net[2].weight.detach()
    rule = SuperSpike(tau=6e-3, rise=2e-3)
    compare(rule, net, (inputs, targets), leaf, (s * signal).sum())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("detach", [True, False])
def test_eprop_is_bptt_of_the_error_that_a_spike_has_in_the_read_out(name, detach, path):
    net, inputs, targets, spikes = case(KINDS[name], detach)
    leaf, s = alone(net, KINDS[name], detach, inputs, spikes)
    kernel = net.neurons[1].tableau().kernel(TIME).flatten()
    signal = later(to_come(kernel, error_of(net, inputs, targets)), 1) @ net[2].weight.detach()
    compare(EProp(), net, (inputs, targets), leaf, (s * signal).sum())


@pytest.mark.parametrize("name", ["lif", "cuba"])
def test_ottt_is_bptt_of_the_error_one_step_later(name, path):
    net, inputs, targets, spikes = case(KINDS[name], True)
    leaf, s = alone(net, KINDS[name], True, inputs, spikes)
    signal = later(error_of(net, inputs, targets), 1) @ net[2].weight.detach()
    compare(OTTT(), net, (inputs, targets), leaf, (s * signal).sum())


def test_this_is_not_bptt():
    net, inputs, targets, _ = case(CuBaLIF, True)
    _, truth = gradients(BPTT(), net, (inputs, targets), losses.every_step)
    _, found = gradients(EProp(), net, (inputs, targets), losses.every_step)
    assert 0.1 < cosine(found["1.recurrent.weight"], truth["1.recurrent.weight"]) < 0.9999
