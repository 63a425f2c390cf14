"""Networks that are alive: weights from the measured input, and a check of each layer."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from surgrad.connections import each_step, mean_square_trace
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain
from surgrad.network import Network, Record, Sequential, set_weights
from surgrad.neurons import SpikingNeuron

# a layer below the one or above the other carries hardly any information
SILENT_HZ, SATURATED = 0.1, 0.5
SATURATED_NEURON = 0.9


class LayerHealth(NamedTuple):
    """How alive a layer is.

    Attributes:
        name: the stage's name.
        rate: mean spikes per second and neuron.
        silent: the share of its neurons that never spiked.
        saturated: the share that spiked in nine of ten steps or more.
        verdict: "ok", "silent" or "saturated".
        advice: what to do, empty where all is well.
    """

    name: str
    rate: float
    silent: float
    saturated: float
    verdict: Literal["ok", "silent", "saturated"]
    advice: str


def initialise(
    net: Network,
    inputs: SpikeTrain | Tensor,
    *,
    lengths: Tensor | None = None,
    xi: float = 1.0,
    generator: torch.Generator | None = None,
) -> None:
    """Draw all weights anew, fluctuation-driven for the input that the network really gets.

    Layer by layer: the post-synaptic potentials of the layer's input are computed with the
    neuron's own tableau, the weights are drawn so that the membrane fluctuates up to its
    threshold, and the layer is run to get the input of the next.

    Args:
        net: the network; its weights are overwritten, biases set to zero.
        inputs: a batch of real input, `(time, batch, *features)`.
        lengths: the valid steps of each sample.
        xi: how many standard deviations of the membrane lie between rest and threshold, for the
            neurons that spike; with a small one many of them fire.
        generator: for reproducible draws.

    Raises:
        ArgumentError: if the input has no spikes at all, `xi` is not positive, or the network has
            no time steps and an `initialise` of its own.

    References: Rossbroich, Gygax & Zenke 2022; see `surgrad.connections.initialisation`.
    """
    if not isinstance(net, Sequential):
        raise ArgumentError(
            "network to initialise",
            got=type(net).__name__,
            expected="a Sequential",
            fix="call the network's own initialise(inputs)",
        )
    if xi <= 0:
        raise ArgumentError("xi", got=xi, expected="more than 0")
    if isinstance(inputs, SpikeTrain):
        lengths = inputs.lengths if lengths is None else lengths
        values = inputs.to_dense()
    else:
        values = inputs.transpose(0, 1) if net.batch_first else inputs
    if not values.any():
        raise ArgumentError(
            "input to initialise with", got="no spike at all", expected="a batch of real input"
        )
    with torch.no_grad():
        for stage in net.stages:
            tableau = stage.neuron.linearised()
            mean_square = mean_square_trace(tableau, _before_weights(stage.connection, values))
            away = xi if stage.neuron.spiking else 1.0
            set_weights(stage, mean_square, xi=away, generator=generator)
            output = stage.neuron.run(each_step(stage.connection, values), lengths=lengths).output
            if isinstance(stage.neuron, SpikingNeuron) and stage.neuron.recurrent is not None:
                recurrent = mean_square_trace(tableau, output)
                set_weights(stage, mean_square, recurrent=recurrent, xi=away, generator=generator)
                current = each_step(stage.connection, values)
                output = stage.neuron.run(current, lengths=lengths).output
            values = output


def _before_weights(connection: torch.nn.Sequential, values: Tensor) -> Tensor:
    """What the module with the weights receives."""
    for module in connection:
        if getattr(module, "weight", None) is not None:
            return values
        values = each_step(module, values)
    return values


def diagnose(
    net: Network, inputs: SpikeTrain | Tensor, *, lengths: Tensor | None = None
) -> list[LayerHealth]:
    """Run a batch and say of each spiking layer whether it is alive.

    Args:
        net: the network, not changed.
        inputs: a batch of real input, `(time, batch, *features)`.
        lengths: the valid steps of each sample.

    Returns:
        one `LayerHealth` for each layer of neurons that spike.

    Example:
        >>> from surgrad.neurons import LIF
        >>> net = Sequential(torch.nn.Linear(3, 4), LIF(4), dt=1e-3)
        >>> [health.verdict for health in diagnose(net, torch.zeros(5, 1, 3))]
        ['silent']
    """
    record = Record("counts")
    with torch.no_grad():
        net(inputs, lengths=lengths, record=record)
    if isinstance(inputs, SpikeTrain):
        total = float(inputs.valid.sum()) if lengths is None else float(lengths.sum())
    else:
        total = float(inputs.shape[0] * inputs.shape[1] if lengths is None else lengths.sum())
    return [
        _judge(name, layer["counts"].sum(0) / max(total, 1.0), net.dt)
        for name, neuron, layer in zip(net.names, net.neurons, record.layers, strict=True)
        if neuron.spiking
    ]


def _judge(name: str, probability: Tensor, dt: float) -> LayerHealth:
    rate = float(probability.mean()) / dt
    silent = float((probability == 0).float().mean())
    saturated = float((probability >= SATURATED_NEURON).float().mean())
    if rate < SILENT_HZ or silent == 1.0:
        advice = (
            f"{name} is silent ({rate:.2g} Hz): it passes nothing on and learns little. "
            "Call initialise(net, batch), raise its weights, lower its threshold, or add a "
            "RateBound with a lower bound."
        )
        return LayerHealth(name, rate, silent, saturated, "silent", advice)
    if float(probability.mean()) > SATURATED:
        advice = (
            f"{name} is saturated ({rate:.3g} Hz, one spike in {1 / float(probability.mean()):.1f} "
            "steps): it hardly depends on its input. Call initialise(net, batch), lower its "
            "weights, raise its threshold, or add a RateBound with an upper bound."
        )
        return LayerHealth(name, rate, silent, saturated, "saturated", advice)
    return LayerHealth(name, rate, silent, saturated, "ok", "")
