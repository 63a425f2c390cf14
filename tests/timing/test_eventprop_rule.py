"""EventProp on the grid: it converges to the event-driven gradient, refuses the rest, is finite."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, RuleError
from surgrad.events import SpikeTrain
from surgrad.network import Sequential
from surgrad.neurons import ALIF, LI, LIF, AlphaLIF, CuBaLI, CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import SigmoidEscape, Soft, Stochastic
from surgrad.surrogates import sigmoid
from surgrad.timing import EventProp, SpikeTimeWarning
from surgrad.timing.eventprop import Neurons, Readout, spike_times, train_distance
from tests.timing.eventprop_nets import (
    END,
    TAU_MEM,
    blocks,
    drawn,
    matrices,
    on_grid,
    side_by_side,
    trains,
    weights,
)

EXACT = EventProp(longest_rise=1e6)


def truth(kind: str, network: tuple) -> torch.Tensor:
    """The gradient of event-driven networks, a row for each."""
    hidden, out, times, labels = network
    spikes = hidden(times)
    if kind == "mean_over_time":
        scores = out(spikes).integral(END) / END
    else:
        scores = out(spikes).at(torch.full((len(times), out.out_features), END - 1e-9).double())
    nn.functional.cross_entropy(scores, labels).backward()
    return blocks(hidden, [w.grad for w in weights(hidden, out)])


# networks whose spikes are steep, and as many on the coarsest grid as in continuous time
NETWORKS = [((3, 7, 9, 11, 13), False), ((10,), True)]


@pytest.mark.parametrize(
    ("kind", "reset"),
    [
        ("mean_over_time", "subtract"),
        ("last_step", "zero"),
        pytest.param("mean_over_time", "zero", marks=pytest.mark.slow),
        pytest.param("last_step", "subtract", marks=pytest.mark.slow),
    ],
)
def test_converges_to_the_event_driven_gradient_with_order_one(kind: str, reset: str) -> None:
    # on coarser steps one of them has a spike more
    steps = (1e-4, 5e-5, 2.5e-5)
    errors = []
    for seeds, recurrent in NETWORKS:
        network = hidden, out, times, labels = side_by_side(seeds, recurrent=recurrent)
        expected, found = truth(kind, network), []
        for dt in steps:
            net = on_grid(hidden, out, dt, reset=reset)
            EXACT.gradients(net, (trains(times, dt), labels), getattr(losses, kind))
            rows = blocks(hidden, [p.grad * dt / TAU_MEM for p in matrices(net)])
            found.append((rows - expected).norm(dim=1) / expected.norm(dim=1))
        errors.append(torch.stack(found, 1))
    typical = torch.cat(errors).log().mean(0).exp().tolist()
    assert typical[-1] < 0.02
    for coarse, fine in pairwise(typical):
        assert 1.4 < coarse / fine < 3.0, typical


def test_time_constants_and_thresholds_have_gradients_of_the_limit() -> None:
    """Against differences of the event-driven loss with other constants."""
    hidden, out, times, labels = drawn(3, recurrent=False)
    tau_mem, tau_syn = hidden.neurons.tau_mem, hidden.neurons.tau_syn

    def loss(mem: float, syn: float, theta: float) -> float:
        # on the grid a weight raises the current by itself, whatever the membrane's constant
        scale = mem / tau_mem
        neurons = Neurons(mem, syn, theta, END)
        spikes = spike_times(times[..., None], hidden.weight.detach() * scale, neurons)
        scores = Readout(spikes, out.weight.detach(), tau_mem, tau_syn).integral(END) / END
        return float(nn.functional.cross_entropy(scores, labels))

    point, expected = [tau_mem, tau_syn, 1.0], []
    for index, size in enumerate((1e-7, 1e-7, 1e-5)):
        moved = [[*point[:index], point[index] + s * size, *point[index + 1 :]] for s in (1, -1)]
        expected.append((loss(*moved[0]) - loss(*moved[1])) / (2 * size))
    dt = 5e-5
    net = on_grid(hidden, out, dt, learn=("tau_mem", "tau_syn", "threshold"))
    EXACT.gradients(net, (trains(times, dt), labels), losses.mean_over_time)
    for name, wanted in zip(("tau_mem", "tau_syn", "threshold"), expected, strict=True):
        parameter = net[1].constants[name]
        value = parameter()
        (slope,) = torch.autograd.grad(value.sum(), parameter.raw)
        assert math.isclose(float(parameter.raw.grad / slope), wanted, rel_tol=0.05), name


def test_spiking_outputs_under_a_distance_of_trains() -> None:
    hidden, _, times, _ = drawn(3, recurrent=False)
    wanted = torch.tensor([5e-3, 25e-3], dtype=torch.float64).expand(len(times), 5, 2)
    train_distance(hidden(times), wanted, 10e-3).backward()
    expected, dt = hidden.weight.grad.flatten(), 5e-5
    layer = CuBaLIF(5, tau_mem=TAU_MEM, tau_syn=hidden.neurons.tau_syn)
    net = Sequential(nn.Linear(4, 5, bias=False), layer, dt=dt).double()
    net[0].weight.data = hidden.weight.detach() * dt / TAU_MEM
    targets = torch.zeros(round(END / dt), len(times), 5, dtype=torch.float64)
    for t in (5e-3, 25e-3):
        targets[round(t / dt)] = 1
    # the mean over samples is the same in both
    EXACT.gradients(net, (trains(times, dt), targets), losses.VanRossum(tau=10e-3))
    found = net[0].weight.grad.flatten() * dt / TAU_MEM
    assert (found - expected).norm() < 0.05 * expected.norm()


def test_first_spikes_have_the_gradient_of_their_times() -> None:
    hidden, _, times, _ = drawn(3, recurrent=False)
    labels, tau, dt = torch.tensor([1, 4]), 5e-3, 5e-5
    first = hidden(times)[..., 0]
    assert first.isfinite().all()
    nn.functional.cross_entropy(-first / tau, labels).backward()
    expected = hidden.weight.grad.flatten()
    layer = CuBaLIF(5, tau_mem=TAU_MEM, tau_syn=hidden.neurons.tau_syn)
    net = Sequential(nn.Linear(4, 5, bias=False), layer, dt=dt).double()
    net[0].weight.data = hidden.weight.detach() * dt / TAU_MEM
    EXACT.gradients(net, (trains(times, dt), labels), losses.FirstSpikeLatency(tau=tau))
    found = net[0].weight.grad.flatten() * dt / TAU_MEM
    assert (found - expected).norm() < 0.05 * expected.norm()


def small(*, hidden=CuBaLIF, read=CuBaLI, **options) -> Sequential:
    torch.manual_seed(0)
    return Sequential(
        nn.Linear(6, 8),
        hidden(8, **options),
        nn.Linear(8, 3),
        read(3),
        dt=1e-3,
        input_rate=40.0,
    ).double()


def batch(rate: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = (torch.rand(40, 9, 6, generator=generator) < rate).double()
    return inputs, torch.arange(9) % 3


def gradients(net: Sequential, data: tuple, loss=losses.max_over_time) -> dict[str, torch.Tensor]:
    net.zero_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpikeTimeWarning)
        EventProp().gradients(net, data, loss)
    return {name: p.grad.clone() for name, p in net.named_parameters()}


@pytest.mark.parametrize("hidden", [CuBaLIF, AlphaLIF])
def test_events_and_dense_connections_agree(hidden) -> None:
    """A spike train goes event by event; the same as a tensor goes by autograd."""
    net = small(hidden=hidden, learn=("tau_mem", "threshold"))
    inputs, labels = batch()
    sparse = gradients(net, (SpikeTrain.from_dense(inputs), labels))
    dense = gradients(net, (inputs, labels))
    behind = nn.Sequential(nn.Linear(8, 3), nn.Identity()).double()
    behind.load_state_dict({f"0.{k}": v for k, v in net[2].state_dict().items()})
    other = Sequential(net[0], net[1], *behind, net[3], dt=1e-3, input_rate=None)
    through = gradients(other, (inputs, labels))
    for one, two, three in zip(sparse.values(), dense.values(), through.values(), strict=True):
        assert one.abs().max() > 0
        assert torch.allclose(one, two, rtol=1e-9) and torch.allclose(one, three, rtol=1e-9)


def test_kernels_in_single_precision_agree_with_the_reference() -> None:
    net = small(recurrent=True)
    inputs, labels = batch()
    exact = gradients(net, (SpikeTrain.from_dense(inputs), labels), losses.mean_over_time)
    single = gradients(net.float(), (SpikeTrain.from_dense(inputs), labels), losses.mean_over_time)
    for name, expected in exact.items():
        assert (single[name] - expected).abs().max() < 1e-3 * expected.abs().max(), name


def test_dropout_passes_what_it_let_through() -> None:
    net = Sequential(nn.Dropout(0.5), *small(), dt=1e-3, input_rate=None)
    inputs, labels = batch(0.3)
    torch.manual_seed(3)
    found = gradients(net.train(), (inputs, labels))
    torch.manual_seed(3)
    mask = nn.functional.dropout(torch.ones_like(inputs.flatten(0, 1)), 0.5).view_as(inputs)
    expected = gradients(net.eval(), (inputs * mask, labels))
    for name, value in found.items():
        assert torch.allclose(value, expected[name]), name


def test_padding_does_not_matter() -> None:
    net = small(recurrent=True)
    inputs, labels = batch()
    cut = gradients(net, (inputs[:30], labels), losses.mean_over_time)
    lengths = torch.full((9,), 30)
    padded = gradients(net, (inputs, labels, lengths), losses.mean_over_time)
    assert all(torch.allclose(cut[name], padded[name]) for name in cut)


@pytest.mark.parametrize(
    ("net", "loss", "said"),
    [
        (lambda: small(hidden=LIF), losses.max_over_time, "LIF of hidden 1"),
        (lambda: small(hidden=ALIF), losses.max_over_time, "cuba_lif"),
        (lambda: small(reset="none"), losses.max_over_time, "reset"),
        (lambda: small(refractory=5e-3), losses.max_over_time, "refractory"),
        (lambda: small(spike=Soft(sigmoid(4))), losses.max_over_time, "Soft"),
        (
            lambda: small(spike=Stochastic(SigmoidEscape(4), torch.Generator())),
            losses.max_over_time,
            "Stochastic",
        ),
        (lambda: small(read=LI), losses.max_over_time, "cuba_li"),
        (lambda: small(read=CuBaLIF), losses.spike_count, "number of spikes"),
        (lambda: small(read=CuBaLIF), losses.max_over_time, "first_spike_latency"),
        (
            lambda: small(),
            Objective(losses.max_over_time, [RateBound(upper=10)]),
            "penalties",
        ),
    ],
)
def test_what_has_no_adjoint_is_refused(net, loss, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        EventProp().gradients(net(), batch(), loss)


def test_a_connection_that_is_not_linear_is_refused() -> None:
    net = Sequential(nn.Linear(6, 8), nn.ReLU(), CuBaLIF(8), dt=1e-3).double()
    with pytest.raises(RuleError, match="ReLU"):
        EventProp().gradients(net, batch(), losses.first_spike_latency)


def test_longest_rise_is_a_time() -> None:
    with pytest.raises(ArgumentError, match="longest_rise"):
        EventProp(longest_rise=0.0)


def test_silence_is_said_and_gives_zeros() -> None:
    net = small()
    inputs, labels = batch(0.0)
    with torch.no_grad():
        net[0].bias.zero_()
    with pytest.warns(SpikeTimeWarning, match="no spike"):
        EventProp().gradients(net, (inputs, labels), losses.max_over_time)
    assert all(p.grad.isfinite().all() for p in net.parameters())
    assert net[0].weight.grad.abs().max() == 0


def test_a_grazing_spike_is_cut_and_said() -> None:
    net = Sequential(nn.Linear(1, 1, bias=False), CuBaLIF(1), nn.Linear(1, 2), CuBaLI(2), dt=1e-3)
    net = net.double()
    inputs = torch.zeros(60, 1, 1, dtype=torch.float64)
    inputs[0] = 1
    peak = float(net[1].tableau().kernel(60).max())
    with torch.no_grad():
        net[0].weight.fill_((1 + 1e-9) / peak)
    with pytest.warns(SpikeTimeWarning, match="only just reach"):
        result = EventProp(longest_rise=0.01).gradients(
            net, (inputs, torch.tensor([1])), losses.max_over_time
        )
    assert float(result.counts[0].sum()) == 1
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_spikes_in_the_same_step_have_finite_gradients() -> None:
    net = small(recurrent=True)
    with torch.no_grad():
        net[0].weight.fill_(0.2)
    inputs, labels = batch()
    inputs[:] = inputs[:, :1, :1]
    assert all(g.isfinite().all() for g in gradients(net, (inputs, labels)).values())
