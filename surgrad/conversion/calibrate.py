"""Light corrections of a converted network on a handful of batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from surgrad.conversion.curve import present
from surgrad.conversion.graph import Layer, run
from surgrad.conversion.scaling import biased
from surgrad.errors import ArgumentError
from surgrad.network import Record, Sequential
from surgrad.neurons import IF


def correct_biases(
    net: Sequential,
    layers: Sequence[Layer],
    names: Sequence[str],
    ceilings: Mapping[str, float],
    batches: Sequence[Tensor],
    steps: int,
) -> None:
    r"""Shift each channel's bias by what its spikes say too little, one layer after the other.

    .. math:: b^l \mathrel{+}= \overline{a^l} / \lambda^l - \overline{s^l}

    Args:
        net: the converted network, whose biases are changed.
        layers: the analogue network.
        names: the activation of each layer of `IF`.
        ceilings: λ of each activation.
        batches: inputs.
        steps: T, after which the spikes are compared.

    References: Li et al. 2021, the light pipeline.
    """
    wanted: dict[str, Tensor] = {}

    def add(name: str, a: Tensor) -> None:
        wanted[name] = wanted.get(name, 0.0) + _channels(a) / len(batches)

    with torch.no_grad():
        logits = torch.stack([_channels(run(layers, x, add)) for x in batches]).mean(0)
        stages = [(k, stage) for k, stage in enumerate(net.stages) if isinstance(stage.neuron, IF)]
        for (index, stage), name in zip(stages, names, strict=True):
            module = biased(stage.connection)
            if module is None:
                continue
            target = wanted[name] / ceilings[name]
            rates = _rates(net, batches, steps)[index]
            module.bias += target - rates[: len(target)]
        last = net.stages[-1]
        if not last.neuron.spiking and (module := biased(last.connection)) is not None:
            module.bias += logits - _rates(net, batches, steps)[-1]


def shift_biases(net: Sequential, steps: int) -> None:
    r"""Replace the start of the membranes by a shift of the biases, for hardware without one.

    .. math:: b^l \mathrel{+}= u_0 \vartheta / T

    Args:
        net: a converted network, changed in place.
        steps: T, for which the shift is right.

    Raises:
        ArgumentError: if a layer has no bias of its own.

    References: Deng & Gu 2021.
    """
    for stage in net.stages:
        neuron, module = stage.neuron, biased(stage.connection)
        if not isinstance(neuron, IF) or not neuron.start:
            continue
        if module is None:
            raise ArgumentError(stage.name, got="no weights before it", expected="a bias to shift")
        with torch.no_grad():
            module.bias += (neuron.start * neuron.threshold() / steps).to(module.bias)
        neuron.start = 0.0


def _rates(net: Sequential, batches: Sequence[Tensor], steps: int) -> list[Tensor]:
    """Of each layer and channel: spikes a step; the output over the steps for the read-out."""
    sums: list[Tensor] = []
    for x in batches:
        record = Record("counts")
        out, _ = net(present(x, steps), record=record)
        found = [_channels(layer["counts"]) / steps for layer in record.layers]
        if not net.neurons[-1].spiking:
            found[-1] = _channels(out[-1]) / steps
        sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
    return [value / len(batches) for value in sums]


def _channels(values: Tensor) -> Tensor:
    """The mean of each channel."""
    return values.transpose(0, 1).flatten(1).mean(1)
