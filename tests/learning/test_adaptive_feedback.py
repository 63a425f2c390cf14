"""Adaptive feedback of e-prop: a random matrix that goes along with the read-out."""

import copy

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, RuleError
from surgrad.learning import EProp
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF
from surgrad.objectives import losses
from tests.learning.nets import assert_equal, batch, cosine, gradients, network


def train(rule, net, steps, lr=3e-3, decay=0.0):
    optimiser = torch.optim.SGD(net.parameters(), lr, weight_decay=decay)
    for _ in range(steps):
        optimiser.zero_grad()
        rule.gradients(net, batch(), losses.every_step)
        optimiser.step()
    # the last update is seen when the next gradient is asked for
    return gradients(rule, net, batch(), losses.every_step)[1]


def test_it_starts_as_random_feedback_and_asking_twice_is_asking_once():
    net, rule = network(), EProp(feedback="adaptive", seed=3)
    _, truth = gradients(EProp(feedback="random", seed=3), net, batch(), losses.every_step)
    for _ in range(3):
        assert_equal(gradients(rule, net, batch(), losses.every_step)[1], truth)


def test_the_matrix_makes_the_steps_of_the_read_out_and_decays_with_it():
    """Kolen and Pollack's rule, made by hand from the gradients of each step."""
    lr, weight_decay = 0.05, 0.5
    net, rule = network(), EProp(feedback="adaptive", decay=lr * weight_decay)
    gradients(rule, net, batch(), losses.every_step)
    B = rule.state_dict()["B"].clone()
    optimiser = torch.optim.SGD(net.parameters(), lr, weight_decay=weight_decay)
    for _ in range(7):
        _, found = gradients(rule, net, batch(), losses.every_step)
        for name, p in net.named_parameters():
            p.grad = found[name]
        optimiser.step()
        B = (1 - lr * weight_decay) * B - lr * found["2.weight"]
    gradients(rule, net, batch(), losses.every_step)
    torch.testing.assert_close(rule.state_dict()["B"], B, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("decay", "gain"), [(0.0, 0.2), (0.05, 0.8)])
def test_alignment_with_the_read_out_grows(decay, gain):
    net, rule = network(), EProp(feedback="adaptive", seed=1, decay=0.3 * decay)
    angles = []
    for _ in range(4):
        train(rule, net, 40, lr=0.3, decay=decay)
        angles.append(cosine(rule.state_dict()["B"], net[2].get_parameter("weight").detach()))
    start = EProp(feedback="adaptive", seed=1)
    gradients(start, network(), batch(), losses.every_step)
    first = cosine(start.state_dict()["B"], network()[2].get_parameter("weight").detach())
    assert all(b > a for a, b in zip([first, *angles], angles, strict=False))
    assert angles[-1] > first + gain


def test_a_resumed_run_goes_on_as_if_it_had_never_stopped():
    net, rule = network(), EProp(feedback="adaptive", decay=0.01)
    whole = train(rule, net, 8)
    half, first = network(), EProp(feedback="adaptive", decay=0.01)
    train(first, half, 4)
    kept, weights = copy.deepcopy(first.state_dict()), copy.deepcopy(half.state_dict())
    again, second = network(), EProp(feedback="adaptive", decay=0.01)
    # a run that is built asks for a gradient before it is restored
    gradients(second, again, batch(), losses.every_step)
    again.load_state_dict(weights)
    second.load_state_dict(kept)
    resumed = train(second, again, 4)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    # the control: without what was kept it is another run
    other = network()
    other.load_state_dict(weights)
    lost = train(EProp(feedback="adaptive", decay=0.01), other, 4)
    assert not torch.allclose(lost["0.weight"], whole["0.weight"])


def test_copies_go_their_own_ways_and_equal_rules_stay_equal():
    net, rule = network(), EProp(feedback="adaptive")
    gradients(rule, net, batch(), losses.every_step)
    other = copy.deepcopy(rule)
    kept = rule.state_dict()["B"].clone()
    train(other, copy.deepcopy(net), 3, lr=0.1)
    assert torch.equal(rule.state_dict()["B"], kept)
    assert not torch.equal(other.state_dict()["B"], kept)
    assert rule == EProp(feedback="adaptive") == other
    assert EProp().state_dict() == {}


@pytest.mark.parametrize("online", [False, True])
def test_layers_further_down_keep_random_matrices(online):
    net = network(hidden=2)
    rule = EProp(feedback="adaptive", online=online)
    random = EProp(feedback="random", online=online)
    train(rule, net, 3, lr=0.1)
    _, found = gradients(rule, net, batch(), losses.every_step)
    _, truth = gradients(random, net, batch(), losses.every_step)
    assert_equal(found, truth, names=["0.weight", "4.weight"])
    assert not torch.allclose(found["2.weight"], truth["2.weight"])


def test_mistakes_are_named():
    with pytest.raises(ArgumentError, match="decay"):
        EProp(feedback="adaptive", decay=1.0)
    rule = EProp(feedback="adaptive")
    gradients(rule, network(), batch(), losses.every_step)
    with pytest.raises(RuleError, match="a rule for each network"):
        rule.gradients(network(width=7), batch(), losses.every_step)
    modules = nn.Linear(4, 6), LIF(6), nn.AvgPool1d(2), nn.Linear(3, 3), LI(3)
    with pytest.raises(RuleError, match="random"):
        EProp(feedback="adaptive").gradients(
            Sequential(*modules, dt=1e-3).double(), batch(), losses.every_step
        )
