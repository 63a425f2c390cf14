"""A training run in a process of its own: one JSON line an epoch on the standard output.

Usage: python -m benchmarks.training BUILDER EPOCHS
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.worker import found, pin
from benchmarks.workloads import BATCH, SEED, SHD, Array, Data, Workload


def trainer(builder: str, work: Workload = SHD, batch: int = BATCH) -> Callable[[Array], float]:
    """What makes a step of a contender on chosen samples."""
    small = replace(work, batch=min(batch, work.batch))
    return found(builder)(small, Data(small)).trainer(Data(work))


def batches(samples: int, batch: int, epochs: int) -> Iterator[list[Array]]:
    """The samples of each batch, epoch by epoch; what is left over is left out."""
    draw = np.random.default_rng(SEED + 2)
    for _ in range(epochs):
        order = draw.permutation(samples)
        yield np.split(order[: samples - samples % batch], samples // batch)


def main(arguments: list[str]) -> int:
    """Train."""
    builder, epochs = arguments
    pin()
    step = trainer(builder)
    for epoch, indices in enumerate(batches(SHD.batch, BATCH, int(epochs))):
        start = time.perf_counter()
        loss = float(np.mean([step(index) for index in indices]))
        line = {"epoch": epoch + 1, "loss": loss, "seconds": time.perf_counter() - start}
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
