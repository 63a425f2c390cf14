"""The network that an experiment file describes, for data of a given shape."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, distributions, nn

from surgrad.errors import ArgumentError
from surgrad.network import Sequential
from surgrad.neurons import Neuron
from surgrad.neurons.base import TIME_BOUNDS
from surgrad.smoothing import Annealed
from surgrad.spikes import Soft, SpikeFunction, Stochastic, Surrogate, SurrogateEscape
from surgrad.training.layers import Layer, Network
from surgrad.training.neurons import NEURONS

Shape: TypeAlias = tuple[int, ...]

_DRAWN = {
    "gamma": lambda s: distributions.Gamma(s.shape, s.shape / s.mean),
    "log_normal": lambda s: distributions.LogNormal(np.log(s.median), s.sigma),
    "normal": lambda s: distributions.Normal(s.mean, s.std),
    "uniform": lambda s: distributions.Uniform(s.low, s.high),
}


def make_network(
    spec: Network, features: Shape, outputs: int, dt: float, *, chance: bool = False
) -> Sequential:
    """The network for an input of the shape `features` and a read-out of `outputs` units.

    Args:
        spec: what it is made of.
        features: the shape of the input.
        outputs: the units of the read-out.
        dt: the width of a step in seconds.
        chance: whether neurons must spike by chance: by the spike function of the experiment if it
            is stochastic, else by the sigmoid escape function.
    """
    modules: list[nn.Module] = []
    shape = features
    for index, layer in enumerate(spec.layers):
        shape = _add(modules, layer, shape, layer.size, f"network.layers[{index}]")
    _add(modules, spec.readout, shape, spec.readout.size or outputs, "network.readout")
    return Sequential(*modules, dt=dt, spike=make_spike(spec.spike_by(chance)), input_rate=None)


def make_spike(spec: Any) -> SpikeFunction:
    """The spike function of all neurons.

    Chance comes from PyTorch's global generator, whose state a checkpoint holds.
    """
    match spec.kind:
        case "soft":
            return Soft(spec.row)
        case "annealed":
            return Annealed(spec.row, spec.final, harden=spec.harden)
        case "stochastic":
            escape = spec.escape
            chance = SurrogateEscape(escape.row) if hasattr(escape, "row") else escape.make()
            return Stochastic(chance, torch.default_generator)
        case _:
            return Surrogate(spec.row)


def _add(
    modules: list[nn.Module], layer: Layer, shape: Shape, size: int | None, place: str
) -> Shape:
    """Append a layer's modules; the shape of its output."""
    for index, connection in enumerate(layer.connection):
        where = f"{place}.connection[{index}]"
        if connection.kind in ("conv2d", "pool2d"):
            shape = _planes(modules, shape, where)
            shape = _convolve(modules, connection, shape, size, where)
        elif connection.kind == "flatten" or len(shape) > 1:
            modules.append(nn.Flatten())
            shape = (prod(shape),)
        if connection.kind == "dense":
            units, size = prod(shape), size or prod(shape)
            modules.append(nn.Linear(units, size, bias=connection.options()["bias"]))
            shape = (size,)
    options = {name: _draw(value, shape) for name, value in layer.neuron_options.items()}
    make: Callable[..., Neuron] = NEURONS[layer.neuron]
    modules.append(make(shape, **options))
    dropout = getattr(layer, "dropout", 0.0)
    if dropout:
        modules.append(nn.Dropout(dropout))
    return shape


def _planes(modules: list[nn.Module], shape: Shape, place: str) -> Shape:
    """The input as `(channels, height, width)`."""
    if len(shape) == 2:
        modules.append(nn.Unflatten(1, (1, shape[0])))
        return (1, *shape)
    if len(shape) != 3:
        raise ArgumentError(
            place,
            got=f"an input of shape {shape}",
            expected="(channels, height, width)",
            fix="use dense connections for data without space",
        )
    return shape


def _convolve(
    modules: list[nn.Module], connection: Any, shape: Shape, size: int | None, place: str
) -> Shape:
    convolution = connection.kind == "conv2d"
    padding = connection.padding if convolution else 0
    stride = connection.stride if convolution else connection.kernel
    sides = tuple((side + 2 * padding - connection.kernel) // stride + 1 for side in shape[1:])
    if min(sides) < 1:
        raise ArgumentError(
            f"{place}.kernel",
            got=connection.kernel,
            expected=f"at most {min(shape[1:]) + 2 * padding}, the input is {shape}",
        )
    if not convolution:
        pool = nn.AvgPool2d if connection.mode == "mean" else nn.MaxPool2d
        modules.append(pool(connection.kernel))
        return (shape[0], *sides)
    channels = size or shape[0]
    modules.append(
        nn.Conv2d(shape[0], channels, connection.kernel, stride, padding, bias=connection.bias)
    )
    return (channels, *sides)


def _draw(value: Any, shape: Shape) -> Any:
    """A time constant for each neuron where there is a distribution, else the value itself."""
    distribution = getattr(value, "distribution", None)
    if distribution is None:
        return value
    drawn: Tensor = _DRAWN[distribution](value).sample(torch.Size(shape))
    low, high = TIME_BOUNDS
    return drawn.clamp(1.01 * low, 0.99 * high)
