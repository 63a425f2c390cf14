"""Convolutions by events against plain torch in float64: currents, and the gradient of all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from surgrad.connections import convolution
from surgrad.events import SpikeTrain
from surgrad.kernels import buffers, choice, engine
from surgrad.kernels.conv import op
from surgrad.kernels.conv.geometry import MAXIMUM, MEAN, Geometry
from surgrad.network import Record, Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid
from tests.kernels.nets import compare

# channels, tall, wide, last, pooling, window, filters, rows, columns, stride, padding, dilation
GEOMETRIES = [
    Geometry(2, 9, 11, 0, 0, 1, 16, 5, 5),
    Geometry(3, 7, 6, 0, 0, 1, 5, 3, 2),
    Geometry(1, 5, 5, 1, 0, 1, 1, 1, 1),
    Geometry(2, 10, 9, 1, 0, 1, 33, 3, 4, 2, 3, 1, 2, 2, 1),
    Geometry(2, 8, 13, 0, 0, 1, 32, 2, 3, 1, 1, 1, 3, 2, 2),
    Geometry(3, 12, 9, 1, MAXIMUM, 2, 16, 3, 3),
    Geometry(5, 13, 11, 1, MAXIMUM, 3, 7, 2, 2, 1, 2, 1, 0, 1, 1),
    Geometry(2, 9, 9, 1, MEAN, 2, 4, 3, 3, 1, 1, 1, 1, 1, 1),
    Geometry(16, 4, 4, 1, MAXIMUM, 2, 10, 2, 2),
    Geometry(2, 4, 3, 0, 0, 1, 6, 6, 6, 1, 1, 2, 3, 1, 1),
]
SEQUENCES = [(3, 2), (1, 1), (5, 7)]


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """Memory that nobody has written to is not a number."""
    new = buffers.empty

    def spoiled(*sizes: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return new(*sizes, dtype=dtype).fill_(float("nan") if dtype.is_floating_point else -7)

    monkeypatch.setattr(op.buffers, "empty", spoiled)


@pytest.fixture(params=[True, False], ids=["events", "dense"])
def path(request, monkeypatch):
    """Which way the operation goes."""
    monkeypatch.setattr(op, "_sparse", lambda *_: request.param)


class Case:
    """Random spikes, weights and errors for a geometry, and what the definition makes of them."""

    def __init__(self, geometry: Geometry, steps: int, samples: int, bias: bool = True) -> None:
        draw = torch.Generator().manual_seed(geometry.units + steps)
        g, self.sequence = geometry, [steps, samples]
        counts = torch.poisson(
            torch.full((steps, samples, g.channels, g.tall, g.wide), 0.2), generator=draw
        )
        if g.pooling:
            counts = counts.clamp(max=1)
        self.geometry, self.dense = geometry, counts.double().requires_grad_()
        ordered = counts.movedim(2, -1) if g.last else counts
        self.train = SpikeTrain.from_dense(ordered.flatten(2))
        shape = (g.filters, g.channels, g.rows, g.columns)
        self.weights = torch.randn(shape, generator=draw)
        self.bias = torch.randn(g.filters, generator=draw) if bias else None
        self.error = torch.randn(steps, samples, g.neurons, generator=draw)

    def definition(self) -> list[torch.Tensor]:
        """The current, channel last, and the gradients of spikes, weights and bias."""
        g, weights = self.geometry, self.weights.double().requires_grad_()
        bias = None if self.bias is None else self.bias.double().requires_grad_()
        images = self.dense.flatten(0, 1)
        if g.pooling:
            pool = nn.functional.max_pool2d if g.pooling == MAXIMUM else nn.functional.avg_pool2d
            images = pool(images, g.window)
        stride, padding, dilation = op._places(g)
        found = torch.conv2d(images, weights, bias, stride, padding, dilation)
        current = found.unflatten(0, self.sequence).movedim(2, -1).flatten(2)
        given = [t for t in (self.dense, weights, bias) if t is not None]
        spikes, *rest = torch.autograd.grad(current, given, self.error.double())
        return [current.detach(), spikes.movedim(2, -1).flatten(2), *rest]

    def found(self) -> list[torch.Tensor]:
        """The same by the operation."""
        g, weights = self.geometry, self.weights.clone().requires_grad_()
        bias = None if self.bias is None else self.bias.clone().requires_grad_()
        # only neurons that count their channels last want a gradient
        carrier = torch.zeros(*self.sequence, g.units + -g.units % 16, requires_grad=bool(g.last))
        current = op.convolution(*self.events(), carrier, weights, bias, self.sequence, list(g))
        given = [t for t in (carrier, weights, bias) if t is not None and t.requires_grad]
        kept = current[..., : g.neurons]
        grads = list(torch.autograd.grad(kept, given, self.error))
        spikes = [grads.pop(0)[..., : g.units]] if g.last else [torch.empty(0)]
        return [kept.detach(), *spikes, *grads]

    def events(self) -> tuple[torch.Tensor, ...]:
        """Starts, stops and units."""
        return self.train.indptr[:-1], self.train.indptr[1:], self.train.indices


def same(found: list[torch.Tensor], expected: list[torch.Tensor], tolerance: float) -> None:
    for mine, true in zip(found, expected, strict=True):
        if mine.numel():
            assert true.abs().max() > 0
            assert (mine - true).abs().max() <= tolerance * true.abs().max()


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_currents_and_gradients_are_those_of_the_definition(geometry, path):
    for sequence in SEQUENCES:
        case = Case(geometry, *sequence)
        same(case.found(), case.definition(), 2e-5)


def test_without_a_bias(path):
    case = Case(GEOMETRIES[1], 3, 2, bias=False)
    same(case.found(), case.definition(), 2e-5)


@pytest.mark.parametrize("sequence", [(0, 3), (3, 0)])
def test_nothing_comes_of_nothing(sequence):
    g = GEOMETRIES[0]
    weights, bias = torch.ones(16, 2, 5, 5, requires_grad=True), torch.ones(16, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    units = torch.zeros(0, dtype=torch.int32)
    current = op.convolution(none, none, units, None, weights, bias, list(sequence), list(g))
    assert current.shape == (*sequence, g.size)
    for grad in torch.autograd.grad(current.sum(), (weights, bias)):
        assert grad.abs().max() == 0


@pytest.mark.parametrize("place", [1, 5])
def test_threads_change_rounding_only_and_nothing_where_that_is_asked_for(place, monkeypatch):
    monkeypatch.setattr(op, "_sparse", lambda *_: True)
    case, results = Case(GEOMETRIES[place], 5, 7), {}
    before = torch.get_num_threads()
    try:
        for deterministic in (False, True):
            torch.use_deterministic_algorithms(deterministic)
            for threads in (1, 2):
                torch.set_num_threads(threads)
                results[deterministic, threads] = case.found()
                again = case.found()
                assert all(map(torch.equal, again, results[deterministic, threads]))
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(before)
    assert all(map(torch.equal, results[True, 1], results[True, 2]))
    same(results[False, 1], results[False, 2], 2e-5)


@pytest.mark.parametrize("place", [0, 5])
def test_the_operation_is_what_it_says(place, monkeypatch):
    # padding of the spikes' gradient is never read, but compared here
    monkeypatch.setattr(op.buffers, "empty", torch.zeros)
    case = Case(GEOMETRIES[place], 3, 2)
    carrier = torch.zeros(3, 2, case.geometry.units + -case.geometry.units % 16)
    given: tuple[Any, ...] = (
        *case.events(),
        carrier.requires_grad_() if case.geometry.last else None,
        case.weights.requires_grad_(),
        case.bias.requires_grad_() if case.bias is not None else None,
        case.sequence,
        list(case.geometry),
    )
    tests = (
        "test_schema",
        "test_autograd_registration",
        "test_faketensor",
        "test_aot_dispatch_static",
    )
    torch.library.opcheck(op.convolution, given, test_utils=tests)


OPTIONS: dict[str, Any] = {"tau_mem": 20e-3, "tau_syn": 10e-3}


def network(*modules: nn.Module, rate: float = 2.0) -> Sequential:
    torch.manual_seed(4)
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
    return Sequential(*modules, dt=1e-3, spike=Surrogate(fast_sigmoid(3)), input_rate=rate)


def pooled(pool: type[nn.Module], **options: Any) -> Sequential:
    return network(
        nn.Conv2d(2, 6, 3), CuBaLIF((6, 10, 11), **OPTIONS, **options),
        pool(2), nn.Conv2d(6, 16, 3, padding=1), CuBaLIF((16, 5, 5), **OPTIONS),
        pool(2), nn.Flatten(), nn.Linear(64, 4), LI(4),
    )  # fmt: skip


def batch(steps: int = 20, samples: int = 3, seed: int = 0, lengths: Any = None):
    draw = torch.Generator().manual_seed(seed)
    counts = torch.poisson(torch.full((steps, samples, 2, 12, 13), 0.06), generator=draw)
    return SpikeTrain.from_dense(counts, lengths), torch.arange(samples) % 4


@pytest.fixture
def convolved(monkeypatch):
    """The geometries of the convolutions that events drove."""
    seen, run = [], engine.convolved

    def watch(spikes, *rest):
        seen.append(rest[2])
        return run(spikes, *rest)

    monkeypatch.setattr(engine, "convolved", watch)
    return seen


@pytest.mark.parametrize("pool", [nn.MaxPool2d, nn.AvgPool2d])
def test_networks_have_the_gradients_of_the_definition(pool, convolved):
    compare(pooled(pool), batch())
    assert [g.filters for g in convolved] == [6, 16, 4]


def test_neurons_of_images_learn_constants_of_their_own():
    learn = ("tau_mem", "threshold")
    compare(pooled(nn.MaxPool2d, learn=learn, per_neuron=learn, reset="zero"), batch())
    compare(pooled(nn.MaxPool2d, refractory=3e-3, detach_reset=False), batch())


def test_images_without_a_pooling_and_flat_ones(convolved):
    net = network(
        nn.Conv2d(2, 5, 3, stride=2), CuBaLIF((5, 5, 6), **OPTIONS), nn.Conv2d(5, 4, 2),
        CuBaLIF((4, 4, 5), **OPTIONS), nn.Flatten(), nn.Linear(80, 4), LI(4),
    )  # fmt: skip
    compare(net, batch())
    assert [g.filters for g in convolved] == [5, 4]


def test_padding_is_left_alone():
    compare(pooled(nn.MaxPool2d), batch(lengths=torch.tensor([20, 7, 0])))


def test_a_dense_input_is_convolved_by_torch(convolved):
    train, targets = batch()
    compare(pooled(nn.MaxPool2d), (train.to_dense(), targets))
    assert [g.filters for g in convolved] == [16, 4]
    values = train.to_dense().requires_grad_()
    pooled(nn.MaxPool2d)(values)[0].sum().backward()
    assert values.grad is not None
    assert values.grad.abs().max() > 0


def test_pieces_of_a_sequence_and_records():
    net, (train, _) = pooled(nn.MaxPool2d), batch()
    whole, record = net(train)[0], Record("s", "v", "counts")
    first, state = net(train[:8])
    second, _ = net(train[8:], state, record=record)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    assert record[0]["s"].shape == (12, 3, 6, 10, 11)
    assert torch.equal(record[0]["s"].sum(0), record[0]["counts"])
    assert torch.equal(record[0]["s"] > 0, record[0]["v"] > 1)


def test_what_is_no_plain_convolution_keeps_its_own_call():
    def found(*modules: nn.Module, own: bool = True):
        return convolution(nn.Sequential(*modules), (4, 8, 8), own)

    assert found(nn.Conv2d(4, 8, 3)) is not None
    assert found(nn.MaxPool2d(2), nn.Conv2d(4, 8, 3)) is not None
    # counts of a data set may have another maximum than one
    assert found(nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), own=False) is None
    hooked = nn.Conv2d(4, 8, 3)
    hooked.register_forward_hook(lambda *_: None)
    for modules in (
        (nn.Conv2d(4, 8, 3, groups=2),),
        (nn.Conv2d(4, 8, 3, padding=1, padding_mode="circular"),),
        (nn.Conv2d(4, 8, 3, padding="same"),),
        (nn.Conv2d(4, 8, 9),),
        (nn.Conv2d(3, 8, 3),),
        (nn.MaxPool2d(2, stride=1), nn.Conv2d(4, 8, 3)),
        (nn.MaxPool2d(3, padding=1), nn.Conv2d(4, 8, 3)),
        (nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(4, 8, 3)),
        (nn.AvgPool2d(2, divisor_override=3), nn.Conv2d(4, 8, 3)),
        (nn.MaxPool2d(2), nn.Dropout(), nn.Conv2d(4, 8, 3)),
        (nn.MaxPool2d(2), nn.Flatten(2), nn.Linear(16, 3)),
        (hooked,),
    ):
        assert found(*modules) is None
    compare(
        network(nn.Conv2d(2, 8, 3, groups=2), CuBaLIF((8, 10, 11)), nn.Flatten(),
                nn.Linear(880, 4), LI(4)), batch(),
    )  # fmt: skip


def test_the_way_is_chosen_by_the_density_behind_the_pooling(monkeypatch):
    costs = choice.Costs(0.02, 0.06, 0.01, 0.08, 0.02)
    monkeypatch.setattr(choice, "costs", lambda: costs)
    g = GEOMETRIES[5]
    starts = torch.arange(6) * 20
    assert costs.crossover_of_convolutions == pytest.approx(0.25)
    # 72 places behind the pooling
    assert op._sparse(g, starts, starts + 17)
    assert not op._sparse(g, starts, starts + 19)
