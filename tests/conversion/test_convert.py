"""Converted networks against the analogue ones, closed forms, and counts made by hand."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import surgrad.conversion as conversion
from surgrad import kernels
from surgrad.conversion import (
    METHODS,
    QCFS,
    MaxGate,
    against_time,
    convert,
    multiplications,
    present,
    shift_biases,
)
from surgrad.conversion.balance import least_error, percentile
from surgrad.conversion.graph import Leaf, layers_of, run
from surgrad.errors import ArgumentError, RuleError
from surgrad.learning import BPTT, EProp
from surgrad.network import Record, by_events, spread
from surgrad.neurons import IF
from surgrad.objectives import losses


def mlp(activation=nn.ReLU, sizes=(20, 32, 24, 5)):
    torch.manual_seed(0)
    modules = []
    for a, b in itertools.pairwise(sizes):
        modules += [nn.Linear(a, b), nn.BatchNorm1d(b), activation(), nn.Dropout(0.5)]
    return settle(nn.Sequential(*modules[:-3]), torch.rand(256, sizes[0]))


def settle(net, x):
    """Give batch norms statistics that are not those they begin with."""
    with torch.no_grad():
        net.train()(x)
    return net.eval()


class Block(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.one = nn.Conv2d(a, b, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(b)
        self.two = nn.Conv2d(b, b, 3, 1, 1)
        self.skip = nn.Identity() if a == b and stride == 1 else nn.Conv2d(a, b, 1, stride)

    def forward(self, x):
        y = F.relu(self.norm(self.one(x)))
        return torch.relu(self.two(y) + self.skip(x))


def residual():
    torch.manual_seed(1)
    net = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), Block(4, 4, 1), Block(4, 6, 2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)),
    )
    return settle(net, torch.rand(64, 1, 8, 8))


def convolutional(pool=nn.MaxPool2d):
    torch.manual_seed(2)
    net = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), pool(2), nn.ReLU()),
        *(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 3)),
    )
    return settle(net, torch.rand(64, 1, 8, 8))


NETS = {
    "mlp": (mlp, (20,)),
    "maximum": (convolutional, (1, 8, 8)),
    "average": (lambda: convolutional(nn.AvgPool2d), (1, 8, 8)),
    "residual": (residual, (1, 8, 8)),
}


def error(net, spiking, x, steps):
    with torch.no_grad():
        out, _ = spiking(present(x, steps))
        return float((out[-1] / steps - net(x)).abs().max())


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("method", ["max", "shift"])
def test_the_error_vanishes_as_one_over_time(name, method):
    make, shape = NETS[name]
    net, x = make(), torch.rand(6, *shape)
    # nothing is clipped where the inputs themselves were looked at
    spiking = convert(net, [x], method=method)
    errors = [error(net, spiking, x, steps) for steps in (20, 200, 2000)]
    assert errors[0] > errors[2]
    assert errors[1] < errors[0] / 3 and errors[2] < errors[0] / 20
    assert errors[2] < 0.02


def test_a_network_without_nonlinearity_is_exact_at_every_step():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    settle(net, torch.rand(64, 6))
    x = torch.rand(5, 6)
    out, _ = convert(net, [x])(present(x, 40))
    expected = torch.arange(1, 41).view(-1, 1, 1) * net(x)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


def test_units_in_their_linear_range_are_exact_in_the_limit():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        for layer in (net[0], net[2]):
            layer.weight.abs_()
            layer.bias.abs_()
    x = torch.rand(5, 6)
    linear = net[4](net[2](net[0](x)))
    assert torch.equal(linear, net(x))
    spiking = convert(net, [x], method="shift")
    errors = [error(net, spiking, x, steps) * steps for steps in (10, 100, 1000, 10_000)]
    assert max(errors) < 3 * max(errors[0], 1.0)


@pytest.mark.parametrize("start", [0.0, 0.5, 0.25])
def test_the_count_of_an_integrate_and_fire_neuron(start):
    current = torch.linspace(-0.5, 0.99, 23, dtype=torch.float64)
    for steps in (1, 7, 32):
        drive = current.expand(steps, 1, 23)
        spikes, _ = IF(start=start, threshold=0.8, delay=0, dt=1e-3).double()(drive)
        expected = ((current * steps / 0.8 + start).ceil() - 1).clamp(0, steps)
        assert torch.equal(spikes.sum((0, 1)), expected)


@pytest.mark.parametrize("levels", [1, 4, 8])
def test_one_qcfs_layer_is_the_spiking_layer_after_as_many_steps(levels):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(9, 30), QCFS(levels, 0.7), nn.Linear(30, 4)).double()
    x = torch.rand(50, 9, dtype=torch.float64)
    record = Record("counts")
    spiking = convert(net, [x], method="qcfs").double()
    out, _ = spiking(present(x, levels), record=record)
    hidden = net[1](net[0](x))
    assert 0 < float((hidden > 0).double().mean()) < 1
    torch.testing.assert_close(record[0]["counts"] * 0.7 / levels, hidden, atol=1e-6, rtol=0)
    torch.testing.assert_close(out[-1] / levels, net(x), atol=1e-6, rtol=0)


def test_qcfs_passes_gradients_within_its_range_and_to_its_ceiling():
    layer, z = QCFS(4, 2.0), torch.tensor([-1.0, 0.6, 1.3, 5.0], requires_grad=True)
    layer(z).sum().backward()
    assert z.grad.tolist() == [0, 1, 1, 0]
    assert layer.ceiling.grad is not None and float(layer.ceiling.grad) != 0
    with pytest.raises(ArgumentError):
        QCFS(0)
    with pytest.raises(ArgumentError):
        QCFS(4, -1.0)


def test_a_residual_block_counts_like_the_sum():
    net, x = residual(), torch.rand(8, 1, 8, 8)
    spiking = convert(net, [x], method="shift")
    record = Record("counts")
    spiking(present(x, 2000), record=record)
    wanted = {}
    run(layers_of(net), x, lambda name, a: wanted.setdefault(name, a))
    last = list(wanted.values())[-1]
    found = record[4]["counts"] / 2000 * float(last.detach().max())
    torch.testing.assert_close(found, last, atol=0.02, rtol=0.02)
    # a relay passes spikes on as they come
    first, relay = record[0]["counts"], record[1]["counts"][:, 4:]
    assert (first - relay).abs().max() <= 1


def test_the_gate_lets_the_maximum_of_the_counts_through():
    torch.manual_seed(3)
    spikes = (torch.rand(40, 2, 3, 6, 6) < torch.rand(2, 3, 6, 6)).float()
    pools = [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d((3, 2), (1, 2), (0, 1))]
    for pool in (*pools, nn.MaxPool2d(2, dilation=2), nn.MaxPool2d(4, ceil_mode=True)):
        gate = MaxGate(pool)
        whole, _ = gate(spikes)
        with torch.no_grad():
            assert torch.equal(gate(spikes)[0], whole)
        counts = torch.stack([pool(c) for c in spikes.cumsum(0)])
        assert torch.equal(whole.cumsum(0), counts)
        assert set(whole.unique().tolist()) == {0.0, 1.0}
        first, state = gate(spikes[:13])
        assert torch.equal(torch.cat([first, gate(spikes[13:], state)[0]]), whole)
    with pytest.raises(RuleError, match="average pooling"):
        gate.tableau()


def test_percentile_and_least_error():
    values = torch.arange(1.0, 1001.0)[torch.randperm(1000)]
    assert percentile(values, 99.0) == 990 and percentile(values, 100.0) == 1000
    # an outlier is not worth the resolution of all others
    assert least_error(torch.cat([values, torch.tensor([3e3])]), 4) < 1500
    uniform = torch.linspace(0.001, 1, 1000)
    assert least_error(uniform, 64) == pytest.approx(1.0, abs=0.03)


def test_calibration_brings_the_mean_of_each_layer_close():
    net, x = mlp(), torch.rand(256, 20)
    logits = net(x).mean(0).detach()
    errors = {}
    for method in ("percentile", "calibrated"):
        out, _ = convert(net, [x], method=method, steps=4)(present(x, 4))
        errors[method] = float((out[-1].mean(0).detach() / 4 - logits).abs().max())
    assert errors["calibrated"] < 1e-4 < errors["percentile"]


def test_a_shift_of_biases_stands_for_the_start():
    net, x = mlp(), torch.rand(32, 20)
    spiking = convert(net, [x], method="shift")
    shifted = copy.deepcopy(spiking)
    shift_biases(shifted, 8)
    counts = []
    for one in (spiking, shifted):
        record = Record("counts")
        one(present(x, 8), record=record)
        counts.append(record[0]["counts"])
    assert all(n.start == 0 for n in shifted.neurons if isinstance(n, IF))
    # the first layer's current is constant: only rounding can differ
    assert (counts[0] != counts[1]).float().mean() < 0.01


@pytest.mark.parametrize("name", ["mlp", "average"])
def test_spikes_and_operations_are_those_counted_by_hand(name):
    make, shape = NETS[name]
    net, x = make(), torch.rand(10, *shape)
    spiking = convert(net, [x], method="shift")
    labels = net(x).argmax(1)
    points = against_time(spiking, [(x[:4], labels[:4]), (x[4:], labels[4:])], [20, 3])
    record = Record("counts", "s")
    with torch.no_grad():
        out, _ = spiking(present(x, 20), record=record)
    assert [point.steps for point in points] == [3, 20]
    for point in points:
        layers = [layer["s"][: point.steps].sum(0) for layer in record.layers[:-1]]
        assert point.spikes == pytest.approx(float(sum(n.sum() for n in layers)) / 10)
        right = (out[point.steps - 1].argmax(1) == labels).float().mean()
        assert point.accuracy == pytest.approx(float(right))
        if name == "mlp":
            by_hand = float(layers[0].sum() * 24 + layers[1].sum() * 5) / 10
        else:
            # a pixel of 8 × 8 is one of 4 × 4 behind the average, seen by 3 × 3 kernels
            seen = torch.tensor([1.0, 2, 2, 1]).outer(torch.tensor([1.0, 2, 2, 1])) * 6
            wide = seen.repeat_interleave(2, 0).repeat_interleave(2, 1)
            wide = wide if layers[0].shape[-1] == 8 else seen
            by_hand = float((layers[0] * wide).sum() + layers[1].sum() * 3) / 10
        assert point.operations == pytest.approx(by_hand)


def test_multiplications_of_the_analogue_network():
    assert multiplications(mlp(), torch.rand(1, 20)) == 20 * 32 + 32 * 24 + 24 * 5
    expected = 64 * 4 * 9 + 4 * 6 * 36 + 6 * 3
    assert multiplications(convolutional(), torch.rand(1, 1, 8, 8)) == expected


@pytest.mark.parametrize("rule", [BPTT(), EProp()])
def test_any_rule_trains_it_further(rule):
    net, x = mlp(), torch.rand(32, 20)
    y = (net(x).roll(1, 1)).argmax(1)
    spiking = convert(net, [x], method="shift")
    optimiser = torch.optim.Adam(spiking.parameters(), 1e-2)
    values = []
    for _ in range(15):
        optimiser.zero_grad()
        values.append(float(rule.gradients(spiking, (present(x, 6), y), losses.last_step).loss))
        optimiser.step()
    assert values[-1] < 0.8 * values[0]


@pytest.mark.parametrize("name", list(NETS))
def test_it_runs_on_events_as_on_the_reference(name):
    make, shape = NETS[name]
    net, x = make(), torch.rand(8, *shape)
    spiking = convert(net, [x])
    out, _ = spiking(present(x, 30))
    with kernels.reference():
        expected, _ = spiking(present(x, 30))
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)


def test_events_drive_what_lies_behind_the_first_neurons():
    stages = convert(mlp(), [torch.rand(8, 20)]).stages
    for stage, size in zip(stages[1:], (32, 24), strict=True):
        assert by_events(stage, (size,)) is not None
    stages = convert(convolutional(nn.AvgPool2d), [torch.rand(8, 1, 8, 8)]).stages
    for stage, features in zip(stages[1:], ((4, 4, 4), (6, 2, 2)), strict=True):
        assert spread(stage, features) is not None


def test_the_analogue_network_is_not_changed_and_the_spiking_one_pickles():
    net, x = mlp(), torch.rand(8, 20)
    before = copy.deepcopy(net.state_dict())
    spiking = pickle.loads(pickle.dumps(convert(net, [x], method="calibrated")))
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert spiking(present(x, 4))[0].shape == (4, 8, 5)


class Odd(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what, self.first = what, nn.Linear(4, 4)

    def forward(self, x):
        x = self.first(x)
        if self.what == "tanh":
            return torch.tanh(x)
        if self.what == "branch":
            return x if x.sum() > 0 else -x
        if self.what == "constant":
            return torch.relu(x) + 1
        return self.first(x) + x


@pytest.mark.parametrize(
    ("net", "named"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.GELU()), "layer 1.*GELU"),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LSTM(4, 4)), "layer 2"),
        (Odd("tanh"), "layer tanh"),
        (Odd("branch"), "cannot be traced"),
        (Odd("constant"), "layer add.*sum of something else"),
        (Odd("sum"), "residual connection add.*before an activation"),
    ],
)
def test_what_cannot_be_converted_is_named(net, named):
    with pytest.raises(ArgumentError, match=f"(?s){named}"):
        convert(net, [torch.rand(3, 4)])


@pytest.mark.parametrize(
    ("options", "named"),
    [({"method": "x"}, "method"), ({"method": "qcfs"}, "layer 2.*ReLU"), ({"share": 0}, "share")],
)
def test_wrong_options_are_named(options, named):
    with pytest.raises(ArgumentError, match=f"(?s){named}"):
        convert(mlp(), [torch.rand(3, 20)], **options)
    with pytest.raises(ArgumentError, match="no batch"):
        convert(mlp(), [])


def test_batch_norm_that_follows_no_weights_keeps_its_place():
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(3)),
        *(nn.Flatten(), nn.BatchNorm1d(48), nn.Linear(48, 2)),
    )
    settle(net, torch.rand(32, 2, 4, 4))
    x = torch.rand(5, 2, 4, 4)
    layers = layers_of(net)
    assert [type(layer.module).__name__ for layer in layers if isinstance(layer, Leaf)].count(
        "Conv2d"
    ) == 3
    torch.testing.assert_close(run(layers, x, lambda *_: None), net(x), rtol=1e-4, atol=1e-5)
    assert error(net, convert(net, [x], method="shift"), x, 4000) < 5e-3


def test_every_method_is_told_apart():
    x = torch.rand(512, 20)
    outs = []
    for name in METHODS:
        net = mlp(QCFS if name == "qcfs" else nn.ReLU)
        outs.append(convert(net, [x], method=name, share=98.0)(present(x, 5))[0][-1])
    for i, one in enumerate(outs):
        assert not any(torch.equal(one, other) for other in outs[:i])
    assert set(conversion.METHODS) == {"max", "percentile", "shift", "qcfs", "calibrated"}


def test_biases_of_any_method_can_be_corrected():
    net, x = mlp(), torch.rand(256, 20)
    wanted = net(x).mean(0).detach()
    errors = []
    for correct in (None, True):
        spiking = convert(net, [x], method="shift", steps=4, correct=correct)
        with torch.no_grad():
            errors.append(float((spiking(present(x, 4))[0][-1].mean(0) / 4 - wanted).abs().max()))
    assert errors[1] < 1e-4 < errors[0]
