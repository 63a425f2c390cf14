"""SuperSpike, DECOLLE and eRBP against their formulas, written out."""

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, RuleError
from surgrad.learning import BPTT, DECOLLE, ERBP, RMaxProp, SuperSpike
from surgrad.learning.forward.feedback import fixed
from surgrad.learning.superspike import van_rossum_kernel
from surgrad.neurons import LIF, CuBaLIF
from surgrad.objectives import losses
from tests.learning.nets import SIZE, TIME, assert_equal, batch, cosine, gradients, network


def trains(units):
    generator = torch.Generator().manual_seed(8)
    return (torch.rand(TIME, SIZE, units, generator=generator) < 0.15).double()


def causal(kernel, values):
    """A convolution, written as the sum that it is."""
    out = torch.zeros_like(values)
    for n in range(len(values)):
        out[n] = sum(kernel[n - m] * values[m] for m in range(n + 1))
    return out


@pytest.mark.parametrize("rise", [None, 3e-3])
@pytest.mark.parametrize("online", [False, True])
def test_superspike_of_one_layer_is_the_gradient_of_the_filtered_distance(rise, online):
    loss = losses.VanRossum(tau=8e-3, rise=rise, dt=1e-3)
    net, target = network(CuBaLIF, read=None), trains(6)
    inputs, _, lengths = batch()
    for sample, length in enumerate(lengths):
        target[length:, sample] = 0
    kernel = van_rossum_kernel(loss).kernel(TIME).flatten()

    def distance(output, targets, lengths):
        difference = causal(kernel, output - targets)
        inside = torch.arange(TIME)[:, None] < lengths
        return (difference.square() * inside[..., None]).sum() * 1e-3 / SIZE

    data = inputs, target, lengths
    _, truth = gradients(BPTT(), net, data, distance)
    _, found = gradients(SuperSpike(online=online), net, data, loss)
    assert_equal(found, truth)


def test_the_filtered_distance_is_that_of_van_rossum_in_fine_steps():
    net, target = network(CuBaLIF, read=None), trains(6)
    loss = losses.VanRossum(tau=8e-3, dt=1e-3)
    data = batch()[0], target
    _, truth = gradients(BPTT(), net, data, loss)
    _, found = gradients(SuperSpike(), net, data, loss)
    assert 0.9 < cosine(found["0.weight"], truth["0.weight"]) < 1 - 1e-9


@pytest.mark.parametrize("feedback", ["symmetric", "random", "uniform"])
def test_superspike_in_one_pass_and_in_two(feedback):
    net, (inputs, _, lengths) = network(CuBaLIF, hidden=2), batch()
    data = inputs, torch.ones(TIME, SIZE, 3).double(), lengths
    _, two = gradients(SuperSpike(feedback), net, data, losses.mean_squared_error)
    _, one = gradients(SuperSpike(feedback, online=True), net, data, losses.mean_squared_error)
    assert_equal(one, two)


def test_delays_make_superspike_better():
    net = network(CuBaLIF, hidden=2)
    _, truth = gradients(BPTT(), net, batch(), losses.every_step)
    angles = []
    for delays in (True, False):
        rule = SuperSpike(tau=6e-3, rise=1e-3, delays=delays)
        found = gradients(rule, net, batch(), losses.every_step)[1]
        angles.append(cosine(found["0.weight"], truth["0.weight"]))
    assert 0 < angles[1] < angles[0] - 0.05 < 1


@pytest.mark.parametrize("kind", ["smooth_l1", "cross_entropy"])
def test_decolle_is_the_gradient_of_each_layers_own_loss(kind):
    net, (inputs, targets, lengths) = network(LIF, hidden=2), batch()
    rule = DECOLLE(loss=kind, burn_in=2e-3, amplitude=2.0, ceiling=0.3, floor=0.2, seed=3)
    _, found = gradients(rule, net, (inputs, targets, lengths), losses.every_step)
    inside = (torch.arange(TIME)[:, None] < lengths) & (torch.arange(TIME)[:, None] >= 2)
    net.zero_grad()
    values = inputs
    for index, place in enumerate((0, 2)):
        current = net[place](values.flatten(0, 1)).unflatten(0, values.shape[:2])
        scan = net[place + 1].run(current)
        G = 2.0 * fixed((3, 6), seed=3, layer=index, like=inputs, uniform=True)
        y, v = scan.output @ G.T, scan.v - 1.0
        wanted = targets.expand(TIME, SIZE)
        if kind == "cross_entropy":
            local = nn.functional.cross_entropy(y.flatten(0, 1), wanted.flatten(), reduction="none")
            local = local.view(TIME, SIZE)
        else:
            rows = nn.functional.one_hot(wanted, 3).double()
            local = nn.functional.smooth_l1_loss(y, rows, reduction="none").mean(-1)
        price = 0.3 * (v + 0.01).relu().mean(-1) + 0.2 * (0.1 - v.sigmoid().mean(-1)).relu()
        ((local + price) * inside).sum().div(inside.sum()).backward()
        values = scan.output.detach()
    truth = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    assert_equal(found, truth, names=["0.weight", "0.bias", "2.weight", "2.bias"])


def test_erbp_counts_presynaptic_spikes_that_meet_an_error():
    net = erbp_network()
    inputs, targets, _ = batch()
    rule = ERBP(width=0.5, quantum=2.0, seed=1)
    result, found = gradients(rule, net, (inputs, targets), losses.every_step)
    error = losses.every_step.step_error(result.output, targets)
    unit = 2.0 / (TIME * SIZE)
    scan = net[1].run(net[0](inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2]))
    g = fixed((6, 3), seed=1, layer=0, like=inputs)
    held, hidden, readout = torch.zeros(SIZE, 3).double(), 0.0, 0.0
    fired = 0
    for n in range(TIME):
        held = held + error[n] / unit
        spikes = (held >= 1).double() - (held <= -1).double()
        held, fired = held - spikes, fired + int(spikes.abs().sum())
        if n:
            box = ((scan.v[n].detach() - 1).abs() <= 0.5).double()
            hidden = hidden + torch.einsum("bi,bj->ij", spikes @ g.T * box, inputs[n - 1])
            readout = readout + torch.einsum("bi,bj->ij", spikes, scan.output[n - 1].detach())
    assert fired > 20
    assert_equal(found, {"0.weight": hidden * unit, "2.weight": readout * unit})


def erbp_network():
    from surgrad.network import Sequential
    from surgrad.neurons import LI
    from surgrad.spikes import Surrogate

    torch.manual_seed(2)
    net = Sequential(
        nn.Linear(4, 6, bias=False), LIF(6, tau_mem=8e-3), nn.Linear(6, 3, bias=False), LI(3),
        dt=1e-3, spike=Surrogate(), input_rate=200.0,
    )  # fmt: skip
    return net.double()


def test_rmaxprop_remembers_the_largest_gradient():
    w = nn.Parameter(torch.tensor([0.0, 0.0]))
    optimiser = RMaxProp([w], lr=0.1, gamma=0.5)
    square, expected = torch.zeros(2), torch.zeros(2)
    for gradient in ([2.0, 0.0], [0.1, -1.0], [0.0, 0.5]):
        w.grad = torch.tensor(gradient)
        square = torch.maximum(0.5 * square, w.grad**2)
        expected = expected - 0.1 * w.grad / square.sqrt().clamp(min=1e-12)
        optimiser.step()
        torch.testing.assert_close(w.detach(), expected)


def test_mistakes_are_named():
    with pytest.raises(RuleError, match="end the network in a neuron that spikes"):
        SuperSpike().gradients(network(LIF), (batch()[0], trains(3)), losses.van_rossum)
    with pytest.raises(RuleError, match="errors that add up to zero"):
        SuperSpike("uniform").gradients(network(LIF), batch(), losses.every_step)
    with pytest.raises(ArgumentError, match="rise"):
        SuperSpike(tau=5e-3, rise=5e-3)
    with pytest.raises(ArgumentError, match="burn_in"):
        DECOLLE(burn_in=-1.0)
    with pytest.raises(RuleError, match=r"learnable tau_mem.*EProp"):
        ERBP().gradients(network(LIF), batch(), losses.every_step)
    with pytest.raises(ArgumentError, match="gamma"):
        RMaxProp([nn.Parameter(torch.zeros(1))], gamma=2.0)
