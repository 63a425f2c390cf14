"""Rules with another way back, while they train: near BPTT's gradient, and not by chance."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from surgrad.learning import (
    BPTT,
    DECOLLE,
    ERBP,
    DirectFeedbackAlignment,
    EProp,
    FeedbackAlignment,
    LowPass,
    SuperSpike,
)
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.objectives import losses
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid
from tests.learning.nets import cosine, gradients

TIME, SAMPLES, UNITS, HIDDEN, CLASSES = 30, 48, 12, 40, 3
RULES = {
    "eprop": EProp(feedback="random"),
    "superspike": SuperSpike(feedback="random"),
    "fa": FeedbackAlignment(),
    "dfa": DirectFeedbackAlignment(),
    "erbp": ERBP(),
    "decolle": DECOLLE(),
}


def rates(seed=0):
    """A third of the inputs fires more often for each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(SAMPLES) % CLASSES
    chance = torch.full((SAMPLES, UNITS), 0.1)
    chance[torch.arange(UNITS) % CLASSES == labels.unsqueeze(1)] = 0.25
    return (torch.rand(TIME, SAMPLES, UNITS, generator=generator) < chance).float(), labels


def network(seed=0):
    torch.manual_seed(seed)
    net = Sequential(
        nn.Linear(UNITS, HIDDEN), CuBaLIF(HIDDEN, tau_mem=10e-3, tau_syn=5e-3),
        nn.Linear(HIDDEN, CLASSES), LI(CLASSES, tau_mem=10e-3),
        dt=1e-3, spike=Surrogate(fast_sigmoid(5)), input_rate=150.0,
    )  # fmt: skip
    with torch.no_grad():
        net[0].get_parameter("weight").mul_(3)
    return net


def angle(rule, net):
    """The cosine of the hidden layer's gradient with BPTT's."""
    _, truth = gradients(BPTT(), net, rates(), losses.every_step)
    _, found = gradients(rule, net, rates(), losses.every_step)
    return cosine(found["0.weight"], truth["0.weight"])


def trained(rule, steps=40):
    """A network behind some steps, and the loss in each."""
    net, data, values = network(), rates(), []
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        values.append(float(rule.gradients(net, data, losses.every_step).loss))
        optimiser.step()
    return net, values


# a symmetric way back would give 0.95 or more; local and spiking errors are much coarser
LEAST = {"eprop": 0.5, "superspike": 0.5, "fa": 0.5, "dfa": 0.5, "erbp": 0.08, "decolle": 0.05}


@pytest.mark.parametrize("name", RULES)
def test_the_gradient_comes_to_point_where_bptt_points(name):
    rule = RULES[name]
    start = angle(rule, network())
    assert start < 0.0, "random matrices know nothing at the start"
    net, values = trained(rule)
    end = angle(rule, net)
    assert max(LEAST[name], start + 0.1) < end < 0.9
    assert values[-1] < 0.65 * values[0]
    # the control: matrices that the network has not learned with do not align
    others = [angle(replace(rule, seed=seed), net) for seed in range(10, 15)]
    assert max(others) < end
    assert sum(others) / len(others) < min(0.05, LEAST[name])


def test_symmetric_feedback_is_beyond_the_window():
    net, _ = trained(EProp(), steps=10)
    assert angle(EProp(), net) > 0.95


def test_low_passed_spikes_point_there_from_the_start():
    """Without a surrogate: all that have fired count alike, at the threshold or far from it."""
    assert 0.9 < angle(LowPass(), network()) < 0.995
    _, values = trained(LowPass(), steps=20)
    assert values[-1] < 0.65 * values[0]
