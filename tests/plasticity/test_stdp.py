"""STDP against its analytic window, sums over all pairs, and a task that needs a reward."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from delayed_reward import RULES, learned
from torch import nn

from surgrad.errors import ArgumentError, RuleError
from surgrad.events import SpikeTrain
from surgrad.network import Record, Sequential
from surgrad.neurons import LI, LIF
from surgrad.objectives import losses, predict
from surgrad.plasticity import RSTDP, STDP
from surgrad.plasticity.pairs import Amplitudes, Decays, sums
from surgrad.plasticity.taps import Taps

DT = 1e-3
# every neuron repeats its input: one spike in, one spike out in the next step
RELAY = {"threshold": 0.5, "reset": "zero", "tau_mem": 1.01e-4}


def relay(delay=1):
    """Input 0 drives the only neuron, the weight of input 1 is too small to matter."""
    net = Sequential(nn.Linear(2, 1, bias=False), LIF(1, delay=delay, **RELAY), dt=DT)
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0.01]]))
    return net


def change(rule, spikes, net=None):
    net = net or relay()
    dense = torch.zeros(200, 1, 2)
    for unit, step in spikes:
        dense[step, 0, unit] = 1
    rule.gradients(net, (dense, torch.tensor([0])), losses.spike_count)
    return -net[0].weight.grad[0, 1].item()


@pytest.mark.parametrize("delay", [0, 1])
def test_the_window_is_the_analytic_one(delay):
    rule = STDP(a_plus=0.3, a_minus=0.2, tau_plus=17e-3, tau_minus=34e-3)
    for lag in range(-60, 61):
        # the neuron fires at 100
        found = change(rule, [(0, 100 - delay), (1, 100 - lag)], relay(delay))
        expected = 0.3 * math.exp(-lag * DT / 17e-3) if lag > 0 else 0.0
        if lag < 0:
            expected = -0.2 * math.exp(lag * DT / 34e-3)
        if lag == 0:
            expected = 0.3 if delay == 0 else 0.0
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-9), lag


def test_a_triplet_adds_its_slow_trace():
    rule = STDP(a_plus=0.1, a_minus=0.0, a_plus_triplet=0.5, tau_minus_slow=50e-3)
    # the neuron fires at 80 and 100, the synapse between them at 90
    found = change(rule, [(0, 79), (1, 90), (0, 99)])
    expected = math.exp(-10e-3 / 20e-3) * (0.1 + 0.5 * math.exp(-20e-3 / 50e-3))
    assert found == pytest.approx(expected, rel=1e-5)
    rule = STDP(a_plus=0.0, a_minus=0.1, a_minus_triplet=0.5, tau_plus_slow=50e-3)
    # the synapse fires at 70 and 90, the neuron between them at 80
    found = change(rule, [(1, 70), (0, 79), (1, 90)])
    expected = -math.exp(-10e-3 / 20e-3) * (0.1 + 0.5 * math.exp(-20e-3 / 50e-3))
    assert found == pytest.approx(expected, rel=1e-5)


def over_all_pairs(pre, post, gains, amplitudes, decays, nearest):
    """The definition, spike by spike, in float64."""
    (steps, batch, M), N = pre.shape, post.shape[2]
    up, down = torch.zeros(N, M, dtype=torch.float64), torch.zeros(N, M, dtype=torch.float64)

    def trace(train, b, unit, n, decay):
        before = [m for m in range(n) if train[m, b, unit]]
        return sum(decay ** (n - m) for m in (before[-1:] if nearest else before))

    for b, n, i, j in itertools.product(range(batch), range(steps), range(N), range(M)):
        gain = float(gains[b, n])
        if post[n, b, i]:
            slow = trace(post, b, i, n, decays.post_slow)
            size = amplitudes.up + amplitudes.up_triplet * slow
            up[i, j] += gain * size * trace(pre, b, j, n, decays.pre)
        if pre[n, b, j]:
            slow = trace(pre, b, j, n, decays.pre_slow)
            size = amplitudes.down + amplitudes.down_triplet * slow
            down[i, j] += gain * size * trace(post, b, i, n, decays.post)
    return up.float(), down.float()


@pytest.mark.parametrize("nearest", [False, True])
def test_sums_are_those_over_all_pairs_and_triplets(nearest):
    torch.manual_seed(0)
    pre, post = (torch.rand(30, 3, 4) < 0.2).float(), (torch.rand(30, 3, 5) < 0.2).float()
    gains = torch.randn(3, 30)
    given = Amplitudes(0.7, 0.4, 0.3, 0.9), Decays(0.9, 0.8, 0.95, 0.7)
    trains = SpikeTrain.from_dense(pre), SpikeTrain.from_dense(post)
    found = sums(*trains, gains, *given, nearest=nearest)
    for one, other in zip(found, over_all_pairs(pre, post, gains, *given, nearest), strict=True):
        assert other.abs().min() > 0
        torch.testing.assert_close(one.squeeze(-1), other, rtol=1e-4, atol=1e-5)


CONVOLUTIONS = {
    "padding": (nn.Conv2d(2, 3, 3, padding=1), (2, 4, 3)),
    "strides": (nn.Conv2d(2, 3, (2, 3), stride=(2, 1), padding=(1, 0)), (2, 3, 4)),
    "holes": (nn.Conv2d(1, 2, 2, dilation=2, padding="same"), (1, 4, 4)),
    "a line": (nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 7)),
}


def weights_between(module, shape):
    """The number of the weight from each input to each output unit, -1 for none."""
    numbered = copy.deepcopy(module).double()
    numbered.bias = None
    with torch.no_grad():
        ids = torch.arange(1.0, numbered.weight.numel() + 1)
        numbered.weight.copy_(ids.view_as(numbered.weight))
        units = torch.eye(math.prod(shape), dtype=torch.float64).view(-1, *shape)
        return numbered(units).flatten(1).T.round().long() - 1


@pytest.mark.parametrize("kind", list(CONVOLUTIONS))
@pytest.mark.parametrize("nearest", [False, True])
def test_a_shared_weight_changes_by_the_sum_over_its_synapses(kind, nearest):
    torch.manual_seed(0)
    module, shape = CONVOLUTIONS[kind]
    pre = (torch.rand(12, 2, *shape) < 0.3).float()
    after = module(torch.zeros(1, *shape)).shape[1:]
    post = (torch.rand(12, 2, *after) < 0.3).float()
    gains = torch.randn(2, 12)
    given = Amplitudes(0.7, 0.4, 0.3, 0.9), Decays(0.9, 0.8, 0.95, 0.7)
    trains, taps = map(SpikeTrain.from_dense, (pre, post)), Taps.of(module, shape)
    found = sums(*trains, gains, *given, taps=taps, nearest=nearest)
    which = weights_between(module, shape)
    every = over_all_pairs(pre.flatten(2), post.flatten(2), gains, *given, nearest)
    for one, each in zip(found, every, strict=True):
        expected = torch.zeros(module.weight.numel())
        expected.index_add_(0, which[which >= 0], each[which >= 0])
        assert expected.abs().min() > 0
        torch.testing.assert_close(one.flatten(), expected, rtol=1e-4, atol=1e-4)


def convolutional_net():
    torch.manual_seed(1)
    net = Sequential(
        *(nn.Conv2d(1, 3, 3, bias=False), LIF(delay=0), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 4, 2, bias=False), LIF(), nn.Flatten(), nn.Linear(16, 2), LI()),
        dt=DT,
    )
    with torch.no_grad():
        for module in (net[0], net[3]):
            module.weight.uniform_(0.1, 0.5)
    return net, (torch.rand(30, 4, 1, 8, 8) < 0.2).float(), torch.tensor([0, 1, 1, 0])


def test_convolutions_learn_like_matrices_with_shared_weights():
    net, x, y = convolutional_net()
    rule = STDP(a_plus=0.02, a_minus=0.01)
    rule.gradients(net, (SpikeTrain.from_dense(x), y), losses.max_over_time)
    record = Record("s")
    net(x, record=record)
    first, second = record[0]["s"], record[1]["s"]
    assert second.sum() > 0
    pooled = torch.nn.functional.max_pool2d(first.flatten(0, 1), 2).view(30, 4, 3, 3, 3)
    decay = math.exp(-1 / 20)
    given = Amplitudes(0.02, 0.01, 0.0, 0.0), Decays(decay, decay, 0.0, 0.0)
    for module, pre, post, at_once in ((net[0], x, first, True), (net[3], pooled, second, False)):
        # the same layer without weights that are shared
        which = weights_between(module, tuple(pre.shape[2:]))
        trains = (SpikeTrain.from_dense(s.detach().flatten(2)) for s in (pre, post))
        up, down = sums(*trains, torch.ones(4, 30), *given, at_once=at_once)
        each = (up - down).squeeze(-1)
        expected = torch.zeros(module.weight.numel())
        expected.index_add_(0, which[which >= 0], each[which >= 0])
        torch.testing.assert_close(
            -module.weight.grad.flatten(), expected / 4, rtol=1e-4, atol=1e-4
        )
    # the read-out has the gradient of its loss alone
    found = net[6].weight.grad.clone()
    net.zero_grad()
    losses.max_over_time(net(x)[0], y).backward()
    torch.testing.assert_close(found, net[6].weight.grad)


def test_maps_are_normalised_and_scaled_as_one():
    net, x, y = convolutional_net()
    optimiser = torch.optim.SGD([net[0].weight, net[3].weight], 1.0)
    STDP(norm=2.5, bounds="hard").gradients(net, (x, y), losses.max_over_time)
    optimiser.step()
    torch.testing.assert_close(net[3].weight.sum((1, 2, 3)), torch.full((4,), 2.5))
    net, x, y = convolutional_net()
    before = net[0].weight.detach().clone()
    rule = STDP(a_plus=0.0, a_minus=0.0, target_rate=50.0, scaling=1e-3)
    rule.gradients(net, (x, y), losses.max_over_time)
    rates = net[1](net[0](x.flatten(0, 1)).unflatten(0, (30, 4)))[0].mean((0, 1, 3, 4)) / DT
    expected = before * 1e-3 * (50.0 - rates)[:, None, None, None]
    torch.testing.assert_close(-net[0].weight.grad, expected.detach(), rtol=1e-4, atol=1e-6)


def random_net(recurrent=False, **options):
    torch.manual_seed(1)
    lif = LIF(6, tau_mem=8e-3, recurrent=recurrent, **options)
    net = Sequential(nn.Linear(4, 6, bias=False), lif, nn.Linear(6, 3), LI(3), dt=DT)
    with torch.no_grad():
        net[0].weight.uniform_(0.2, 0.8)
    return net, (torch.rand(60, 5, 4) < 0.2).float(), torch.tensor([0, 1, 2, 0, 1])


def stepped(rule, **options):
    net, x, y = random_net(**options)
    before = net[0].weight.detach().clone()
    optimiser = torch.optim.SGD([net[0].weight], 1.0)
    rule.gradients(net, (x, y), losses.max_over_time)
    optimiser.step()
    return before, net[0].weight.detach(), net


def test_soft_bounds_scale_with_the_distance_and_hard_ones_cut():
    before, plain, _ = stepped(STDP(a_plus=0.01, a_minus=0.0))
    _, soft, _ = stepped(STDP(a_plus=0.01, a_minus=0.0, bounds="soft", w_max=2.0))
    expected = (plain - before) * (2.0 - before)
    torch.testing.assert_close(soft - before, expected, rtol=1e-4, atol=1e-6)
    _, down, _ = stepped(STDP(a_plus=0.0, a_minus=0.01))
    _, soft, _ = stepped(STDP(a_plus=0.0, a_minus=0.01, bounds="soft", w_min=0.1))
    expected = (down - before) * (before - 0.1)
    torch.testing.assert_close(soft - before, expected, rtol=1e-4, atol=1e-6)
    _, hard, _ = stepped(STDP(a_plus=3.0, a_minus=0.0, bounds="hard", w_max=0.9))
    assert hard.max() == pytest.approx(0.9) and (plain > before).any()
    _, low, _ = stepped(STDP(a_plus=0.0, a_minus=3.0, bounds="hard", w_min=0.1))
    assert low.min() == pytest.approx(0.1)


def test_normalisation_and_scaling():
    _, after, _ = stepped(STDP(norm=2.5, bounds="hard"))
    torch.testing.assert_close(after.sum(1), torch.full((6,), 2.5))
    before, after, _ = stepped(STDP(a_plus=0.0, a_minus=0.0, target_rate=50.0, scaling=1e-3))
    _, x, _ = random_net()
    with torch.no_grad():
        fresh, _, _ = random_net()
        rates = fresh[1](fresh[0](x))[0].sum((0, 1)) / (60 * 5 * DT)
    torch.testing.assert_close(after, before * (1 + 1e-3 * (50.0 - rates))[:, None])


def test_recurrent_weights_learn_too_and_frozen_ones_do_not():
    _, _, net = stepped(STDP(), recurrent=True)
    assert net[1].recurrent.weight.grad.abs().max() > 0
    net, x, y = random_net()
    net[0].weight.requires_grad_(False)
    STDP().gradients(net, (x, y), losses.max_over_time)
    assert net[0].weight.grad is None


def test_the_read_out_has_the_gradient_of_its_loss():
    net, x, y = random_net()
    STDP().gradients(net, (x, y), losses.max_over_time)
    found = net[2].weight.grad.clone()
    net.zero_grad()
    losses.max_over_time(net(x)[0], y).backward()
    torch.testing.assert_close(found, net[2].weight.grad)


def test_an_eligibility_fades_until_the_reward():
    net, x, y = random_net()
    out = net(x)[0]
    right = (predict(losses.max_over_time, out) == y).float() * 2 - 1
    options = {"a_plus": 0.1, "a_minus": 0.05, "baseline": "none", "tau_e": 50e-3}
    RSTDP(**options, delay=0.1).gradients(net, (x, y), losses.max_over_time)
    found = net[0].weight.grad.clone()
    # the same with a trace a synapse, step by step
    spikes = net[1](net[0](x))[0].detach()
    total = torch.zeros(6, 4)
    for b in range(5):
        e, r, o = torch.zeros(6, 4), torch.zeros(4), torch.zeros(6)
        for n in range(60):
            r, o = r * math.exp(-1 / 20), o * math.exp(-1 / 20)
            e = e * math.exp(-1 / 50)
            e = e + 0.1 * spikes[n, b][:, None] * r - 0.05 * o[:, None] * x[n, b]
            r, o = r + x[n, b], o + spikes[n, b]
        total += right[b] * e * math.exp(-100 / 50)
    torch.testing.assert_close(found, -total / 5, rtol=1e-4, atol=1e-6)


def test_a_delayed_reward_is_learned_with_it_and_not_without():
    assert min(learned(RULES["RSTDP"], seed) for seed in (0, 1)) > 0.95
    assert sum(learned(RULES["STDP"], seed) for seed in (0, 1, 2)) / 3 < 0.7


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: STDP(tau_plus=0.0), "tau_plus"),
        (lambda: STDP(pairing="some"), "pairing"),
        (lambda: STDP(bounds="firm"), "bounds"),
        (lambda: STDP(w_min=1.0), "w_min"),
        (lambda: RSTDP(delay=-1.0), "delay"),
        (lambda: RSTDP(reward="love"), "reward"),
    ],
)
def test_wrong_options_are_named(make, named):
    with pytest.raises(ArgumentError, match=named):
        make()


def test_what_it_cannot_do_is_said():
    net, x, y = random_net()
    with pytest.raises(RuleError, match="input of hidden 1"):
        STDP().gradients(net, (x * 0.5, y), losses.max_over_time)
    images = (torch.rand(10, 2, 2, 4, 4) < 0.5).float()
    for modules, named in (
        ([nn.AvgPool2d(2), nn.Conv2d(2, 2, 1)], r"AvgPool2d, Conv2d.*expected one nn\.Linear"),
        ([nn.Conv2d(2, 2, 3, groups=2)], "got groups"),
        ([nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")], "padding that is not zero"),
        ([nn.Flatten()], "no weights"),
    ):
        net = Sequential(*modules, LIF(), nn.Flatten(), dt=DT, input_rate=None)
        with pytest.raises(RuleError, match=named):
            STDP().gradients(net, (images, torch.tensor([0, 1])), losses.spike_count)
