"""Networks of spike times in an experiment file."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal

import torch
from pydantic import Strict, create_model, model_validator

from surgrad.timing.layers import LAYERS as NEURONS
from surgrad.timing.layers import SpikeTimeLayer
from surgrad.timing.network import SpikeTimes
from surgrad.training.layers import Count, Items, Positive, Seconds, check_sizes
from surgrad.training.unions import Kind, OneOf, Spec

DTYPES = {"float32": torch.float32, "float64": torch.float64}


class TimedLayer(Spec):
    """Neurons that spike once, behind all-to-all connections.

    Args:
        neuron: their kind; its constants are further keys.
        size: how many.
    """

    neuron: str
    size: Count | None = None


def _layer_of(kind: str, layer: type[SpikeTimeLayer]) -> type[TimedLayer]:
    """The table of a kind: its constructor's keywords but for the dtype."""
    fields: dict[str, Any] = {"neuron": (str, kind)}
    # its own first, then those that all layers have
    own, shared = (inspect.signature(kind_).parameters for kind_ in (layer, SpikeTimeLayer))
    for name, parameter in {**own, **shared}.items():
        if parameter.kind is not parameter.KEYWORD_ONLY or name == "dtype":
            continue
        hint: Any = Seconds if name == "tau" else Positive
        if name == "delays":
            hint = Annotated[tuple[float, ...], Strict(False)]
        fields[name] = (hint, parameter.default)
    return create_model(kind, __base__=TimedLayer, **fields)


LAYERS = {kind: _layer_of(kind, layer) for kind, layer in NEURONS.items()}


class TimedNetwork(Kind):
    """Layers of neurons that spike once, at exact times.

    Args:
        layers: the hidden layers.
        readout: the last layer; its size is what the data ask for.
        dtype: of the weights and the times.
    """

    kind: str = "spike_times"
    layers: Items[Annotated[TimedLayer, OneOf(LAYERS, "nonleaky", key="neuron")]]
    readout: Annotated[TimedLayer, OneOf(LAYERS, "nonleaky", key="neuron")]
    dtype: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _sized(self) -> TimedNetwork:
        check_sizes(layer.size for layer in self.layers)
        return self

    def spike_by(self, chance: bool) -> None:
        """There is no spike function: a spike is the time at which a threshold is crossed."""


def make_timed(spec: TimedNetwork, units: int, outputs: int, dt: float) -> SpikeTimes:
    """The network for an input of so many units and a read-out of `outputs` units."""
    layers = []
    for layer in (*spec.layers, spec.readout):
        size = layer.size or outputs
        options = {k: v for k, v in layer if k not in ("neuron", "size")}
        make: Any = NEURONS[layer.neuron]
        layers.append(make(units, size, **options, dtype=DTYPES[spec.dtype]))
        units = size
    return SpikeTimes(*layers, dt=dt)
