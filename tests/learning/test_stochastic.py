"""Rules of chance against the sum over all that can happen, on a network small enough for that."""

import itertools
import math
import pickle

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, RuleError
from surgrad.kernels.scan import rest, scan
from surgrad.learning import BPTT, Likelihood, RewardModulated, Score, StraightThrough
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import ExponentialEscape, SigmoidEscape, Stochastic, Surrogate, SurrogateEscape
from surgrad.surrogates import fast_sigmoid, sigmoid, straight_through, triangle
from tests.learning.nets import assert_equal, gradients, network

STEPS, INPUTS = 3, torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).double()[:, None, :]


def tiny(escape, seed=0, read=True, **options):
    torch.manual_seed(1)
    spike = Stochastic(escape, torch.Generator().manual_seed(seed))
    modules = [nn.Linear(2, 2), LIF(2, tau_mem=5e-3, delay=0, recurrent=True, **options)]
    if read:
        modules += [nn.Linear(2, 2), LI(2, tau_mem=5e-3, delay=0)]
    net = Sequential(*modules, dt=1e-3, spike=spike, input_rate=None).double()
    with torch.no_grad():
        # near the threshold, so that every pattern happens often enough to be counted
        net[0].weight.copy_(torch.tensor([[0.9, 0.5], [0.6, 1.0]]))
        net[0].bias.copy_(torch.tensor([0.1, 0.2]))
        net[1].recurrent.weight.copy_(torch.tensor([[0.2, -0.4], [0.5, 0.1]]))
    return net


def forced(net, pattern):
    """The layer's spikes as given, and the log-probability of that."""
    stage, steps, found = net.stages[0], iter(pattern), []
    neuron = stage.neuron

    def fire(v):
        s = next(steps)
        found.append(neuron.spike.escape.log_likelihood(v, s).sum())
        return s

    current = stage.connection(INPUTS.flatten(0, 1)).view(STEPS, 1, 2)
    tableau = neuron.tableau()
    weight = neuron.recurrent.weight
    out = scan(tableau, fire, current, rest(tableau, current[0]), recurrent=weight).output
    return out, torch.stack(found).sum()


def expected_loss(net, loss, targets):
    """The sum over all patterns of probability times loss, and its gradient."""
    total = torch.zeros((), dtype=torch.float64)
    for bits in itertools.product([0.0, 1.0], repeat=2 * STEPS):
        spikes, log = forced(net, torch.tensor(bits).double().view(STEPS, 1, 2))
        connection, neuron = net[2], net[3]
        output = neuron.run(connection(spikes.flatten(0, 1)).view(STEPS, 1, 2)).output
        total = total + log.exp() * loss(output, targets)
    net.zero_grad()
    total.backward()
    return total.detach(), {name: p.grad.clone() for name, p in net.named_parameters()}


@pytest.mark.parametrize("escape", [SigmoidEscape(3), ExponentialEscape(0.5, 1.0)])
@pytest.mark.parametrize("baseline", ["none", "others"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_the_score_function_is_unbiased(escape, baseline, reset):
    net = tiny(escape, reset=reset, detach_reset=False, learn=("tau_mem",))
    with torch.no_grad():
        net[2].weight.mul_(3)
    value, truth = expected_loss(net, losses.every_step, torch.tensor([1]))
    # many small batches of the sample, so that the spread of their gradients is known
    runs, size = 40, 500
    found = {name: [] for name in truth}
    total = []
    data = INPUTS.expand(STEPS, size, 2), torch.ones(size, dtype=torch.long)
    for _ in range(runs):
        result, one = gradients(Score(baseline), net, data, losses.every_step)
        total.append(float(result.loss))
        for name, gradient in one.items():
            found[name].append(gradient)
    assert abs(sum(total) / runs - float(value)) < 0.01
    for name, kept in found.items():
        samples = torch.stack(kept)
        error = samples.mean(0) - truth[name]
        assert (error.abs() <= 4.5 * samples.std(0) / math.sqrt(runs) + 1e-12).all(), name
    # a mean that is known well enough to tell the gradient from none
    sure = torch.stack(found["0.bias"])
    assert (truth["0.bias"].abs() > 5 * sure.std(0) / math.sqrt(runs)).any()


def test_a_loss_that_is_not_additive_and_several_draws():
    net = tiny(SigmoidEscape(3))
    _, truth = expected_loss(net, losses.max_over_time, torch.tensor([1]))
    data = INPUTS.expand(STEPS, 2, 2), torch.ones(2, dtype=torch.long)
    kept = []
    for _ in range(30):
        result, one = gradients(Score(draws=40), net, data, losses.max_over_time)
        kept.append(one["0.bias"])
    assert result.output.shape == (STEPS, 2, 2) and result.counts[0].shape == (2, 2)
    samples = torch.stack(kept)
    error = samples.mean(0) - truth["0.bias"]
    assert (error.abs() <= 4.5 * samples.std(0) / math.sqrt(30)).all()


def test_reward_modulation_in_one_pass_and_in_two_and_its_limit():
    data = INPUTS.expand(STEPS, 6, 2), torch.tensor([0, 1, 1, 0, 1, 1])
    kept = []
    for rule in (
        RewardModulated(tau=3e-3),
        RewardModulated(tau=3e-3, online=True),
        RewardModulated(tau=1e9),
        Score(),
    ):
        net = tiny(SigmoidEscape(3))
        kept.append(gradients(rule, net, data, losses.every_step)[1])
    assert_equal(kept[1], kept[0])
    assert_equal(kept[2], kept[3], tolerance=1e-9)
    assert not torch.allclose(kept[0]["0.weight"], kept[3]["0.weight"], rtol=1e-2)


@pytest.mark.parametrize("escape", [SigmoidEscape(3), ExponentialEscape(0.5, 1.0)])
def test_the_likelihood_of_visible_spikes(escape):
    net = tiny(escape, read=False, learn=("tau_mem", "threshold"))
    target = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0]).double().view(STEPS, 1, 2)
    _, log = forced(net, target)
    net.zero_grad()
    (-log).backward()
    truth = {name: p.grad.clone() for name, p in net.named_parameters()}
    result, found = gradients(Likelihood(), net, (INPUTS, target), losses.van_rossum)
    assert_equal(found, truth)
    assert float(result.loss) == pytest.approx(-float(log.detach()), rel=1e-12)


def test_hidden_spikes_raise_a_bound_of_the_likelihood():
    torch.manual_seed(5)
    spike = Stochastic(SigmoidEscape(3), torch.Generator().manual_seed(0))
    net = Sequential(
        nn.Linear(2, 4), LIF(4, tau_mem=5e-3, delay=0), nn.Linear(4, 2),
        LIF(2, tau_mem=5e-3, delay=0), dt=1e-3, spike=spike, input_rate=None,
    ).double()  # fmt: skip
    target = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 0.0]).double().view(STEPS, 1, 2)
    data = INPUTS.expand(STEPS, 64, 2), target.expand(STEPS, 64, 2)
    optimiser = torch.optim.Adam(net[0].parameters(), 0.05)
    values = []
    for _ in range(60):
        optimiser.zero_grad()
        values.append(float(Likelihood().gradients(net, data, losses.van_rossum).loss))
        optimiser.step()
    # only the hidden weights are trained
    assert sum(values[-10:]) < 0.93 * sum(values[:10])


def test_straight_through_is_bptt_with_the_slope_of_the_probability():
    data = INPUTS.expand(STEPS, 6, 2), torch.tensor([0, 1, 1, 0, 1, 1])
    net = tiny(SigmoidEscape(3), seed=4)
    _, truth = gradients(BPTT(), net, data, losses.every_step)
    net = tiny(SigmoidEscape(3), seed=4)
    assert_equal(gradients(StraightThrough(), net, data, losses.every_step)[1], truth)


def test_the_surrogate_derivative_is_that_of_the_escape_function():
    v = torch.linspace(-1, 1, 41, dtype=torch.float64)
    chance = Stochastic(SigmoidEscape(4), torch.Generator().manual_seed(0))
    slopes = []
    for spike in (chance, Surrogate(sigmoid(4))):
        leaf = v.clone().requires_grad_()
        spike(leaf).sum().backward()
        slopes.append(leaf.grad)
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-12, atol=0)
    # and of the mean spike, by how often it happens
    count, step = 400_000, 0.1
    rate = [
        float(chance(torch.full((count,), at, dtype=torch.float64)).mean()) for at in (-step, step)
    ]
    assert (rate[1] - rate[0]) / (2 * step) == pytest.approx(1.0, abs=0.03)


ESCAPES = [
    SigmoidEscape(4),
    ExponentialEscape(0.3, 0.2),
    SurrogateEscape(fast_sigmoid(5)),
    SurrogateEscape(triangle(0.5)),
]


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda escape: type(escape).__name__)
def test_an_escape_function_is_one_function(escape):
    """Its slope, score and likelihood follow from its probability."""
    v = torch.linspace(-0.6, 0.6, 19, dtype=torch.float64).requires_grad_()
    p = escape.probability(v)
    assert ((p >= 0) & (p <= 1)).all() and (p.diff() > 0).all()
    (slope,) = torch.autograd.grad(p.sum(), v, retain_graph=True)
    torch.testing.assert_close(escape.slope(v), slope)
    for s in (torch.zeros_like(v), torch.ones_like(v)):
        log = (s * p + (1 - s) * (1 - p)).log()
        torch.testing.assert_close(escape.log_likelihood(v, s), log)
        (score,) = torch.autograd.grad(log.sum(), v, retain_graph=True)
        torch.testing.assert_close(escape.score(v, s), score)
    far = torch.tensor([-1e6, 1e6])
    assert escape.score(far, torch.tensor([0.0, 1.0])).isfinite().all()
    again = pickle.loads(pickle.dumps(Stochastic(escape, torch.Generator().manual_seed(5))))
    same = Stochastic(escape, torch.Generator().manual_seed(5))
    assert torch.equal(again(v.detach()), same(v.detach()))


def test_escape_functions_refuse_what_is_no_probability():
    with pytest.raises(ArgumentError, match="sigmoid"):
        SurrogateEscape(straight_through)
    with pytest.raises(ArgumentError, match="width"):
        ExponentialEscape(width=0.0)


@pytest.mark.parametrize("rule", [Score(), RewardModulated(), Likelihood(), StraightThrough()])
def test_spikes_without_a_probability_are_refused(rule):
    net = network(LIF, read=None)
    data = torch.ones(4, 1, 4).double(), torch.ones(4, 1, 6).double()
    with pytest.raises(RuleError, match=r"spike=Stochastic"):
        rule.gradients(net, data, losses.van_rossum)


def test_other_mistakes_are_named():
    net, data = tiny(SigmoidEscape(3)), (INPUTS, torch.tensor([1]))
    with pytest.raises(RuleError, match="penalties"):
        Score().gradients(net, data, Objective(losses.every_step, [RateBound(upper=5)]))
    with pytest.raises(RuleError, match="van_rossum"):
        Likelihood().gradients(net, data, losses.every_step)
