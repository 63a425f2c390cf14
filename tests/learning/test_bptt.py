"""Back-propagation through time: against finite differences, its truncation against by-hand."""

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, ShapeError
from surgrad.learning import BPTT, TruncatedBPTT
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import Soft, Surrogate
from surgrad.surrogates import fast_sigmoid, sigmoid


def network(spike, *, dropout=0.0, **options):
    torch.manual_seed(2)
    net = Sequential(
        nn.Linear(4, 6),
        CuBaLIF(
            6, recurrent=True, tau_mem=8e-3, tau_syn=4e-3, learn=("tau_mem", "tau_syn"), **options
        ),
        nn.Dropout(dropout),
        nn.Linear(6, 5),
        CuBaLIF(5, tau_mem=8e-3, tau_syn=4e-3, learn=("threshold",), **options),
        nn.Linear(5, 3),
        LI(3, tau_mem=10e-3, learn=("tau_mem",)),
        dt=1e-3,
        spike=spike,
        input_rate=300.0,
    )
    with torch.no_grad():
        for index in (0, 3):
            net[index].weight.mul_(4)
    return net.double()


def batch(time=24, size=5):
    generator = torch.Generator().manual_seed(3)
    inputs = (torch.rand(time, size, 4, generator=generator) < 0.4).double()
    lengths = torch.tensor([time, time - 5, 3, time // 2, time])[:size]
    return inputs, torch.tensor([0, 1, 2, 0, 1])[:size], lengths


def gradients(rule, net, data, objective):
    net.zero_grad()
    result = rule.gradients(net, data, objective)
    return result, {name: p.grad.clone() for name, p in net.named_parameters()}


OBJECTIVE = Objective(losses.max_over_time, [RateBound(lower=300.0, strength=1e-3, norm="l2")])


def test_the_soft_network_agrees_with_finite_differences():
    net, data = network(Soft(sigmoid(3)), detach_reset=False), batch()
    _, found = gradients(BPTT(), net, data, OBJECTIVE)
    saved = {name: p.detach().clone() for name, p in net.named_parameters()}

    def value():
        net.zero_grad()
        result = BPTT().gradients(net, data, OBJECTIVE)
        return float(result.loss + result.penalty)

    for name, parameter in net.named_parameters():
        flat, eps = parameter.data.view(-1), 1e-6
        for index in range(0, len(flat), 3):
            start = flat[index].item()
            flat[index] = start + eps
            above = value()
            flat[index] = start - eps
            below = value()
            flat[index] = start
            truth = (above - below) / (2 * eps)
            scale = max(found[name].abs().max().item(), 1e-4)
            assert found[name].view(-1)[index].item() == pytest.approx(truth, abs=1e-6 * scale)
        assert torch.equal(parameter.detach(), saved[name])
        assert found[name].abs().max() > 0


@pytest.mark.parametrize("window", [24, 25, 1000])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_a_window_as_long_as_the_sequence_is_bptt(window, dropout):
    net, data = network(Surrogate(fast_sigmoid(5)), dropout=dropout), batch()
    torch.manual_seed(9)
    expected, truth = gradients(BPTT(), net, data, OBJECTIVE)
    torch.manual_seed(9)
    result, found = gradients(TruncatedBPTT(window), net, data, OBJECTIVE)
    torch.testing.assert_close(result.loss, expected.loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(result.penalty, expected.penalty, rtol=1e-12, atol=0)
    assert result.penalty > 0
    assert all(count.sum() > 0 for count in result.counts)
    for name in truth:
        torch.testing.assert_close(found[name], truth[name], rtol=1e-10, atol=1e-14)
        assert truth[name].abs().max() > 0


@pytest.mark.parametrize("window", [3, 7])
def test_truncation_detaches_state_between_windows(window):
    net, (inputs, targets, _) = network(Surrogate(fast_sigmoid(5))), batch()
    _, found = gradients(TruncatedBPTT(window), net, (inputs, targets), losses.max_over_time)
    net.zero_grad()
    state, outputs = None, []
    for start in range(0, len(inputs), window):
        out, state = net(inputs[start : start + window], state)
        state = tuple(layer.detach() for layer in state)
        outputs.append(out)
    losses.max_over_time(torch.cat(outputs), targets).backward()
    full = gradients(
        BPTT(), network(Surrogate(fast_sigmoid(5))), (inputs, targets), losses.max_over_time
    )[1]
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-10, atol=1e-14)
    assert not torch.allclose(found["0.weight"], full["0.weight"], rtol=1e-3)


def test_gradients_add_up_and_the_output_has_no_graph():
    net, data = network(Surrogate(fast_sigmoid(5))), batch()
    _, once = gradients(BPTT(), net, data, OBJECTIVE)
    result = BPTT().gradients(net, data, OBJECTIVE)
    assert not result.output.requires_grad
    assert not any(count.requires_grad for count in result.counts)
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.grad, 2 * once[name])


def test_batch_first_networks_take_batch_first_batches():
    net, (inputs, targets, lengths) = network(Surrogate(fast_sigmoid(5))), batch()
    _, expected = gradients(BPTT(), net, (inputs, targets, lengths), OBJECTIVE)
    net.batch_first = True
    flipped = inputs.transpose(0, 1), targets, lengths
    for rule in (BPTT(), TruncatedBPTT(100)):
        _, found = gradients(rule, net, flipped, OBJECTIVE)
        for name in expected:
            torch.testing.assert_close(found[name], expected[name])


def test_mistakes_are_named():
    with pytest.raises(ArgumentError, match="window"):
        TruncatedBPTT(0)
    with pytest.raises(ShapeError, match="batch"):
        BPTT().gradients(network(Surrogate()), (torch.zeros(3, 1, 4),), losses.max_over_time)
