"""The network in an experiment file: layers, their connections, neurons and time constants."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, cast, get_type_hints

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from surgrad.neurons import Neuron, SpikingNeuron
from surgrad.spikes import ExponentialEscape, SigmoidEscape
from surgrad.surrogates import TABLE, SurrogateDerivative
from surgrad.training.neurons import NEURONS
from surgrad.training.unions import Kind, OneOf, Spec, models_of, name_of, wrong

T = TypeVar("T")

Items = Annotated[tuple[T, ...], Strict(False)]
"""A list in the file, a tuple here."""

LONGEST = 2.0
"""Seconds; a time constant beyond it was meant in milliseconds."""


def _in_seconds(value: float) -> float:
    if value >= LONGEST:
        raise wrong(expected=f"seconds, below {LONGEST:g}", fix=f"did you mean {value:g}e-3?")
    return value


Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0), AfterValidator(_in_seconds)]


class Gamma(Spec):
    """A gamma distribution of time constants: positive and skewed."""

    distribution: Literal["gamma"] = "gamma"
    mean: Seconds
    shape: Positive = 3.0


class LogNormal(Spec):
    """A log-normal distribution, whose logarithm has the standard deviation `sigma`."""

    distribution: Literal["log_normal"] = "log_normal"
    median: Seconds
    sigma: Positive = 0.5


class Normal(Spec):
    """A normal distribution, cut at the bounds of the parameter."""

    distribution: Literal["normal"] = "normal"
    mean: Seconds
    std: Seconds


class Uniform(Spec):
    """All values between `low` and `high` alike."""

    distribution: Literal["uniform"] = "uniform"
    low: Seconds
    high: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise wrong(".high", got=self.high, expected=f"more than low = {self.low:g}")
        return self


DISTRIBUTIONS = {"gamma": Gamma, "log_normal": LogNormal, "normal": Normal, "uniform": Uniform}
TimeConstant = Annotated[
    float | Spec, OneOf(DISTRIBUTIONS, "gamma", key="distribution", plain=Seconds)
]


class Dense(Kind):
    """All to all; the feature axes become one first where there are several."""

    kind: str = "dense"
    bias: bool = False


class Conv2d(Kind):
    """A convolution over the last two feature axes; the layer's `size` counts its channels."""

    kind: str = "conv2d"
    kernel: Count = 3
    stride: Count = 1
    padding: Annotated[int, Field(ge=0)] = 0
    bias: bool = False


class Pool2d(Kind):
    """The mean or the maximum over squares of the last two feature axes."""

    kind: str = "pool2d"
    kernel: Count = 2
    mode: Literal["mean", "max"] = "mean"


class Flatten(Kind):
    """All feature axes in one."""

    kind: str = "flatten"


CONNECTIONS = {"dense": Dense, "conv2d": Conv2d, "pool2d": Pool2d, "flatten": Flatten}


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Layer(Spec):
    """A connection and the neurons behind it. Their time constants are further keys, in seconds.

    Args:
        neuron: the kind of the neurons.
        size: how many; channels where the connection is a convolution.
        connection: one or several in sequence, dense unless said otherwise.
        learn: the parameters of the neurons that are trained.
        per_neuron: those with one value for each neuron, though given as one number.
        delay: the steps after which an input acts, 1 as in the paper or 0.
    """

    constants: ClassVar[tuple[str, ...]] = ()

    neuron: str
    size: Count | None = None
    connection: Annotated[
        Items[Annotated[Kind, OneOf(CONNECTIONS, "dense")]],
        BeforeValidator(_listed),
        Field(min_length=1),
    ] = (Dense(),)
    learn: Items[str] = ()
    per_neuron: Items[str] = ()
    delay: Literal[0, 1] = 1

    @field_validator("learn", "per_neuron")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in cls.constants:
                raise PydanticCustomError("name", "", {"got": name, "names": list(cls.constants)})
        return names

    @property
    def neuron_options(self) -> dict[str, Any]:
        """The keyword arguments of the neurons."""
        apart = {"neuron", "size", "connection", "dropout"}
        return {name: getattr(self, name) for name in type(self).model_fields if name not in apart}


class SpikingLayer(Layer):
    """A layer whose neurons spike.

    Args:
        threshold: ϑ.
        reset: what a spike does to the membrane potential.
        detach_reset: whether the reset is left out of the gradient.
        recurrent: whether the layer has weights onto itself.
        refractory: seconds after a spike in which a neuron cannot spike again.
        dropout: the share of output spikes that training leaves out.
    """

    threshold: Positive = 1.0
    reset: Literal["subtract", "zero", "none"] = "subtract"
    detach_reset: bool = True
    recurrent: bool = False
    refractory: Annotated[float, Field(ge=0, lt=LONGEST)] = 0.0
    dropout: Share = 0.0


def _layer_of(kind: str, neuron: type[Neuron]) -> type[Layer]:
    """The table of a kind of neuron: what all have, and the keywords of its constructor."""
    # a file has numbers, a tensor for a parameter it cannot
    make = cast(Callable[..., Neuron], neuron)
    hints = get_type_hints(neuron.__init__, localns={"Value": float})
    fields: dict[str, Any] = {"neuron": (str, kind)}
    for name, parameter in inspect.signature(make).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            fields[name] = (_from_hint(name, hints[name]), parameter.default)
    if issubclass(neuron, SpikingNeuron) and len(neuron.resets) < len(SpikingNeuron.resets):
        fields["reset"] = (Literal[neuron.resets], neuron.resets[0])
    model = create_model(kind, __base__=SpikingLayer if neuron.spiking else Layer, **fields)
    model.constants = tuple(make().constants)
    return model


def _from_hint(name: str, hint: Any) -> Any:
    """What a file may say where a constructor takes `hint`."""
    number: Any = TimeConstant if name.startswith("tau") else Positive
    return {float: number, float | None: number | None}.get(hint, hint)


LAYERS = {kind: _layer_of(kind, neuron) for kind, neuron in NEURONS.items()}


class SpikeSpec(Kind):
    """A spike with the named surrogate derivative; of `soft` ones it is the derivative.

    Args:
        derivative: a row of the table of surrogate derivatives.
        scale: its steepness, the row's own by default.
        gain: a factor on the derivative.
    """

    derivative: Annotated[str, name_of(TABLE)] = "fast_sigmoid"
    scale: Positive | None = None
    gain: Positive = 1.0

    @property
    def row(self) -> SurrogateDerivative:
        """The derivative at its scale."""
        return TABLE[self.derivative](self.scale, gain=self.gain)


def _spike_of(kind: str) -> type[SpikeSpec]:
    return create_model(kind, __base__=SpikeSpec, kind=(str, kind))


ESCAPES = {
    **models_of({"sigmoid": SigmoidEscape, "exponential": ExponentialEscape}),
    "surrogate": _spike_of("surrogate"),
}


class AnnealedSpec(SpikeSpec):
    """A soft spike whose sharpness grows from `scale` to `final` while the network is trained.

    Args:
        final: the sharpness in the last epoch.
        harden: whether validation and test are with spikes.
    """

    kind: str = "annealed"
    derivative: Annotated[str, name_of(TABLE)] = "sigmoid"
    final: Positive = 50.0
    harden: bool = True


class StochasticSpec(Kind):
    """A spike by chance.

    Args:
        escape: its probability: `sigmoid`, `exponential`, or the primitive of a `surrogate`.
    """

    kind: str = "stochastic"
    escape: Annotated[Kind, OneOf(ESCAPES, "sigmoid")] = Field(
        default_factory=lambda: ESCAPES["sigmoid"].model_validate({})
    )


SPIKES: dict[str, type[Kind]] = {
    "surrogate": _spike_of("surrogate"),
    "soft": _spike_of("soft"),
    "annealed": AnnealedSpec,
    "stochastic": StochasticSpec,
}


class Network(Kind):
    """Layers of spiking neurons and a read-out, advanced in time steps.

    Args:
        layers: the hidden layers.
        readout: the last layer; its size is what the data ask for.
        spike: the spike function.
        xi: how many standard deviations of a membrane lie between rest and threshold before
            training; with a small one many neurons fire in every step.
    """

    kind: str = "steps"
    layers: Items[Annotated[Layer, OneOf(LAYERS, "cuba_lif", key="neuron")]]
    readout: Annotated[Layer, OneOf(LAYERS, "li", key="neuron")] = Field(
        default_factory=lambda: LAYERS["li"].model_validate({})
    )
    spike: Annotated[Kind, OneOf(SPIKES, "surrogate")] = Field(
        default_factory=lambda: SPIKES["surrogate"].model_validate({})
    )
    xi: Positive = 1.0

    @model_validator(mode="after")
    def _sized(self) -> Self:
        with_weights = ("dense", "conv2d")
        check_sizes(
            layer.size or not any(c.kind in with_weights for c in layer.connection)
            for layer in self.layers
        )
        return self

    def spike_by(self, chance: bool) -> Any:
        """What neurons spike by: the table in the file, or chance where that must be."""
        if not chance or self.spike.kind == "stochastic":
            return self.spike
        return SPIKES["stochastic"].model_validate({})


def check_sizes(given: Iterable[object]) -> None:
    """Refuse the first hidden layer that has no size."""
    for index, size in enumerate(given):
        if not size:
            raise wrong(f".layers[{index}].size", got="nothing", expected="the number of neurons")
