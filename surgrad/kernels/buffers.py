"""Memory that is used again: mapping fresh pages costs as much as the arithmetic in them.

A buffer lives as long as any tensor that looks into it and then goes back to the shelf, so it may
be handed out, saved for a backward pass or returned to a caller like any other tensor.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque

import numpy as np
import torch
from torch import Tensor

# smaller ones come from the allocator, which keeps them itself
SMALLEST = 1 << 18
# bytes that may lie unused; the oldest go first
SHELF = 1 << 30

_LINE = 64

_shelf: list[np.ndarray] = []
_returned: deque[np.ndarray] = deque()
_lock = threading.Lock()


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Uninitialised memory on the CPU, contiguous, at the start of a cache line."""
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return torch.empty(shape, dtype=dtype)
    base = _take(size + _LINE)
    start = -base.ctypes.data % _LINE
    view = base[start : start + size]
    # the storage holds `view`, and so `view` dies with the last tensor in it; what it returns to
    # needs no lock, for it may die at any moment
    weakref.finalize(view, _returned.append, base).atexit = False
    return torch.from_numpy(view).view(dtype).view(shape)


def _take(size: int) -> np.ndarray:
    with _lock:
        while _returned:
            _shelf.append(_returned.popleft())
        fitting = [i for i, base in enumerate(_shelf) if size <= base.nbytes <= 2 * size]
        if fitting:
            # the last of the smallest is the most likely to be in the cache
            return _shelf.pop(min(fitting, key=lambda i: (_shelf[i].nbytes, -i)))
        total = sum(base.nbytes for base in _shelf)
        while total > SHELF:
            total -= _shelf.pop(0).nbytes
    return np.empty(size, dtype=np.uint8)


def release() -> None:
    """Give the memory on the shelf back to the system."""
    with _lock:
        _returned.clear()
        _shelf.clear()
