"""No code at all: the value itself in every step, as a current."""

from __future__ import annotations

from torch import Tensor

from surgrad.data.encoders import checks


def constant(x: Tensor, *, time: int) -> Tensor:
    """The same current in every step; its memory does not grow with time.

    Args:
        x: values, `(samples, *features)`.
        time: the number of steps.

    Returns:
        Dense inputs for `Samples`, `(samples, time, *features)`.

    Example:
        >>> import torch
        >>> constant(torch.tensor([[0.25]]), time=3).flatten()
        tensor([0.2500, 0.2500, 0.2500])
    """
    checks.values(x, "constant current", axes="(samples, *features)", rank=2)
    checks.positive(time=time)
    return x.unsqueeze(1).expand(x.shape[0], time, *x.shape[1:])
