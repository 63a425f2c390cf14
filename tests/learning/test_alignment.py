"""Feedback alignment: BPTT where the way back is the way down, something else where it is not."""

import pytest
import torch
from torch import nn

from surgrad import kernels
from surgrad.errors import RuleError
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.learning import BPTT, DirectFeedbackAlignment, FeedbackAlignment
from surgrad.learning.forward.feedback import fixed
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid
from tests.learning.nets import assert_equal, batch, cosine, gradients, network

PRICED = Objective(losses.max_over_time, [RateBound(lower=300.0, strength=1e-3)])


def test_symmetric_feedback_is_bptt():
    net = network(CuBaLIF, hidden=2, recurrent=True, detach_reset=False)
    _, truth = gradients(BPTT(), net, batch(), PRICED)
    assert_equal(gradients(FeedbackAlignment("symmetric"), net, batch(), PRICED)[1], truth)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_matrix_of_feedback_alignment_is_what_errors_go_through(seed):
    """With `W` replaced by `B` behind the hidden layer, BPTT of the linear read-out agrees."""
    net = network(CuBaLIF, bias=False)
    inputs, targets, lengths = batch()
    values = torch.randn(24, 5, 3, generator=torch.Generator().manual_seed(1)).double()
    # an error that does not depend on the output: the loss is linear in it

    def linear(output, targets, lengths=None):
        return (output * values).sum()

    data = inputs, targets, lengths
    _, found = gradients(FeedbackAlignment(seed=seed), net, data, linear)
    with torch.no_grad():
        net[2].weight.copy_(fixed((3, 6), seed=seed, layer=1, like=values))
    _, truth = gradients(BPTT(), net, data, linear)
    assert_equal(found, truth, names=["0.weight"])


def test_direct_feedback_with_the_transposed_weights_is_bptt_for_one_hidden_layer():
    net = network(CuBaLIF, recurrent=True, detach_reset=False, learn=("tau_mem",))
    _, truth = gradients(BPTT(), net, batch(), PRICED)
    assert_equal(gradients(DirectFeedbackAlignment("symmetric"), net, batch(), PRICED)[1], truth)


def test_direct_feedback_of_two_layers_is_exact_above_and_not_below():
    net = network(CuBaLIF, hidden=2)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    _, found = gradients(DirectFeedbackAlignment("symmetric"), net, batch(), losses.every_step)
    assert_equal(found, truth, names=["2.weight", "2.bias", "4.weight"])
    assert 0.1 < cosine(found["0.weight"], truth["0.weight"]) < 0.9999


def test_concordant_signs_align_better_than_chance():
    net = network(CuBaLIF, hidden=2)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    angles = {"sign": [], "random": []}
    for kind, kept in angles.items():
        for seed in range(5):
            rule = FeedbackAlignment(kind, seed=seed)
            found = gradients(rule, net, batch(), losses.every_step)[1]
            kept.append(cosine(found["2.weight"], truth["2.weight"]))
    assert min(angles["sign"]) > 0.2
    assert sum(angles["random"]) < sum(angles["sign"]) < 5 - 1e-3


def test_equal_rules_draw_equal_matrices():
    net = network(CuBaLIF, hidden=2)
    for kind in (FeedbackAlignment, DirectFeedbackAlignment):
        one = gradients(kind(seed=4), net, batch(), losses.every_step)[1]
        torch.randn(7)
        again = gradients(kind(seed=4), net, batch(), losses.every_step)[1]
        other = gradients(kind(seed=5), net, batch(), losses.every_step)[1]
        assert all(torch.equal(one[name], again[name]) for name in one)
        assert not torch.allclose(one["2.weight"], other["2.weight"])


def test_direct_feedback_needs_the_error_at_a_current():
    net = network(CuBaLIF, read=None, tail=(nn.Linear(6, 3),))
    with pytest.raises(RuleError, match="LI"):
        DirectFeedbackAlignment().gradients(net, batch(), losses.every_step)


def refuse(*_, **__):
    raise AssertionError("the definition was run")


FEEDBACK = [
    FeedbackAlignment("random"),
    FeedbackAlignment("sign"),
    FeedbackAlignment("symmetric"),
    DirectFeedbackAlignment("random"),
    DirectFeedbackAlignment("symmetric"),
]


@pytest.mark.parametrize("rule", FEEDBACK, ids=str)
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("events", [False, True])
def test_the_kernels_give_what_the_definition_gives(rule, recurrent, events, monkeypatch):
    net = network(CuBaLIF, hidden=3, recurrent=recurrent, detach_reset=False, learn=("tau_mem",))
    inputs, targets, lengths = batch()
    net, data = net.float(), (inputs.float(), targets, lengths)
    if events:
        sparse = inputs.float() * (torch.arange(4) == torch.arange(24).view(-1, 1, 1) % 16)
        data = SpikeTrain.from_dense(sparse, lengths=lengths), targets
        assert engine.sparse(data[0])
        with torch.no_grad():
            net[0].weight.mul_(4)
    with kernels.reference():
        _, truth = gradients(rule, net, data, PRICED)
    monkeypatch.setattr(engine, "_definition", refuse)
    assert_equal(gradients(rule, net, data, PRICED)[1], truth, 2e-4)


@pytest.mark.parametrize(
    ("rule", "hidden"),
    [(FeedbackAlignment("symmetric"), 3), (DirectFeedbackAlignment("symmetric"), 1)],
)
def test_symmetric_feedback_is_bptt_on_the_kernels(rule, hidden, monkeypatch):
    net = network(CuBaLIF, hidden=hidden, recurrent=True).float()
    inputs, *rest = batch()
    data = inputs.float(), *rest
    monkeypatch.setattr(engine, "_definition", refuse)
    _, truth = gradients(BPTT(), net, data, PRICED)
    assert_equal(gradients(rule, net, data, PRICED)[1], truth, 1e-5)


def test_what_is_long_is_checkpointed_with_the_same_result(monkeypatch):
    monkeypatch.setattr("surgrad.learning.bptt.LONG", 10)
    monkeypatch.setattr("surgrad.learning.windows.SHORTEST", 7)
    net = network(CuBaLIF, hidden=2, recurrent=True)
    for rule in FEEDBACK:
        _, short = gradients(rule, net, batch(), PRICED)
        with monkeypatch.context() as patch:
            patch.setattr("surgrad.learning.bptt.LONG", 100)
            _, whole = gradients(rule, net, batch(), PRICED)
        assert_equal(short, whole)


def test_direct_feedback_goes_to_convolutions():
    torch.manual_seed(0)
    net = Sequential(
        nn.Conv1d(1, 2, 2), CuBaLIF((2, 3), tau_mem=8e-3), nn.Conv1d(2, 2, 2), CuBaLIF((2, 2)),
        nn.Flatten(), nn.Linear(4, 3), LI(3), dt=1e-3, spike=Surrogate(fast_sigmoid(5)),
        input_rate=300.0,
    ).double()  # fmt: skip
    with torch.no_grad():
        for place in (0, 2):
            net[place].get_parameter("weight").mul_(5).abs_()
    inputs, targets, lengths = batch()
    data = inputs.unsqueeze(2), targets, lengths
    _, truth = gradients(BPTT(), net, data, losses.every_step)
    _, found = gradients(DirectFeedbackAlignment("symmetric"), net, data, losses.every_step)
    assert_equal(found, truth, names=["2.weight", "5.weight"])
    assert found["0.weight"].abs().max() > 1e-7
    _, other = gradients(DirectFeedbackAlignment(), net, data, losses.every_step)
    assert_equal(other, truth, names=["5.weight"])
    assert other["0.weight"].abs().max() > 1e-7
    assert abs(cosine(other["0.weight"], truth["0.weight"])) < 0.9
