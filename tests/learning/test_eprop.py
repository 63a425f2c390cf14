"""The engine of traces: exact in the regime of the mathematics, in one pass and in two."""

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, RuleError
from surgrad.learning import BPTT, OTTT, EProp
from surgrad.network import Sequential
from surgrad.neurons import ALIF, LI, LIF, AdLIF, AlphaLIF, CuBaLI, CuBaLIF, SymplecticAdLIF
from surgrad.objectives import Objective, RateBound, losses
from tests.learning.nets import assert_equal, batch, cosine, gradients, network

LEARN = ("tau_mem", "threshold")
PRICED = Objective(losses.max_over_time, [RateBound(lower=300.0, strength=1e-3)])

NEURONS = [
    (CuBaLIF, {}),
    (CuBaLIF, {"learn": (*LEARN, "tau_syn"), "refractory": 2e-3}),
    (CuBaLIF, {"per_neuron": LEARN, "learn": LEARN, "delay": 0}),
    (LIF, {"reset": "zero", "learn": LEARN}),
    (LIF, {"reset": "zero", "detach_reset": False, "learn": LEARN, "delay": 0}),
    (AlphaLIF, {"detach_reset": False, "learn": LEARN}),
    (ALIF, {"learn": (*LEARN, "adaptation", "tau_adapt")}),
    (AdLIF, {"detach_reset": False, "learn": (*LEARN, "coupling", "jump")}),
    (SymplecticAdLIF, {"reset": "zero"}),
]


@pytest.mark.parametrize(("kind", "options"), NEURONS)
@pytest.mark.parametrize("online", [False, True])
def test_one_layer_and_its_read_out_is_bptt(kind, options, online):
    net = network(kind, read=CuBaLI if online else LI, **options)
    expected, truth = gradients(BPTT(), net, batch(), losses.every_step)
    result, found = gradients(EProp(online=online), net, batch(), losses.every_step)
    assert_equal(found, truth)
    torch.testing.assert_close(result.output, expected.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(result.loss, expected.loss, rtol=1e-12, atol=0)


@pytest.mark.parametrize("tail", [(), (nn.Linear(6, 3),)])
def test_one_layer_without_a_filter_is_bptt(tail):
    """κ = 0: the loss sees the spikes, or a linear map of them, in their own step."""
    net = network(LIF, read=None, tail=tail, learn=LEARN)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    for rule in (EProp(), EProp(kappa="none"), OTTT()):
        assert_equal(gradients(rule, net, batch(), losses.every_step)[1], truth)


def test_any_loss_and_penalties_take_two_passes():
    net = network(CuBaLIF)
    expected, truth = gradients(BPTT(), net, batch(), PRICED)
    result, found = gradients(EProp(online=True), net, batch(), PRICED)
    assert_equal(found, truth)
    torch.testing.assert_close(result.penalty, expected.penalty, rtol=1e-12, atol=0)
    assert result.penalty > 0


def test_one_pass_and_two_are_the_same_where_neither_is_bptt():
    net = network(ALIF, hidden=2, recurrent=True)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    _, one = gradients(EProp(online=True, feedback="random"), net, batch(), losses.every_step)
    _, two = gradients(EProp(feedback="random"), net, batch(), losses.every_step)
    assert_equal(one, two)
    assert cosine(one["0.weight"], truth["0.weight"]) < 0.99


def test_spike_trains_give_what_dense_inputs_give():
    from surgrad.events import SpikeTrain

    net, (inputs, targets, lengths) = network(CuBaLIF), batch()
    _, truth = gradients(EProp(), net, (inputs, targets, lengths), losses.every_step)
    train = SpikeTrain.from_dense(inputs, lengths)
    _, found = gradients(EProp(), net, (train, targets), losses.every_step)
    assert_equal(found, truth)


def convolutional(**options):
    torch.manual_seed(4)
    net = Sequential(
        nn.Conv2d(1, 2, 3),
        CuBaLIF((2, 4, 4), tau_mem=8e-3, **options),
        nn.MaxPool2d(2),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(8, 3),
        LI(3, tau_mem=10e-3),
        dt=1e-3,
        input_rate=300.0,
    ).double()
    with torch.no_grad():
        net[0].weight.mul_(3)
        net[0].bias.normal_()
    generator = torch.Generator().manual_seed(5)
    inputs = (torch.rand(12, 4, 1, 6, 6, generator=generator) < 0.3).double()
    return net, (inputs, torch.tensor([0, 1, 2, 0]))


def test_convolutions_pooling_and_bias():
    net, data = convolutional()
    net.eval()
    _, truth = gradients(BPTT(), net, data, losses.max_over_time)
    _, found = gradients(EProp(), net, data, losses.max_over_time)
    assert_equal(found, truth)


def test_dropout_is_the_same_in_both_passes():
    net, data = convolutional()
    torch.manual_seed(1)
    result, found = gradients(EProp(), net, data, losses.every_step)
    torch.manual_seed(1)
    # one pass: the output comes from the pass that learns
    alone = EProp(kappa="none").gradients(net, data, losses.every_step)
    assert torch.equal(result.output, alone.output)
    assert found["0.weight"].abs().max() > 0


def test_ottt_back_propagates_within_a_step():
    """With inputs that act at once and neurons without memory, there is no time to lose."""
    options = {"delay": 0, "reset": "none", "bounds": {"tau_mem": (1e-6, 10.0)}}
    torch.manual_seed(2)
    net = Sequential(
        nn.Linear(4, 6), LIF(6, tau_mem=2e-5, **options),
        nn.Linear(6, 6), LIF(6, tau_mem=2e-5, **options),
        nn.Linear(6, 3), LI(3, tau_mem=2e-5, delay=0, bounds={"tau_mem": (1e-6, 10.0)}),
        dt=1e-3, input_rate=None,
    ).double()  # fmt: skip
    with torch.no_grad():
        for index in (0, 2):
            net[index].weight.mul_(4)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    _, found = gradients(OTTT(), net, batch(), losses.every_step)
    assert_equal(found, truth, tolerance=1e-9)


def test_delayed_layers_are_waited_for():
    net = network(CuBaLIF, hidden=2)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    # e-prop's way down two layers leaves out the slopes in between
    for rule, least in ((OTTT(), 0.8), (EProp(), 0.2)):
        _, found = gradients(rule, net, batch(), losses.every_step)
        assert least < cosine(found["0.weight"], truth["0.weight"]) < 0.9999
        assert cosine(found["2.weight"], truth["2.weight"]) > 0.99


def test_mistakes_are_named():
    with pytest.raises(ArgumentError, match="feedback"):
        EProp(feedback="direct")
    net = Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), LIF(6), dt=1e-3)
    with pytest.raises(RuleError, match=r"BatchNorm1d.*BPTT"):
        EProp().gradients(net, batch(), losses.every_step)
    with pytest.raises(RuleError, match=r"Conv2d.*detach_reset"):
        net, data = convolutional(detach_reset=False)
        EProp().gradients(net, data, losses.max_over_time)
    with pytest.raises(RuleError, match=r"online=False"):
        net, data = convolutional()
        EProp(online=True).gradients(net, data, losses.every_step)
    with pytest.raises(RuleError, match="behind the read-out"):
        EProp().gradients(network(LIF, tail=(nn.Linear(3, 3),)), batch(), losses.every_step)
