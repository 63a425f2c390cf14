"""Networks: state as a value, streaming, lengths, records, copies, errors."""

import copy
import pickle

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.network import Record, Sequential
from surgrad.neurons import LI, LIF, NEURONS, CuBaLIF
from tests.kinds import SPIKING


def spikes(time=37, batch=5, units=6, density=0.2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(time, batch, units, generator=generator) < density).double()


def network(name="cuba_lif", *, recurrent=True, **options):
    torch.manual_seed(1)
    hidden = NEURONS[name](8, recurrent=recurrent, **options)
    modules = nn.Linear(6, 8), hidden, nn.Linear(8, 3), LI(3)
    net = Sequential(*modules, dt=1e-3, input_rate=200.0).double()
    with torch.no_grad():
        net[0].weight.mul_(4)
    return net


def run(net, values, **options):
    with torch.no_grad():
        return net(values, **options)


def same(left, right, tolerance=0.0):
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (name, options)
        for name, kind in SPIKING.items()
        for options in ({}, {"delay": 0}, {"reset": "zero"}, {"refractory": 2e-3})
        if options.get("reset", kind.resets[0]) in kind.resets
    ],
)
def test_pieces_and_single_steps_give_the_numbers_of_the_whole(name, options):
    net, values = network(name, **options), spikes()
    record = Record("s")
    whole, end = run(net, values, record=record)
    assert 0 < record[0]["s"].mean() < 1
    state, pieces = None, []
    for start, stop in ((0, 1), (1, 20), (20, 37)):
        piece, state = run(net, values[start:stop], state=state)
        pieces.append(piece)
    same(torch.cat(pieces), whole)
    for left, right in zip(state, end, strict=True):
        for a, b in zip(left, right, strict=True):
            same(a, b)
    state, frames = None, []
    for frame in values:
        with torch.no_grad():
            out, state = net.step(frame, state)
        frames.append(out)
    same(torch.stack(frames), whole)


@pytest.mark.parametrize("name", SPIKING)
def test_padding_changes_nothing(name):
    net, values = network(name), spikes()
    lengths = torch.tensor([37, 1, 0, 12, 30])
    padded, state = run(net, values, lengths=lengths)
    noise = values.clone()
    for sample, length in enumerate(lengths):
        noise[length:, sample] = 1
    again, _ = run(net, noise, lengths=lengths)
    same(padded, again)
    for sample, length in enumerate(lengths):
        assert (padded[length:, sample] == 0).all()
        if length:
            alone, end = run(net, values[:length, sample : sample + 1])
            same(padded[:length, sample : sample + 1], alone, 1e-12)
            for layer, layer_alone in zip(state, end, strict=True):
                same(layer.x[:, sample : sample + 1], layer_alone.x, 1e-12)
                same(layer.s[sample : sample + 1], layer_alone.s, 1e-12)


def test_events_and_dense_input_are_the_same():
    net, values = network(), spikes()
    train = SpikeTrain.from_dense(values, lengths=torch.tensor([37, 3, 9, 12, 30]))
    from_events, _ = run(net, train)
    from_dense, _ = run(net, values, lengths=train.lengths)
    same(from_events, from_dense, 1e-12)


def test_batch_first_is_only_a_transposition():
    net, values = network(), spikes()
    expected, _ = run(net, values)
    net.batch_first = True
    out, _ = run(net, values.transpose(0, 1))
    same(out.transpose(0, 1), expected)


def test_copies_behave_alike():
    net, values = network(learn=("tau_mem",)), spikes()
    expected, _ = run(net, values)
    loaded = network(learn=("tau_mem",), tau_mem=35e-3)
    assert not torch.equal(run(loaded, values)[0], expected)
    loaded.load_state_dict(net.state_dict(), strict=True)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), loaded):
        same(run(twin, values)[0], expected)


def test_no_state_is_left_behind():
    net = network()
    first, _ = run(net, spikes())
    run(net, spikes(batch=2, time=4))
    same(run(net, spikes())[0], first)
    out, _ = net(spikes().requires_grad_())
    out.sum().backward()
    out, _ = net(spikes().requires_grad_())
    out.sum().backward()


def test_records_hold_what_happened():
    net, record = network(), Record("s", "v", "counts")
    out, _ = run(net, spikes(), record=record)
    assert len(record) == 2
    hidden = record[0]
    assert torch.equal(hidden["s"], (hidden["v"] > 1).double())
    same(hidden["counts"], hidden["s"].sum(0))
    same(record[1]["v"], out)


def test_convolutions_and_a_tail():
    torch.manual_seed(0)
    net = Sequential(
        nn.Conv2d(2, 4, 3),
        LIF((4, 6, 6)),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 5),
        CuBaLIF(5),
        nn.Linear(5, 2),
        dt=1e-3,
    )
    frames = (torch.rand(11, 3, 2, 8, 8) < 0.3).float()
    out, _ = run(net, frames)
    assert out.shape == (11, 3, 2)
    record = Record("s")
    run(net, frames, record=record)
    assert record[0]["s"].sum() > 0
    same(out, net[6](record[1]["s"]), 1e-6)


def test_stages_have_names_and_connections():
    net = network()
    assert [stage.name for stage in net.stages] == ["hidden 1", "read-out"]
    assert net.stages[1].connection[0] is net[2]
    assert (len(net), net.dt) == (4, 1e-3)


def test_every_layer_has_a_name_of_its_own():
    net = Sequential(nn.Linear(3, 3), LI(3), LIF(3), nn.Linear(3, 2), LI(2), nn.ReLU(), dt=1e-3)
    assert net.names == [stage.name for stage in net.stages] == ["hidden 1", "hidden 2", "read-out"]
    assert net.parts["hidden 2"][1] is net[2] and net.parts["tail"][0][0] is net[5]
    assert Sequential(LIF(3), dt=1e-3).names == ["hidden 1"]


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        (torch.zeros(6), ["1 axes", "(time, batch"]),
        (torch.zeros(4, 6), ["2 axes", "unsqueeze"]),
        (torch.zeros(4, 2, 7), ["7", "in_features", "6"]),
        (torch.zeros(4, 2, 3, 6), ["4 axes"]),
    ],
)
def test_wrong_input_shapes_name_the_axis(values, fragments):
    with pytest.raises(ShapeError) as caught:
        network()(values.double())
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_other_mistakes_are_named():
    net = network()
    _, state = run(net, spikes())
    with pytest.raises(ShapeError, match="those of the state"):
        net(spikes(batch=2), state)
    with pytest.raises(ArgumentError, match="at least one"):
        Sequential(dt=1e-3)
    with pytest.raises(ArgumentError, match="the same for all"):
        Sequential(LIF(3, dt=1e-3), LIF(3, dt=2e-3))
    with pytest.raises(ArgumentError, match="dt=1e-3"):
        Sequential(nn.Linear(3, 3), LIF(3))
    with pytest.raises(ArgumentError, match="field of a Record"):
        Record("spikes")
    with pytest.raises(ShapeError, match="lengths"):
        net(spikes(), lengths=torch.tensor([3, 4]))


def test_a_constant_input_is_connected_once_and_dropout_is_drawn_in_every_step():
    calls = []

    class Counted(nn.Linear):
        def forward(self, input):
            calls.append(len(input))
            return super().forward(input)

    torch.manual_seed(0)
    net = Sequential(Counted(6, 5), nn.Dropout(0.5), LIF(5), dt=1e-3).eval()
    once = torch.rand(3, 6)
    held, _ = net(once.expand(20, 3, 6))
    assert calls == [3]
    copied, _ = net(once.expand(20, 3, 6).contiguous())
    assert calls == [3, 60] and torch.equal(held, copied)
    net.train()(once.expand(20, 3, 6))
    assert calls == [3, 60, 60]
