"""Rules on neurons without a tableau: the derivatives of their step come from forward mode."""

import pytest
import torch
from torch import nn

from surgrad.errors import RuleError
from surgrad.learning import (
    BPTT,
    DECOLLE,
    ERBP,
    OTTT,
    RTRL,
    EProp,
    SnAp,
    StraightThrough,
    SuperSpike,
)
from surgrad.learning.base import Batch
from surgrad.learning.rtrl import collapses
from surgrad.learning.samples import loss_terms
from surgrad.network import Sequential
from surgrad.neurons import LI, NEURONS, QIF, AdEx, Izhikevich
from surgrad.objectives import Objective, RateBound, losses
from surgrad.plasticity import STDP
from surgrad.smoothing import GatedLIF
from surgrad.spikes import SigmoidEscape, Stochastic, Surrogate
from surgrad.surrogates import fast_sigmoid
from surgrad.timing import EventProp
from surgrad.training.rules import RULES
from tests.kinds import BY_STEP
from tests.learning.nets import assert_equal, batch, cosine, gradients

PRICED = Objective(losses.max_over_time, [RateBound(lower=300.0, strength=1e-3)])


def network(name, *, hidden=1, read=True, spike=None, width=6, **options):
    """`hidden` layers of neurons that fire, and a read-out."""
    torch.manual_seed(2)
    modules, before = [], 4
    for _ in range(hidden):
        modules += [nn.Linear(before, width), NEURONS[name](width, **options)]
        before = width
    if read:
        modules += [nn.Linear(before, 3), LI(3, tau_mem=10e-3)]
    spike = spike or Surrogate(fast_sigmoid(3))
    net = Sequential(*modules, dt=1e-3, spike=spike, input_rate=300.0)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for module in net:
            if isinstance(module, nn.Linear):
                # deep enough below rest and far enough above the onset that all parts matter
                module.weight.mul_(1.5)
                module.bias.normal_(0.0, 0.05, generator=generator)
    return net.double()


def short(steps=15):
    """A batch's first steps: forward mode through a whole network costs 20 ms a step."""
    inputs, targets, lengths = batch()
    return inputs[:steps], targets, lengths.clamp(max=steps)


def everything(name):
    return tuple(NEURONS[name](2, dt=1e-3).constants)


CASES = [
    pytest.param(name, options, marks=pytest.mark.slow if "delay" in options else ())
    for name in BY_STEP
    for options in (
        {"learn": everything(name)},
        {"learn": everything(name), "per_neuron": everything(name), "delay": 0},
        {"learn": ("threshold",), "detach_reset": False, "refractory": 2e-3},
    )
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_e_prop_of_one_layer_is_bptt(name, options, online=False):
    net = network(name, **options)
    expected, truth = gradients(BPTT(), net, batch(), losses.every_step)
    assert expected.counts[0].sum() > 5
    result, found = gradients(EProp(online=online), net, batch(), losses.every_step)
    assert_equal(found, truth)
    torch.testing.assert_close(result.output, expected.output, rtol=1e-12, atol=1e-12)


def test_e_prop_in_one_pass_is_bptt():
    test_e_prop_of_one_layer_is_bptt("qif", {"learn": ("critical",)}, online=True)


@pytest.mark.parametrize("name", BY_STEP)
def test_e_prop_without_a_filter_is_bptt(name):
    net = network(name, read=False, learn=("threshold",))
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    for rule in (EProp(), EProp(kappa="none")):
        assert_equal(gradients(rule, net, batch(), losses.every_step)[1], truth)


@pytest.mark.parametrize("name", BY_STEP)
@pytest.mark.parametrize("detach", [True, False])
def test_rtrl_is_bptt_with_recurrent_weights(name, detach):
    options = {"learn": everything(name), "recurrent": True, "detach_reset": detach}
    net = network(name, hidden=2, width=3, **options)
    assert not collapses(net)
    expected, truth = gradients(BPTT(), net, short(), PRICED)
    assert all(layer.any() for layer in expected.counts)
    result, found = gradients(RTRL(), net, short(), PRICED)
    assert_equal(found, truth)
    torch.testing.assert_close(result.penalty, expected.penalty, rtol=1e-12, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_STEP)
def test_one_forward_layer_collapses_to_traces(name):
    net = network(name, width=3, learn=everything(name))
    assert collapses(net)
    _, whole = gradients(RTRL(collapse=False), net, batch(), PRICED)
    for rule in (RTRL(), SnAp()):
        assert_equal(gradients(rule, net, batch(), PRICED)[1], whole)


def test_snap_1_of_a_recurrent_layer_is_e_prop():
    net = network("izhikevich", recurrent=True)
    with torch.no_grad():
        # e-prop's own sensitivity has no way through a weight of a neuron onto itself
        net[1].recurrent.weight.fill_diagonal_(0.0)
    _, truth = gradients(EProp(), net, batch(), losses.every_step)
    _, found = gradients(SnAp(order=1), net, batch(), losses.every_step)
    assert_equal(found, truth)


@pytest.mark.parametrize("rule", [OTTT(), SuperSpike(), DECOLLE(), ERBP()])
@pytest.mark.parametrize("kind", [QIF, Izhikevich, AdEx])
def test_approximate_rules_run_and_the_read_out_learns_as_by_bptt(rule, kind):
    name = next(name for name, other in NEURONS.items() if other is kind)
    net = network(name)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    _, found = gradients(rule, net, batch(), losses.every_step)
    assert found["0.weight"].abs().max() > 0
    assert cosine(found["2.weight"], truth["2.weight"]) > (0.7 if rule == ERBP() else 0.99)


@pytest.mark.parametrize("kind", ["score", "reward"])
def test_the_score_of_what_happened_is_that_of_the_path_that_was_taken(kind):
    """The log-probability of given spikes, differentiated through the neuron's own loop."""
    spike = Stochastic(SigmoidEscape(3), torch.Generator().manual_seed(1))
    net = network("izhikevich", spike=spike)
    data = batch(ragged=False)
    rule = RULES[kind](baseline="none", **({"tau": 1e9} if kind == "reward" else {}))
    result, found = gradients(rule, net, data, losses.every_step)
    spike.generator.manual_seed(1)
    taken = []

    def repeated(v):
        taken.append(spike(v.detach()))
        return taken[-1]

    net[1].spike = repeated
    scan = net[1].run(net[0](data[0]))
    torch.testing.assert_close(net[3](net[2](scan.output))[0], result.output)
    v = scan.v - net[1].threshold()
    log = spike.escape.log_likelihood(v, scan.output.detach()).sum(2)
    found = {name: gradient.clone() for name, gradient in found.items()}
    net.zero_grad()
    each = loss_terms(losses.every_step, result.output, Batch.of(data, net))
    to_come = each.flip(0).cumsum(0).flip(0)
    (log * to_come).sum().backward()
    # the trace at the far end of 24 steps has lost a share of 24 dt / τ
    torch.testing.assert_close(found["0.weight"], net[0].weight.grad, rtol=1e-6, atol=1e-9)


def test_what_needs_the_linear_structure_says_so():
    net = network("izhikevich")
    with pytest.raises(RuleError, match=r"Izhikevich.*continuous"):
        EventProp().gradients(net, batch(), losses.mean_over_time)
    with pytest.raises(RuleError, match="not linear below threshold"):
        net[1].layer()
    why = EProp().path(net, batch(), losses.every_step)
    assert "step by step: hidden 1 has dynamics of its own" in why


@pytest.mark.parametrize("rule", [EProp(), OTTT(), SuperSpike(), DECOLLE()])
def test_gates_are_not_taken_for_spikes(rule):
    """A gated neuron has the tableau of a LIF, and an output that is not its spike."""
    net = Sequential(nn.Linear(4, 6), GatedLIF(6), nn.Linear(6, 3), LI(3), dt=1e-3).double()
    with pytest.raises(RuleError, match=r"GatedLIF of hidden 1.*BPTT"):
        rule.gradients(net, batch(), losses.every_step)
    net[1].spike = Stochastic(SigmoidEscape(3), torch.Generator())
    with pytest.raises(RuleError, match="GatedLIF, Stochastic"):
        StraightThrough().gradients(net, batch(), losses.every_step)
    with pytest.raises(RuleError, match="no spikes"):
        STDP().gradients(net, batch(), losses.every_step)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    assert_equal(gradients(RTRL(), net, batch(), losses.every_step)[1], truth)
