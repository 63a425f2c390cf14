"""Small pictures by formula, for targets that are easy to see."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Picture: TypeAlias = Literal["heart", "rings", "spiral"]


def draw(name: Picture, size: int = 200) -> Tensor:
    """A built-in picture as ink, 0 or 1, float64 `(size, size)`, its first row on top.

    Example:
        >>> ["".join(".#"[int(ink)] for ink in row) for row in draw("rings", 8)[:4]]
        ['..####..', '.#....#.', '#..##..#', '#.####.#']
    """
    axis = (torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    r = torch.hypot(x, y)
    if name == "heart":
        x, y = 1.25 * x, 1.25 * y + 0.1
        return ((x**2 + y**2 - 1) ** 3 <= x**2 * y**3).double()
    if name == "rings":
        return ((r < 1) & (torch.cos(3 * math.pi * r) < 0)).double()
    turns = 2.5 * r - torch.atan2(y, x) / (2 * math.pi)
    return ((r < 1) & (turns % 1 < 0.5)).double()
