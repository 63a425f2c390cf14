"""Low-passed spikes: the identity behind the rule, its gradient written out, and its limit."""

import pytest
import torch
from torch import nn

from surgrad.errors import RuleError
from surgrad.learning import BPTT, LowPass
from surgrad.network import Record, Sequential
from surgrad.neurons import ALIF, IF, LI, LIF, AdLIF, CuBaLIF, Izhikevich
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid
from tests.learning.nets import TIME, assert_equal, batch, cosine, gradients, network


def filtered(kernel, spikes):
    """A causal convolution of `(time, batch, units)`, written out."""
    found = torch.zeros_like(spikes)
    for n in range(len(spikes)):
        for m in range(n + 1):
            found[n] += kernel[m] * spikes[n - m]
    return found


def later(spikes, delay=1):
    return torch.cat([torch.zeros_like(spikes[:delay]), spikes])[: len(spikes)]


def eta(neuron):
    """What a spike takes from the membrane in each step after it."""
    tableau = neuron.tableau()
    return -tableau._replace(b=tableau.r).kernel(TIME)


@pytest.mark.parametrize("kind", [LIF, CuBaLIF, ALIF, AdLIF, IF])
def test_a_membrane_is_what_came_in_less_what_spikes_took(kind):
    torch.manual_seed(0)
    neuron = kind(5, dt=1e-3)
    inputs = (torch.rand(TIME, 3, 4) < 0.5).double()
    linear = nn.Linear(4, 5, bias=False).double()
    with torch.no_grad():
        linear.weight.mul_(6)
        scan = neuron.run(linear(inputs))
        assert scan.output.sum() > 10
        x = filtered(neuron.tableau().kernel(TIME), later(inputs))
        a = filtered(eta(neuron), later(scan.output))
        torch.testing.assert_close(scan.v, linear(x) - a, rtol=1e-12, atol=1e-12)


def test_the_gradient_is_that_of_the_linear_network_of_those_that_fired():
    net = network(LIF, hidden=2, read=LI, bias=False)
    net[5].tau_mem.raw.requires_grad_(False)
    data = batch(ragged=False)
    result, found = gradients_of(LowPass(), net, data)
    record = Record("s")
    with torch.no_grad():
        output, _ = net(data[0], record=record)
    torch.testing.assert_close(output, result.output)
    error = output.clone().requires_grad_()
    losses.every_step(error, data[1]).backward()
    heard = [net[i].tableau().kernel(TIME).cumsum(0).view(-1, 1, 1) for i in (1, 3, 5)]
    taken = [eta(net[i]).cumsum(0).view(-1, 1, 1) for i in (1, 3)]
    trains = [data[0], *(layer["s"] for layer in record.layers[:2])]
    x = [
        filtered(net[i].tableau().kernel(TIME), later(s))
        for i, s in zip((1, 3, 5), trains, strict=True)
    ]
    fired = [(s.cumsum(0) > 0).double() for s in trains[1:]]
    two, three = net[2].weight, net[4].weight
    truth = {"4.weight": torch.einsum("nbi,nbj->ij", error.grad, x[2])}
    back = error.grad @ three * heard[2] / taken[1] * fired[1]
    truth["2.weight"] = torch.einsum("nbi,nbj->ij", back, x[1])
    back = back @ two * heard[1] / taken[0] * fired[0]
    truth["0.weight"] = torch.einsum("nbi,nbj->ij", back, x[0])
    assert_equal(found, {name: value.detach() for name, value in truth.items()})


def gradients_of(rule, net, data, objective=losses.every_step):
    net.zero_grad()
    result = rule.gradients(net, data, objective)
    return result, {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}


def test_over_long_times_it_is_the_slope_of_what_the_network_really_does():
    """Differences wide enough to move some spikes, of neurons that forget little."""
    torch.manual_seed(3)
    net = Sequential(
        nn.Linear(3, 6), LIF(6, tau_mem=2.0), nn.Linear(6, 2), LI(2, tau_mem=50e-3),
        dt=1e-3, spike=Surrogate(fast_sigmoid(5)), input_rate=None,
    ).double()  # fmt: skip
    with torch.no_grad():
        net[0].weight.abs_().mul_(0.3)
    inputs = torch.rand(3).double().expand(800, 1, 3)
    wanted = torch.tensor([[[1.0, -1.0]]], dtype=torch.float64).expand(800, 1, 2)
    _, found = gradients(LowPass(), net, (inputs, wanted), losses.mean_squared_error)
    weight = net[0].weight
    truth = torch.zeros_like(weight)
    with torch.no_grad():
        for index in range(weight.numel()):
            ends = []
            for shift in (0.02, -0.02):
                weight.view(-1)[index] += shift
                ends.append(losses.mean_squared_error(net(inputs)[0], wanted))
                weight.view(-1)[index] -= shift
            truth.view(-1)[index] = (ends[0] - ends[1]) / 0.04
    assert cosine(found["0.weight"], truth) > 0.9
    assert 0.7 < found["0.weight"].norm() / truth.norm() < 1.4


def test_normalised_errors_do_not_fade_from_layer_to_layer():
    net, data = network(LIF, hidden=3, bias=False), batch()
    net[7].tau_mem.raw.requires_grad_(False)
    _, plain = gradients_of(LowPass(), net, data)
    _, found = gradients_of(LowPass(normalise=True), net, data)
    for name in ("0.weight", "2.weight", "4.weight"):
        assert cosine(found[name], plain[name]) > 0.6
    _, truth = gradients_of(BPTT(), net, data)
    assert cosine(plain["0.weight"], truth["0.weight"]) > 0.2


def test_penalties_reach_those_that_have_fired():
    net, data = network(LIF, bias=False), batch()
    net[3].tau_mem.raw.requires_grad_(False)
    priced = Objective(losses.every_step, [RateBound(upper=10.0, strength=1.0)])
    result, found = gradients_of(LowPass(), net, data, priced)
    _, without = gradients_of(LowPass(), net, data)
    assert result.penalty > 0
    # fewer spikes are wanted: along the gradient all that fired are driven less
    assert ((found["0.weight"] - without["0.weight"]) >= 0).all()


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (LIF, {"reset": "zero"}, "reset = 'zero'"),
        (LIF, {"learn": ("threshold",)}, "learnable threshold"),
        (Izhikevich, {}, "no tableau"),
    ],
)
def test_what_takes_no_fixed_amount_away_is_refused(kind, options, words):
    net = Sequential(nn.Linear(4, 6), kind(6, **options), nn.Linear(6, 3), LI(3), dt=1e-3)
    with pytest.raises(RuleError, match=words):
        LowPass().gradients(net.double(), batch(), losses.every_step)
