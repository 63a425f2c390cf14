"""Neurons given by a step: closed forms, finite differences, lengths, state as a value, errors."""

import math

import pytest
import torch
from torch import nn

from surgrad.errors import RuleError
from surgrad.learning import BPTT, RTRL, EProp, TruncatedBPTT
from surgrad.network import Sequential
from surgrad.neurons import LI
from surgrad.neurons.nonlinear import QIF
from surgrad.objectives import losses
from surgrad.spikes import Soft
from surgrad.surrogates import sigmoid


def current(time=9, seed=7):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((time, 2, 3), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("drive", [0.4, 1.0, 4.0])
def test_the_period_is_the_closed_form(drive):
    dt, tau, critical = 5e-5, 20e-3, 0.5
    neuron = QIF(1, tau_mem=tau, critical=critical, dt=dt).double()
    steps = 6_000
    train = torch.full((steps, 1, 1), drive * dt / tau, dtype=torch.float64)
    with torch.no_grad():
        times = neuron(train)[0].flatten().nonzero().flatten() * dt
    root = math.sqrt(drive / critical - 0.25)
    ends = (1 / critical - 0.5) / root, -0.5 / root
    period = tau / root * (math.atan(ends[0]) - math.atan(ends[1]))
    assert len(times) > 3
    assert float(times.diff().double().mean()) == pytest.approx(period, rel=1e-2)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("delay", [0, 1])
def test_soft_networks_agree_with_finite_differences(reset, recurrent, delay):
    torch.manual_seed(5)
    learn = "tau_mem", "critical", "threshold"
    neuron = QIF(
        3, reset=reset, recurrent=recurrent, delay=delay, detach_reset=False, dt=1e-3,
        spike=Soft(sigmoid(3)), learn=learn, per_neuron=learn,
    ).double()  # fmt: skip
    inputs = current().mul(0.5).requires_grad_()
    weights = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(1)).double()

    def value():
        return (neuron(inputs)[0] * weights).sum()

    value().backward()
    for tensor in (inputs, *neuron.parameters()):
        flat = tensor.detach().view(-1)
        truth = torch.zeros_like(flat)
        for index in range(len(flat)):
            saved, ends = flat[index].item(), []
            for shift in (4e-6, -4e-6):
                flat[index] = saved + shift
                with torch.no_grad():
                    ends.append(float(value()))
            flat[index] = saved
            truth[index] = (ends[0] - ends[1]) / 8e-6
        assert truth.abs().max() > 1e-6
        error = (tensor.grad.view(-1) - truth).abs().max() / truth.abs().max()
        assert error < 1e-6


def network(**options):
    torch.manual_seed(0)
    modules = nn.Linear(3, 8), QIF(8, recurrent=True, **options), nn.Linear(8, 2), LI(2)
    return Sequential(*modules, dt=1e-3).double()


def test_pieces_give_the_numbers_of_the_whole_and_padding_changes_nothing():
    net, values = network(refractory=2e-3), current(30)
    whole, end = net(values)
    first, state = net(values[:11])
    second, state = net(values[11:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=0)
    torch.testing.assert_close(state[0].x, end[0].x, rtol=0, atol=0)
    lengths = torch.tensor([30, 12])
    _, padded = net(values, lengths=lengths)
    noise = values.clone()
    noise[12:, 1] = 9.0
    _, noisy = net(noise, lengths=lengths)
    torch.testing.assert_close(padded[0].x, noisy[0].x, rtol=0, atol=0)
    alone = net(values[:12, 1:])[1]
    torch.testing.assert_close(padded[0].x[:, 1:], alone[0].x, rtol=0, atol=1e-12)


def test_long_windows_are_bptt_and_rules_from_tableaus_say_why_not():
    batch = current(20) * 3, torch.tensor([0, 1])
    found = []
    for rule in (BPTT(), TruncatedBPTT(window=20)):
        net = network()
        rule.gradients(net, batch, losses.max_over_time)
        found.append([p.grad for p in net.parameters()])
    assert found[0][0].abs().max() > 0
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-14)
    for rule in (RTRL(), EProp()):
        with pytest.raises(RuleError, match="not linear below threshold"):
            rule.gradients(network(), batch, losses.max_over_time)
