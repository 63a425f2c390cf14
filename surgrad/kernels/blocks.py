"""Work in blocks of samples on a few threads, one parallel region for each call."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch

from surgrad.kernels import team

# a fixed number makes sums over samples independent of the number of threads
DETERMINISTIC_BLOCKS = 8


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
    pending, threads = dict(enumerate(blocks)), torch.get_num_threads()

    def take(thread: int) -> None:
        # first those that this thread has had before: what it wrote then is still near it
        for index in (*range(thread, len(blocks), threads), *range(len(blocks))):
            block = pending.pop(index, None)
            if block is not None:
                work(index, *block)

    if len(blocks) == 1:
        take(0)
    else:
        team.everyone(take)
