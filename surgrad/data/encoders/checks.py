"""What every encoder asks of its input."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from surgrad.errors import ArgumentError, ShapeError


def positive(**numbers: float) -> None:
    """Refuse numbers that are not finite and above zero."""
    for name, number in numbers.items():
        if not (math.isfinite(number) and number > 0):
            raise ArgumentError(name, got=number, expected="a finite number above 0")


def not_negative(**numbers: float) -> None:
    """Refuse numbers that are not finite, or below zero."""
    for name, number in numbers.items():
        if not (math.isfinite(number) and number >= 0):
            raise ArgumentError(name, got=number, expected="a finite number, 0 or more")


def values(
    tensor: Tensor,
    name: str,
    *,
    axes: str,
    rank: int,
    low: float | None = None,
    high: float | None = None,
) -> Tensor:
    """The tensor in float64, refused if an axis is missing or an entry is not in the range."""
    if tensor.dim() < rank:
        raise ShapeError(
            name, got=f"shape {tuple(tensor.shape)}", expected=axes, fix="add the missing axis"
        )
    entries = tensor.detach().double()
    if not torch.isfinite(entries).all():
        raise ArgumentError(name, got="an entry that is not finite", expected="finite numbers")
    accepted = f"values of {low} or more" if high is None else f"values in [{low}, {high}]"
    below = low is not None and bool((entries < low).any())
    above = high is not None and bool((entries > high).any())
    if below or above:
        raise ArgumentError(
            name,
            got=f"{(entries.min() if below else entries.max()).item():g}",
            expected=accepted,
            fix="rescale them",
        )
    return entries
