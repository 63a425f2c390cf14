"""The data and weights of the workloads are what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.contenders import CONTENDERS
from benchmarks.workloads import ALPHA, BETA, WORKLOADS, Data, Workload, lengthened, mean_square


def small(name: str) -> Workload:
    return replace(WORKLOADS[name], batch=8)


def test_spikes_have_the_density_and_the_same_numbers_each_time() -> None:
    work = small("W1")
    data = Data(work)
    dense = data.dense()
    sites = work.time * work.batch * 700
    deviation = (0.02 * 0.98 / sites) ** 0.5
    assert dense.shape == (100, 8, 700)
    assert abs(dense.mean() - 0.02) < 5 * deviation
    assert set(np.unique(dense)) == {0.0, 1.0}
    assert Data(work).checksum == data.checksum != Data(small("W3")).checksum


def test_events_and_dense_are_the_same_spikes() -> None:
    data = Data(small("W7"))
    dense = data.dense(np.uint8)
    for row in (0, 17, 8 * 20 - 1):
        units = data.units[data.indptr[row] : data.indptr[row + 1]]
        frame = dense[row % 20, row // 20].ravel()
        assert np.flatnonzero(frame).tolist() == units.tolist()
    assert dense.sum() == len(data.units)


def test_each_input_of_w3_spikes_once() -> None:
    assert (Data(small("W3")).dense().sum(0) == 1).all()


def test_the_membrane_fluctuates_as_the_weights_are_made_for() -> None:
    # simulated: an input of independent spikes through the kernel
    draw = np.random.default_rng(0)
    spikes = draw.random((2000, 200)) < 0.02
    i = u = np.zeros(200)
    seen = []
    for step in spikes:
        i = ALPHA * i + step
        u = BETA * u + i
        seen.append(u)
    simulated = np.square(seen[400:]).mean()
    assert mean_square("CuBa", 0.02) == pytest.approx(simulated, rel=0.05)


@pytest.mark.parametrize("name", ["W1", "W2", "W4", "W7"])
def test_weights_fit_the_network(name: str) -> None:
    work = WORKLOADS[name]
    weights = work.weights("CuBa")
    if name == "W2":
        assert weights.pop().shape == (256, 256)
    assert [w.shape[0] for w in weights[:-1]] == [shape[0] for shape in work.hidden]
    assert weights[-1].shape[0] == work.sizes[-1]
    if name == "W7":
        assert work.hidden == [(16, 30, 30), (32, 11, 11)]


def test_longer_workloads_are_longer() -> None:
    assert [(w.name, w.time) for w in lengthened("W1", (100, 200))] == [
        ("W1 T=100", 100),
        ("W1 T=200", 200),
    ]


def test_who_is_a_peer() -> None:
    peers = {name for name, entry in CONTENDERS.items() if entry.peer}
    assert {"snntorch", "norse", "sinabs", "spikingjelly", "spyx", "slax"} <= peers
    assert not peers & {"surgrad", "plain", "loop", "compiled", "dense product", "xla product"}
    assert all(CONTENDERS[name].install for name in peers)
