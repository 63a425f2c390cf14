"""Work in blocks of samples on a few threads, one parallel region for each call."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch

# a fixed number makes sums over samples independent of the number of threads
DETERMINISTIC_BLOCKS = 8

_pools: dict[int, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_pools.clear)


def bounds(tasks: int) -> list[tuple[int, int]]:
    """The tasks in contiguous blocks: as many as torch has threads, or a fixed number of them.

    The number is fixed where `torch.use_deterministic_algorithms` asks for it.
    """
    fixed = torch.are_deterministic_algorithms_enabled()
    wanted = DETERMINISTIC_BLOCKS if fixed else torch.get_num_threads()
    count = max(1, min(wanted, tasks))
    edges = [tasks * block // count for block in range(count + 1)]
    return list(pairwise(edges))


def run(blocks: list[tuple[int, int]], work: Callable[[int, int, int], None]) -> None:
    """Call `work(block, first, last)` for all blocks, on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), len(blocks))
    pending = deque(enumerate(blocks))

    def take() -> None:
        while pending:
            try:
                index, block = pending.popleft()
            except IndexError:
                return
            work(index, *block)

    if threads > 1 and threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads - 1, thread_name_prefix="surgrad")
    # the caller works too: one that slept would leave its processor to those it has woken
    waiting = [_pools[threads].submit(take) for _ in range(threads - 1)]
    try:
        take()
    finally:
        for future in waiting:
            future.result()
