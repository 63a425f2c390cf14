"""Which neurons a weight can reach within a few steps."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.network import Stage
from surgrad.neurons import SpikingNeuron


def reach(stage: Stage, order: int) -> Tensor | None:
    """The neurons of a recurrent layer that each of its parameters influences within `order` steps.

    Args:
        stage: the layer.
        order: 1 for a parameter's own neuron, more for those reached by recurrent weights.

    Returns:
        bool `(parameters, neurons)`, the parameters in the order of the stage's trainable ones with
        the connection first, or None if the layer is not recurrent.
    """
    neuron = stage.neuron
    if not isinstance(neuron, SpikingNeuron) or neuron.recurrent is None:
        return None
    projects = neuron.recurrent.weight.detach().T != 0
    size = len(projects)
    reached = torch.eye(size, dtype=torch.bool, device=projects.device)
    for _ in range(order - 1):
        further = reached | (reached.double() @ projects.double() > 0)
        if torch.equal(further, reached):
            break
        reached = further
    rows = []
    for module in (stage.connection, neuron):
        for parameter in module.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.dim() and parameter.shape[0] == size:
                rows.append(reached.repeat_interleave(parameter[0].numel(), 0))
            else:
                # shared by all neurons
                rows.append(torch.ones_like(reached[:1]).expand(parameter.numel(), -1))
    return torch.cat(rows) if rows else None
