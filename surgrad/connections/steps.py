"""Modules without time, on every step of a sequence."""

from __future__ import annotations

from torch import Tensor, nn


def each_step(module: nn.Module, values: Tensor) -> Tensor:
    """Apply a module without time to every step of `(time, batch, *features)`."""
    if isinstance(module, nn.Sequential) and len(module) == 0:
        return values
    if _constant(values) and not any(m.training for m in module.modules() if not [*m.children()]):
        once = module(values[0])
        return once.expand(len(values), *once.shape)
    # neurons leave their output sample by sample in memory; nothing is copied in either order
    by_sample = not values.is_contiguous() and values.transpose(0, 1).is_contiguous()
    ordered = values.transpose(0, 1) if by_sample else values
    result = module(ordered.flatten(0, 1)).unflatten(0, ordered.shape[:2])
    return result.transpose(0, 1) if by_sample else result


def _constant(values: Tensor) -> bool:
    """Whether the steps are one and the same piece of memory."""
    return len(values) > 1 and values.stride(0) == 0
