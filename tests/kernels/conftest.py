"""Memory as it is before anybody has written to it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from surgrad.kernels import buffers


@pytest.fixture
def poisoned(monkeypatch):
    """Memory that nobody has written to is not a number."""
    make, new = torch.empty, buffers.empty

    def spoil(tensor: Tensor) -> Tensor:
        return tensor.fill_(float("nan")) if tensor.is_floating_point() else tensor.fill_(-7)

    monkeypatch.setattr(torch, "empty", lambda *a, **k: spoil(make(*a, **k)))
    monkeypatch.setattr(buffers, "empty", lambda *a, **k: spoil(new(*a, **k)))
