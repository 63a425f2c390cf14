"""Rules with another way back, while they train: which gradient comes near BPTT's."""

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


def angle(rule, net, seed):
    """The cosine of the hidden layer's gradient with BPTT's."""
    _, truth = gradients(BPTT(), net, rates(seed), losses.every_step)
    _, found = gradients(rule, net, rates(seed), losses.every_step)
    return cosine(found["0.weight"], truth["0.weight"])


def trained(rule, seed, steps=40):
    """A network behind some steps, and the loss in each."""
    net, data, values = network(seed), rates(seed), []
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        values.append(float(rule.gradients(net, data, losses.every_step).loss))
        optimiser.step()
    return net, values


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["eprop", "superspike", "fa", "dfa"])
def test_the_gradient_comes_to_point_where_bptt_points(name, seed):
    """Over six seeds the cosines came to 0.48 to 0.71, with other matrices to at most 0.35."""
    rule = replace(RULES[name], seed=seed)
    start = angle(rule, network(seed), seed)
    assert start < 0.1, "random matrices know nothing at the start"
    net, values = trained(rule, seed)
    end = angle(rule, net, seed)
    # a symmetric way back would give 0.95 or more
    assert 0.4 < end < 0.9
    assert values[-1] < 0.5 * values[0]
    # the control: matrices that the network has not learned with do not align
    others = [angle(replace(rule, seed=other), net, seed) for other in range(10, 15)]
    assert max(others) < end - 0.1
    assert sum(others) / len(others) < 0.2


@pytest.mark.parametrize("name", ["erbp", "decolle"])
def test_what_is_local_or_coarse_learns_without_pointing_there(name):
    """DECOLLE 0.03 ± 0.18 (eight seeds), eRBP 0.06 ± 0.07 (six): near zero, and the loss falls.

    DECOLLE's layers follow losses of their own, of which theirs is the exact gradient (see
    `test_given_spikes`); eRBP has no memory of presynaptic spikes.
    """
    found = []
    for seed in range(3):
        rule = replace(RULES[name], seed=seed)
        net, values = trained(rule, seed)
        assert values[-1] < 0.7 * values[0]
        found.append(angle(rule, net, seed))
    assert abs(sum(found) / len(found)) < 0.25 and max(found) < 0.5


def test_symmetric_feedback_is_beyond_the_window():
    net, _ = trained(EProp(), 0, steps=10)
    assert angle(EProp(), net, 0) > 0.95


def test_low_passed_spikes_point_there_from_the_start():
    """Without a surrogate: all that have fired count alike, at the threshold or far from it."""
    assert 0.9 < angle(LowPass(), network(), 0) < 0.995
    _, values = trained(LowPass(), 0, steps=20)
    assert values[-1] < 0.65 * values[0]
