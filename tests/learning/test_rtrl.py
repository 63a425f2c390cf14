"""RTRL is BPTT; SnAp is RTRL where it reaches, and e-prop where it does not."""

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError
from surgrad.learning import BPTT, RTRL, EProp, SnAp
from surgrad.learning.rtrl import collapses
from surgrad.neurons import ALIF, LIF, AdLIF, CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
from tests.learning.nets import assert_equal, batch, cosine, gradients, network

LEARN = ("tau_mem", "threshold")
PRICED = Objective(losses.max_over_time, [RateBound(lower=300.0, strength=1e-3)])


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize(
    ("kind", "objective", "options"),
    [
        (CuBaLIF, PRICED, {"learn": (*LEARN, "tau_syn"), "refractory": 2e-3}),
        (ALIF, losses.every_step, {"learn": (*LEARN, "adaptation"), "per_neuron": LEARN}),
        (AdLIF, losses.last_step, {"learn": (*LEARN, "coupling"), "delay": 0}),
    ],
)
def test_rtrl_is_bptt(kind, objective, options, reset, detach):
    net = network(
        kind, hidden=2, recurrent=True, reset=reset, detach_reset=detach, width=4, **options
    )
    expected, truth = gradients(BPTT(), net, batch(), objective)
    result, found = gradients(RTRL(chunk=50), net, batch(), objective)
    assert_equal(found, truth)
    torch.testing.assert_close(result.output, expected.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(result.loss, expected.loss, rtol=1e-12, atol=0)
    for mine, theirs in zip(result.counts, expected.counts, strict=True):
        assert torch.equal(mine, theirs) and mine.sum() > 0


def test_rtrl_through_modules_behind_the_neurons_and_batch_first():
    net = network(LIF, read=None, tail=(nn.Linear(6, 3),))
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    _, found = gradients(RTRL(), net, batch(), losses.every_step)
    assert_equal(found, truth)
    net.batch_first = True
    inputs, *rest = batch()
    _, flipped = gradients(RTRL(), net, (inputs.transpose(0, 1), *rest), losses.every_step)
    assert_equal(flipped, truth)


def chain():
    """Recurrent weights from each neuron to the next, so that an order is a distance."""
    net = network(LIF, recurrent=True)
    with torch.no_grad():
        weight = net[1].recurrent.weight
        mask = torch.diag(torch.ones(5), -1)
        weight.copy_(mask * 1.5)
    return net


def test_snap_of_every_order_on_a_chain():
    net = chain()
    _, truth = gradients(RTRL(), net, batch(), losses.every_step)
    distance = []
    for order in (1, 2, 3, 6):
        _, found = gradients(SnAp(order=order), net, batch(), losses.every_step)
        error = found["0.weight"] - truth["0.weight"]
        distance.append(float(error.norm() / truth["0.weight"].norm()))
    assert distance[0] > distance[1] > distance[2] > 1e-4
    assert distance[3] < 1e-12


def test_snap_without_bound_is_rtrl():
    net = network(CuBaLIF, recurrent=True, detach_reset=False)
    _, truth = gradients(RTRL(), net, batch(), PRICED)
    assert_equal(gradients(SnAp(order=2), net, batch(), PRICED)[1], truth)
    _, one = gradients(SnAp(order=1), net, batch(), PRICED)
    assert 0.8 < cosine(one["0.weight"], truth["0.weight"]) < 1 - 1e-6


def test_snap_1_of_a_recurrent_layer_is_e_prop():
    net = network(ALIF, recurrent=True)
    with torch.no_grad():
        # e-prop's own sensitivity has no way through a weight of a neuron onto itself
        net[1].recurrent.weight.fill_diagonal_(0.0)
    _, truth = gradients(EProp(), net, batch(), losses.every_step)
    _, found = gradients(SnAp(order=1), net, batch(), losses.every_step)
    assert_equal(found, truth)


def test_mistakes_are_named():
    with pytest.raises(ArgumentError, match="chunk"):
        RTRL(chunk=0)
    with pytest.raises(ArgumentError, match="order"):
        SnAp(order=0)


@pytest.mark.parametrize("rule", [RTRL, SnAp])
@pytest.mark.parametrize("objective", [PRICED, losses.every_step], ids=["priced", "every_step"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [(CuBaLIF, {"learn": (*LEARN, "tau_syn"), "refractory": 2e-3}), (ALIF, {"reset": "zero"})],
    ids=["CuBaLIF", "ALIF"],
)
@pytest.mark.parametrize("detach", [True, False])
def test_the_sensitivity_of_one_forward_layer_collapses(kind, options, detach, objective, rule):
    net = network(kind, hidden=1, detach_reset=detach, **options)
    assert collapses(net)
    _, whole = gradients(rule(collapse=False), net, batch(), objective)
    _, traces = gradients(rule(), net, batch(), objective)
    assert_equal(traces, whole)


def test_it_does_not_where_there_is_more_than_one_way():
    assert not collapses(network(LIF, hidden=1, recurrent=True))
    assert not collapses(network(LIF, hidden=2))
    assert not collapses(network(LIF, tail=(nn.Linear(3, 3),)))
    assert collapses(network(LIF, read=None, hidden=1))
