"""Factors that go into weights where there are some, and into a `Gain` where there are none."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import nn

from surgrad.conversion.graph import WEIGHTED
from surgrad.conversion.modules import Gain, Parallel

Chain: TypeAlias = "list[nn.Module] | nn.Sequential"


def absorb(chain: Chain, factor: float) -> None:
    """Multiply the input of a chain of linear modules; biases stay as they are."""
    if factor == 1.0:
        return
    for module in chain:
        if isinstance(module, WEIGHTED):
            with torch.no_grad():
                module.weight.mul_(factor)
            return
    chain.insert(0, Gain(factor))


def amplify(chain: Chain, factor: float) -> None:
    """Multiply the output of a chain of linear modules."""
    if factor == 1.0:
        return
    for module in reversed(list(chain)):
        if isinstance(module, Parallel) and module.add:
            for way in module.ways:
                amplify(way, factor)  # type: ignore[arg-type]
            return
        if isinstance(module, WEIGHTED):
            with torch.no_grad():
                module.weight.mul_(factor)
                if module.bias is not None:
                    module.bias.mul_(factor)
            return
    chain.append(Gain(factor))


def biased(connection: nn.Module) -> Any:
    """The last module with weights on the way with neurons, with a bias, zero if it had none."""
    for module in reversed(list(connection.children())):
        if isinstance(module, Parallel):
            return biased(module.ways[0])
        if isinstance(module, WEIGHTED):
            if module.bias is None:
                size = module.weight.shape[0]
                module.bias = nn.Parameter(module.weight.new_zeros(size))
            return module
    return None
