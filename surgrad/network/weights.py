"""How the weights of a network begin."""

from __future__ import annotations

import torch
from torch import nn

from surgrad.connections import fluctuation_driven_, weighted
from surgrad.network.base import Stage
from surgrad.neurons import SpikingNeuron

# of the variance of a recurrent layer's membrane, what its input brings (Rossbroich et al. 2022)
FEED_FORWARD_SHARE = 0.9


def set_weights(
    stage: Stage,
    mean_square: float,
    *,
    recurrent: float | None = None,
    xi: float = 1.0,
    generator: torch.Generator | None = None,
) -> None:
    """Draw a stage's weights anew, fluctuation-driven, and set its bias to zero.

    Args:
        stage: the connection and its neurons.
        mean_square: `E[(ε * s)²]` of the connection's input.
        recurrent: the same for the neurons' own spikes; that of the input by default.
        xi: how many standard deviations of the membrane lie between rest and threshold.
        generator: for reproducible draws.
    """
    neuron = stage.neuron
    threshold, own = 1.0, None
    if isinstance(neuron, SpikingNeuron):
        theta = torch.as_tensor(neuron.linearised().theta)
        threshold, own = float(theta.detach().mean()), neuron.recurrent
    module = weighted(stage.connection)
    if module is not None:
        share = 1.0 if own is None else FEED_FORWARD_SHARE
        fluctuation_driven_(
            module.get_parameter("weight"),
            mean_square,
            threshold=threshold,
            share=share,
            xi=xi,
            generator=generator,
        )
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.get_parameter("bias"))
    if own is not None:
        fluctuation_driven_(
            own.weight,
            mean_square if recurrent is None else recurrent,
            threshold=threshold,
            share=1.0 - FEED_FORWARD_SHARE,
            xi=xi,
            generator=generator,
        )
