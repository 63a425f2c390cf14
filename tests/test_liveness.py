"""Networks begin alive, and one that is not is named."""

import itertools

import pytest
import torch
from torch import nn

from surgrad.connections import fluctuation_driven_, mean_square_trace, weighted
from surgrad.errors import ArgumentError
from surgrad.liveness import diagnose, initialise
from surgrad.network import Record, Sequential
from surgrad.neurons import LI, LIF, NEURONS, CuBaLIF
from tests.kinds import BY_TABLEAU, SPIKING


def poisson(rate, time=200, batch=16, units=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(time, batch, units, generator=generator) < rate * 1e-3).float()


# a membrane without a leak has no stationary trace
@pytest.mark.parametrize("name", [name for name in BY_TABLEAU if name != "if"])
def test_analytic_and_measured_traces_agree_for_poisson_input(name):
    tableau = NEURONS[name](dt=1e-3).tableau()
    analytic = mean_square_trace(tableau, 0.02)
    # the first steps, before the filter has filled, are not part of the stationary value
    measured = mean_square_trace(tableau, poisson(20.0, time=3000, batch=2))
    assert measured == pytest.approx(analytic, rel=0.08)


# adaptation pulls the membrane back, which the initialisation leaves out
@pytest.mark.parametrize("name", [n for n in BY_TABLEAU if "adapt" not in NEURONS[n].__module__])
def test_membranes_fluctuate_up_to_threshold(name):
    inputs = poisson(20.0, time=600)
    neuron = NEURONS[name](400, reset="none", dt=1e-3)
    weight = torch.empty(400, 200)
    generator = torch.Generator().manual_seed(3)
    for xi, threshold in ((1.0, 1.0), (2.0, 0.5)):
        mean_square = mean_square_trace(neuron.tableau(), inputs)
        fluctuation_driven_(weight, mean_square, xi=xi, threshold=threshold, generator=generator)
        v = neuron.run(inputs @ weight.T).v
        assert float(v.square().mean().sqrt()) == pytest.approx(threshold / xi, rel=0.1)


@pytest.mark.parametrize("name", SPIKING)
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("rate", [2.0, 20.0, 200.0])
def test_three_layers_are_alive_whatever_the_input_rate(name, recurrent, rate):
    torch.manual_seed(0)
    kind, sizes, modules = NEURONS[name], (200, 128, 128, 128), []
    for a, b in itertools.pairwise(sizes):
        modules += [nn.Linear(a, b), kind(b, recurrent=recurrent)]
    net = Sequential(*modules, nn.Linear(128, 5), LI(5), dt=1e-3)
    inputs = poisson(rate)
    initialise(net, inputs, generator=torch.Generator().manual_seed(1))
    for health in diagnose(net, inputs):
        assert health.verdict == "ok", health
        assert 1.0 < health.rate < 400.0
        # at 200 Hz the mean of the input sets neurons apart more than its fluctuations
        assert health.silent < 0.7


def test_a_network_is_alive_without_being_asked():
    torch.manual_seed(0)
    modules = nn.Linear(200, 100), CuBaLIF(100), nn.Linear(100, 100), CuBaLIF(100)
    assert {h.verdict for h in diagnose(Sequential(*modules, dt=1e-3), poisson(20.0))} == {"ok"}


def test_weights_are_left_alone_when_no_rate_is_given():
    linear = nn.Linear(4, 4)
    before = linear.weight.detach().clone()
    Sequential(linear, LIF(4), dt=1e-3, input_rate=None)
    assert torch.equal(linear.weight, before)


@pytest.mark.parametrize("recurrent", [False, True])
def test_xi_says_how_far_from_rest_the_threshold_is(recurrent):
    neuron = CuBaLIF(400, threshold=0.5, reset="none", recurrent=recurrent)
    net = Sequential(nn.Linear(200, 400), neuron, nn.Linear(400, 9), LI(9), dt=1e-3)
    inputs, record, readouts, shares = poisson(20.0, time=600), Record("v"), [], []
    for xi in (2.0, 0.4):
        initialise(net, inputs, xi=xi, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            output, _ = net(inputs, record=record)
        v = record.layers.pop(0)["v"]
        shares.append(float(v.square().mean().sqrt()) * xi / 0.5)
        readouts.append(float(output.square().mean().sqrt()))
        record.layers.clear()
    # spikes that come back are correlated, which the variance of the recurrent part leaves out
    assert shares == pytest.approx([1.0, 1.0], rel=0.5 if recurrent else 0.1)
    # a read-out has no threshold
    assert readouts == pytest.approx([1.0, 1.0], rel=0.3)


def test_initialisation_is_reproducible_and_refuses_silence():
    net = Sequential(nn.Linear(200, 9), LIF(9, recurrent=True), dt=1e-3)
    draws = []
    for _ in range(2):
        initialise(net, poisson(20.0), generator=torch.Generator().manual_seed(4))
        draws.append([p.detach().clone() for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*draws, strict=True))
    with pytest.raises(ArgumentError, match="no spike"):
        initialise(net, torch.zeros(5, 2, 200))
    with pytest.raises(ArgumentError, match="xi"):
        initialise(net, poisson(20.0), xi=0.0)


@pytest.mark.parametrize(("scale", "verdict"), [(0.0, "silent"), (1e4, "saturated")])
def test_sick_layers_are_named_with_advice(scale, verdict):
    torch.manual_seed(0)
    net = Sequential(nn.Linear(200, 50), CuBaLIF(50), nn.Linear(50, 50), CuBaLIF(50), dt=1e-3)
    with torch.no_grad():
        net[0].weight.abs_().mul_(scale)
    first = diagnose(net, poisson(20.0))[0]
    assert (first.name, first.verdict) == ("hidden 1", verdict)
    assert "initialise(net, batch)" in first.advice


def test_rates_are_spikes_per_second_of_valid_time():
    net = Sequential(nn.Linear(200, 50), CuBaLIF(50), dt=2e-3)
    inputs, lengths = poisson(40.0), torch.arange(16) * 10 + 1
    record = Record("counts")
    with torch.no_grad():
        net(inputs, lengths=lengths, record=record)
    seconds = float(lengths.sum()) * 2e-3
    expected = float(record[0]["counts"].sum()) / 50 / seconds
    assert diagnose(net, inputs, lengths=lengths)[0].rate == pytest.approx(expected)


def test_the_module_with_the_weights_is_found():
    conv = nn.Conv2d(1, 2, 3)
    assert weighted(nn.Sequential(nn.AvgPool2d(2), conv, nn.ReLU())) is conv
    assert weighted(nn.Sequential(nn.Flatten())) is None
