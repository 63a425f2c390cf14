"""Networks on the engine against the same networks on the definition."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
from torch import nn

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.network import Record, Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.spikes import Surrogate
from surgrad.surrogates import TABLE
from tests.kernels.nets import compare, gradients

ROWS = ("fast_sigmoid", "triangle", "boxcar", "spike_train")


def network(row="fast_sigmoid", sizes=(30, 40, 24, 5), scale=3.0, **options):
    torch.manual_seed(3)
    modules = []
    for before, after in pairwise(sizes[:-1]):
        modules += [nn.Linear(before, after), CuBaLIF(after, **options)]
    modules += [nn.Linear(*sizes[-2:]), LI(sizes[-1])]
    spike = Surrogate(TABLE[row](scale))
    return Sequential(*modules, dt=1e-3, spike=spike, input_rate=10.0)


def batch(steps=40, samples=6, units=30, lengths=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    # some units spike twice in a step
    counts = torch.poisson(torch.full((steps, samples, units), 0.15), generator=generator)
    assert counts.max() > 1
    return SpikeTrain.from_dense(counts, lengths), torch.arange(samples) % 5


@pytest.fixture
def watched(monkeypatch):
    """The kinds of source of the layers that ran on the kernels."""
    seen = []
    run = engine._run

    def watch(layer, sequence, features, source, *rest):
        seen.append("current" if source.current is not None else "events")
        return run(layer, sequence, features, source, *rest)

    monkeypatch.setattr(engine, "_run", watch)
    return seen


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("recurrent", [False, True])
def test_spikes_stay_events_and_gradients_are_those_of_the_definition(row, recurrent, watched):
    compare(network(row, recurrent=recurrent), batch())
    assert watched == ["events"] * 3


def test_blocks_of_the_product_with_the_layer_above():
    # 100 and 130 neurons are blocks of 64 and what is left
    compare(network(sizes=(30, 100, 130, 5)), batch())


def test_lengths_of_the_train_are_kept(watched):
    lengths = torch.tensor([40, 0, 1, 17, 39, 25])
    compare(network(), batch(lengths=lengths))
    assert watched == ["events"] * 3


def test_a_dense_input_drives_the_first_layer_only(watched):
    train, targets = batch()
    compare(network(), (train.to_dense(), targets))
    assert watched == ["current", "events", "events"]


def test_records_connect_to_the_graph():
    net, (train, _) = network(), batch()
    found = []
    for forced in (True, False):
        record = Record("s", "v", "counts")
        with kernels.reference() if forced else torch.enable_grad():
            out, _ = net(train, record=record)
        value = out.sum() + sum(
            (layer["s"] * layer["v"]).sum() + layer["counts"].square().sum()
            for layer in record.layers
        )
        grads = torch.autograd.grad(value, list(net[0].parameters()))
        found.append([*(layer["s"] for layer in record.layers), *grads])
    for slow, fast in zip(*found, strict=True):
        assert (slow - fast).abs().max() <= 1e-3 * slow.abs().max()


def test_pieces_of_a_sequence_give_the_whole():
    net, (train, _) = network(recurrent=True), batch()
    whole, _ = net(train)
    first, state = net(train[:13])
    second, _ = net(train[13:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("recurrent", [False, True])
def test_training_agrees_step_by_step(recurrent):
    fast = network(recurrent=recurrent, learn=("tau_mem", "threshold"))
    slow = copy.deepcopy(fast).double()
    optimisers = [torch.optim.SGD(net.parameters(), 1e-2) for net in (fast, slow)]
    values = []
    for step in range(30):
        data = batch(steps=25, seed=step)
        pair = []
        for net, optimiser in zip((fast, slow), optimisers, strict=True):
            with kernels.reference() if net is slow else torch.enable_grad():
                pair.append(gradients(net, data)[0].loss.item())
            optimiser.step()
        values.append(pair)
        assert pair[0] == pytest.approx(pair[1], rel=2e-3, abs=2e-3), step
    assert min(v for v, _ in values) < values[0][0]


@pytest.mark.parametrize("recurrent", [False, True])
def test_results_do_not_depend_on_the_number_of_threads(recurrent):
    net, data = network(recurrent=recurrent), batch(samples=11)
    found = []
    torch.use_deterministic_algorithms(True)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            result, grads = gradients(net, data)
            found.append([result.output, *grads])
    finally:
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_other_connections_take_their_own_call(watched):
    net = network()
    net[2].register_forward_hook(lambda *_: None)
    compare(net, batch())
    assert watched == ["events", "current", "events"]
    with kernels.reference():
        net(batch()[0])
    assert len(watched) == 3
