"""The network that a file describes is the one that is built."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from surgrad.errors import ArgumentError, ConfigError
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF, CuBaLIF, Izhikevich, MorrisLecar
from surgrad.smoothing import GatedLIF
from surgrad.spikes import (
    Escape,
    ExponentialEscape,
    SigmoidEscape,
    Soft,
    Stochastic,
    Surrogate,
    SurrogateEscape,
)
from surgrad.surrogates import TABLE
from surgrad.training.assemble import make_network
from surgrad.training.layers import Network
from surgrad.training.schema import from_table


def made(features: tuple[int, ...] = (6,), outputs: int = 3, **entries: Any) -> Sequential:
    return make_network(Network.model_validate(entries), features, outputs, 1e-3)


def kinds(net: Sequential) -> list[type[nn.Module]]:
    return [type(module) for module in net]


def test_dense_layers_and_the_read_out() -> None:
    layers = [{"size": 5, "dropout": 0.5, "recurrent": True}, {"size": 4, "neuron": "lif"}]
    net = made(layers=layers)
    assert kinds(net) == [nn.Linear, CuBaLIF, nn.Dropout, nn.Linear, LIF, nn.Linear, LI]
    assert [p.shape for n, p in net.named_parameters() if "recurrent" not in n] == [
        (5, 6),
        (4, 5),
        (3, 4),
    ]
    assert net.neurons[0].recurrent is not None
    assert net(torch.zeros(2, 1, 6))[0].shape == (2, 1, 3)


def test_neurons_take_the_keywords_of_their_constructors() -> None:
    spike = {"kind": "surrogate", "scale": 3}
    layers = [
        {"size": 5, "neuron": "izhikevich", "pattern": "chattering", "jump": 3.0},
        {"size": 4, "neuron": "gated_lif", "width": 0.2, "harden": False},
        {"size": 3, "neuron": "morris_lecar", "excitability": "class_2"},
    ]
    cortex, gate, barnacle, _ = made(layers=layers, spike=spike).neurons
    assert isinstance(cortex, Izhikevich) and float(cortex.after()) == 20e-3
    assert float(cortex.jump()) == 3.0 and isinstance(cortex.spike, Surrogate)
    assert isinstance(gate, GatedLIF) and (gate.width, gate.harden) == (0.2, False)
    # its spikes are smooth whatever those of the others are
    assert isinstance(barnacle, MorrisLecar) and isinstance(barnacle.spike, Soft)
    assert float(barnacle.calcium()) == 2.2


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"neuron": "gated_lif", "learn": ["width"]}, "width"),
        ({"neuron": "gated_lif", "reset": "zero"}, "reset"),
        ({"neuron": "morris_lecar", "reset": "subtract"}, "reset"),
        ({"neuron": "izhikevich", "pattern": "bursting"}, "pattern"),
        ({"neuron": "adex", "tau_adapt": 144.0}, "144e-3"),
    ],
)
def test_what_a_neuron_cannot_be_is_refused(layer: dict[str, Any], words: str) -> None:
    table = {"name": "a", "data": {}, "network": {"layers": [{"size": 3, **layer}]}}
    with pytest.raises(ConfigError, match=words):
        from_table(table)


def test_feature_axes_are_flattened_for_dense_layers() -> None:
    net = made((2, 4, 4), layers=[{"size": 5}])
    assert kinds(net)[:2] == [nn.Flatten, nn.Linear]
    assert net(torch.zeros(2, 1, 2, 4, 4))[0].shape == (2, 1, 3)


def test_convolutions_pool_and_end_in_a_dense_read_out() -> None:
    net = made(
        (2, 12, 10),
        layers=[
            {"size": 4, "connection": {"kind": "conv2d", "kernel": 3, "padding": 1}},
            {"size": 5, "connection": [{"kind": "pool2d"}, {"kind": "conv2d", "stride": 2}]},
        ],
        readout={"connection": [{"kind": "pool2d", "mode": "max"}, {"kind": "dense"}]},
    )
    assert [neuron.size for neuron in net.neurons] == [(4, 12, 10), (5, 2, 2), (3,)]
    # what was worked out beforehand is what PyTorch does
    assert net(torch.rand(3, 2, 2, 12, 10))[0].shape == (3, 2, 3)


def test_pictures_without_channels_get_one() -> None:
    net = made((8, 8), layers=[{"size": 2, "connection": {"kind": "conv2d"}}])
    assert net(torch.rand(2, 1, 8, 8))[0].shape == (2, 1, 3)


@pytest.mark.parametrize(
    ("features", "connection", "what"),
    [
        ((6,), {"kind": "conv2d"}, r"connection\[0\]: got an input of shape \(6,\)"),
        (
            (1, 4, 4),
            {"kind": "conv2d", "kernel": 5},
            r"connection\[0\].kernel: got 5, expected at most 4",
        ),
        ((1, 4, 4), [{"kind": "flatten"}, {"kind": "pool2d"}], r"connection\[1\]"),
    ],
)
def test_what_does_not_fit_is_named(features: tuple[int, ...], connection: Any, what: str) -> None:
    with pytest.raises(ArgumentError, match=r"network\.layers\[0\]\." + what):
        made(features, layers=[{"size": 3, "connection": connection}])


@pytest.mark.parametrize(
    ("spec", "mean", "std"),
    [
        ({"mean": 20e-3, "shape": 4.0}, 20e-3, 10e-3),
        ({"distribution": "normal", "mean": 20e-3, "std": 2e-3}, 20e-3, 2e-3),
        ({"distribution": "uniform", "low": 10e-3, "high": 30e-3}, 20e-3, 20e-3 / 12**0.5),
        ({"distribution": "log_normal", "median": 20e-3, "sigma": 0.1}, 20.1e-3, 2.015e-3),
    ],
)
def test_time_constants_follow_their_distribution(
    spec: dict[str, Any], mean: float, std: float
) -> None:
    torch.manual_seed(0)
    net = made(layers=[{"size": 4000, "tau_mem": spec}])
    drawn = net.neurons[0].constants["tau_mem"]()
    assert drawn.shape == (4000,)
    assert float(drawn.mean()) == pytest.approx(mean, rel=0.03)
    assert float(drawn.std()) == pytest.approx(std, rel=0.06)


def test_draws_stay_within_the_bounds() -> None:
    spec = {"distribution": "normal", "mean": 1e-3, "std": 1e-2}
    tau = made(layers=[{"size": 500, "tau_mem": spec}]).neurons[0].constants["tau_mem"]()
    assert 1e-4 < float(tau.min()) < 2e-4


@pytest.mark.parametrize(("kind", "expected"), [("surrogate", Surrogate), ("soft", Soft)])
def test_the_spike_function_is_the_one_asked_for(kind: str, expected: type) -> None:
    spike = {"kind": kind, "derivative": "sigmoid", "scale": 7.0, "gain": 0.5}
    net = made(layers=[{"size": 3}], spike=spike)
    assert net.neurons[0].spike == expected(TABLE["sigmoid"](7.0, gain=0.5))
    net = made(layers=[{"size": 3}])
    assert net.neurons[0].spike == Surrogate(TABLE["fast_sigmoid"])


@pytest.mark.parametrize(
    ("escape", "expected"),
    [
        ({}, SigmoidEscape()),
        ({"scale": 4.0}, SigmoidEscape(4.0)),
        ({"kind": "exponential", "rate": 0.1}, ExponentialEscape(rate=0.1)),
        (
            {"kind": "surrogate", "derivative": "sigmoid", "scale": 3.0},
            SurrogateEscape(TABLE["sigmoid"](3.0)),
        ),
    ],
)
def test_spikes_by_chance(escape: dict[str, Any], expected: Escape) -> None:
    net = made(layers=[{"size": 3}], spike={"kind": "stochastic", "escape": escape})
    spike = net.neurons[0].spike
    assert isinstance(spike, Stochastic)
    assert spike.escape == expected
