"""Feedback alignment: BPTT where the way back is the way down, something else where it is not."""

import pytest
import torch
from torch import nn

from surgrad.errors import RuleError
from surgrad.learning import BPTT, DirectFeedbackAlignment, FeedbackAlignment
from surgrad.learning.feedback import fixed
from surgrad.neurons import CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
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
