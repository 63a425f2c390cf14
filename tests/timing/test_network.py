"""Networks of spike times: what comes in, what is recorded, and training by command."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from surgrad.errors import ArgumentError, RuleError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.learning import BPTT
from surgrad.learning.base import Batch
from surgrad.liveness import initialise
from surgrad.network import Record
from surgrad.objectives import LOSSES, Objective, Wake, WeightSum, predict
from surgrad.studies.gradients import gradients
from surgrad.timing import LAYERS, NonLeaky, SpikeTimes, first_times
from surgrad.training import schema
from surgrad.training.build import build
from surgrad.training.rules import RULES

DT = 1e-3
TRAIN = SpikeTrain.from_events(
    [3, 1, 5, 0, 2], [0, 0, 2, 1, 2], [0, 0, 0, 1, 1], time=8, features=(3,), batch=2
)


def small(kind: str = "nonleaky", **options: Any) -> SpikeTimes:
    torch.manual_seed(0)
    make = LAYERS[kind]
    options = {"drive": 4.0, "tau": 5e-3} | options
    return SpikeTimes(make(3, 6, **options), make(6, 2, **options), dt=DT)


def test_the_first_spike_of_each_unit() -> None:
    expected = torch.tensor([[1.0, torch.inf, 5.0], [torch.inf, 0.0, 2.0]]).double() * DT
    torch.testing.assert_close(first_times(TRAIN, DT), expected)
    torch.testing.assert_close(first_times(TRAIN.to_dense(), DT), expected)
    assert first_times(TRAIN.reshape(3, 1), DT).shape == (2, 3)


def test_steps_and_times_are_the_same_input() -> None:
    net = small()
    output, state = net.run(TRAIN)
    assert state == () and output.shape == (1, 2, 2)
    assert torch.equal(output[0], net(first_times(TRAIN, DT)))
    assert torch.equal(output[0], net(TRAIN.to_dense()))
    with pytest.raises(ShapeError, match="spike times"):
        net(torch.zeros(3))


@pytest.mark.parametrize("kind", LAYERS)
def test_records_lie_on_the_steps_of_the_input(kind: str) -> None:
    net = small(kind, dtype=torch.float64)
    train = TRAIN.pad(60)
    record = Record("s", "v", "counts")
    output, _ = net.run(train, record=record)
    times = [net.neurons[0](first_times(TRAIN, DT)), output[0]]
    for layer, out in zip(record.layers, times, strict=True):
        fires = torch.isfinite(out) & (out < 59 * DT)
        assert torch.equal(layer["s"].sum(0), fires.double())
        step = layer["s"].argmax(0)[fires]
        # step n holds what lies between n dt and (n + 1) dt
        assert ((step * DT <= out[fires]) & (out[fires] < (step + 1) * DT)).all()
        assert torch.equal(layer["counts"], torch.isfinite(out).float())
        # the potential is below its threshold until then, and nothing afterwards
        assert (layer["v"] < 1.0).all() and layer["v"].max() > 0.5
        after = torch.arange(60)[:, None, None] * DT > out
        assert not layer["v"][after].any()


def test_weights_are_drawn_for_the_spikes_that_come() -> None:
    net = SpikeTimes(NonLeaky(1000, 400, drive=2.0, spread=0.5), NonLeaky(400, 100, drive=3.0))
    steps, units = torch.zeros(50, dtype=torch.long), torch.arange(50)
    train = SpikeTrain.from_events(steps, units, time=5, features=(1000,))
    net.initialise(train, torch.Generator().manual_seed(0))
    first, second = (w.detach() for w in net.weights)
    assert first.mean().item() == pytest.approx(2.0 / 50, rel=0.05)
    assert first.std().item() == pytest.approx(0.5 / 50**0.5, rel=0.05)
    assert second.mean().item() == pytest.approx(3.0 / 400, rel=0.1)
    again = SpikeTimes(NonLeaky(1000, 400, drive=2.0, spread=0.5), NonLeaky(400, 100, drive=3.0))
    again.initialise(train, torch.Generator().manual_seed(0))
    assert torch.equal(again.weights[0], first)
    empty = SpikeTrain.from_events([], [], time=5, features=(1000,))
    with pytest.raises(ArgumentError, match="no spike at all"):
        net.initialise(empty)
    with pytest.raises(ArgumentError, match="the network's own initialise"):
        initialise(net, train)


def test_bptt_gives_the_gradient_of_times_and_penalties() -> None:
    net = small(dtype=torch.float64)
    labels, penalties = torch.tensor([0, 1]), [WeightSum(strength=0.1, least=9.0), Wake()]
    objective = Objective(LOSSES["first_spike_time"](), penalties)
    result = BPTT().gradients(net, (TRAIN, labels), objective)
    found = [torch.as_tensor(p.grad).clone() for p in net.parameters()]
    hidden = net.neurons[0](first_times(TRAIN, DT))
    out = net.neurons[1](hidden)
    price = sum(
        penalty.of(weight, torch.isfinite(t).float())
        for weight, t in zip(net.weights, (hidden, out), strict=True)
        for penalty in penalties
    )
    loss = torch.nn.functional.cross_entropy(-out / 2e-3, labels)
    truth = torch.autograd.grad(loss + price, list(net.parameters()))
    torch.testing.assert_close(result.loss, loss.detach())
    torch.testing.assert_close(result.penalty, torch.as_tensor(price).detach())
    for mine, theirs in zip(found, truth, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("kind", [kind for kind in RULES if kind != "bptt"])
def test_what_needs_time_steps_says_so(kind: str) -> None:
    loss = LOSSES["first_spike_time"]()
    with pytest.raises(RuleError, match=r"SpikeTimes, which has no time steps.*BPTT"):
        RULES[kind]().gradients(small(), (TRAIN, torch.tensor([0, 1])), loss)


def test_gradients_by_layer() -> None:
    net, labels = small(), torch.tensor([0, 1])
    objective = Objective(LOSSES["first_spike_time"]())
    found = gradients(BPTT(), net, Batch(TRAIN, labels), objective)
    BPTT().gradients(net, (TRAIN, labels), objective)
    assert list(found) == ["hidden 1", "read-out"]
    for row, weight in zip(found.values(), net.weights, strict=True):
        assert row.any() and torch.equal(row, torch.as_tensor(weight.grad).flatten().double())


XOR = Path(__file__).parents[2] / "experiments" / "temporal_xor.toml"


@pytest.mark.parametrize("kind", LAYERS)
def test_temporal_xor_is_solved(kind: str) -> None:
    """By each model with four hidden neurons (figure 7 of Neftci, Mostafa & Zenke 2019)."""
    changes = {"network.layers.0.neuron": kind, "network.readout.neuron": kind}
    changes |= {"data.repeats": "1", "seed": "3"}
    run = build(schema.load(XOR, list(changes.items())))
    batch: Any = run.splits.train.__getitems__(range(4))
    result = run.rule.gradients(run.net, batch, run.objective)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(400):
            run.optimiser.zero_grad()
            result = run.rule.gradients(run.net, batch, run.objective)
            run.optimiser.step()
            if float(result.loss) < 0.1:
                break
    assert float(result.loss) < 0.1
    assert torch.equal(predict(run.objective, result.output), batch[1])
