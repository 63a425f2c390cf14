"""Which connections events can drive, so that nothing dense lies between two layers."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from surgrad.connections import Convolution, OtherWayBack, convolution
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.network.base import Stage
from surgrad.neurons import Neuron

Values = SpikeTrain | engine.Events | Tensor
"""What passes from one layer to the next."""


def by_events(stage: Stage, features: tuple[int, ...]) -> nn.Linear | None:
    """The weights of a stage that events can drive: one plain `nn.Linear` that fits both sides.

    A weight that is computed (`torch.nn.utils.parametrize`) or a hook needs the module's own call.
    """
    modules = [module for module in stage.connection if type(module) is not nn.Flatten]
    linear, neuron = modules[0] if len(modules) == 1 else None, stage.neuron
    linear = linear.module if isinstance(linear, OtherWayBack) else linear
    if type(linear) is not nn.Linear:
        return None
    plain = not (linear._forward_hooks or linear._forward_pre_hooks or linear._backward_hooks)
    flat = len(features) == 1 or len(stage.connection) > 1
    fits = flat and linear.in_features == prod(features)
    fits = fits and neuron.size in (None, (linear.out_features,))
    spike = getattr(neuron, "spike", None)
    if not (plain and fits and type(neuron).run is Neuron.run):
        return None
    return linear if engine.obstacle(spike, linear.weight) is None else None


def spread(stage: Stage, values: Values | tuple[int, ...]) -> Convolution | None:
    """The convolution of a stage that these values, or neurons of these features, can drive."""
    if isinstance(values, Tensor):
        return None
    features = values.shape[2:] if isinstance(values, SpikeTrain | engine.Events) else values
    found = convolution(stage.connection, features, not isinstance(values, SpikeTrain))
    return None if found is None or engine.obstacle(None, found.weight) else found
