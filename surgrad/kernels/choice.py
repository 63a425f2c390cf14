"""Events or a dense product for a connection: a small cost model with measured constants."""

from __future__ import annotations

import json
import platform
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from surgrad.files import atomic_write

# below the one nobody needs to measure that events are faster, above the other that they are not
CERTAIN, HOPELESS = 0.1, 1.0
_FOLDER = Path.home() / ".cache" / "surgrad"


class Costs(NamedTuple):
    """What one number costs on one thread of this machine, in nanoseconds.

    Attributes:
        gather: to add a weight in the forward pass.
        scatter: to add to a weight's gradient in the backward pass.
        product: a multiplication and addition within a dense product.
        spread: to add a weight of a convolution to a current, or this to its gradient.
        convolution: a multiplication and addition within a dense convolution.
    """

    gather: float
    scatter: float
    product: float
    spread: float
    convolution: float

    @property
    def crossover(self) -> float:
        """The density, spikes per unit and step, at which both ways take the same time."""
        return 2 * self.product / (self.gather + self.scatter)

    @property
    def crossover_of_convolutions(self) -> float:
        """That of a convolution, of spikes behind its pooling."""
        return self.convolution / self.spread


@cache
def costs() -> Costs:
    """The constants of this machine: measured once (a second or two), then read from the cache."""
    machine = "-".join((platform.node(), platform.machine(), torch.__version__))
    path = _FOLDER / "costs.json"
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    if len(known.get(machine, ())) == len(Costs._fields):
        return Costs(*known[machine])
    found = measure()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(known | {machine: found}))
    except OSError:
        # a machine without a writable home measures in each process
        pass
    return found


def measure(units: int = 512, size: int = 256, rows: int = 1024, spikes: int = 16) -> Costs:
    """Time the pieces side by side, the fastest of some rounds."""
    from surgrad.kernels.conv.trial import Trial
    from surgrad.kernels.layer.trial import gathered, scattered

    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(units, size, generator=generator)
    inputs = torch.randn(rows, units, generator=generator)
    product = torch.empty(rows, size)
    which = torch.randint(units, (rows * spikes,), generator=generator, dtype=torch.int32).numpy()
    flat, row = weights.flatten().numpy(), np.zeros(size, np.float32)
    trial = Trial(15, 16, rows // 16, 0.1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        moved = rows * spikes * size
        return Costs(
            _fastest(lambda: gathered((), flat, row, which, spikes)) / moved,
            _fastest(lambda: scattered((), flat, row, which, spikes)) / moved,
            _fastest(lambda: torch.mm(inputs, weights, out=product)) / (rows * units * size),
            sum(map(_fastest, trial.by_events())) / (2 * trial.added),
            sum(map(_fastest, trial.dense())) / (2 * trial.dense_products),
        )
    finally:
        torch.set_num_threads(threads)


def _fastest(run, rounds: int = 5) -> float:
    """Nanoseconds."""
    run()
    best = float("inf")
    for _ in range(rounds):
        before = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - before)
    return best * 1e9


def by_events(density: float, convolution: bool = False) -> bool:
    """Whether events beat the dense product at a density, in spikes per unit and step.

    Args:
        density: of what the weights see, behind a pooling.
        convolution: whether they are those of a convolution.
    """
    if density < CERTAIN or density >= HOPELESS:
        return density < CERTAIN
    return density < crossover(convolution)


@torch.compiler.assume_constant_result
def crossover(convolution: bool = False) -> float:
    """The density at which both ways take the same time."""
    found = costs()
    return found.crossover_of_convolutions if convolution else found.crossover


def why(name: str, density: float, obstacle: str | None = None, convolution: bool = False) -> str:
    """Which path a layer takes and why, in a sentence.

    Args:
        name: of the layer.
        density: of its input, in spikes per unit and step, behind a pooling.
        obstacle: what `engine.obstacle` says.
        convolution: whether it is a convolution that events can drive.

    Example:
        >>> why("hidden 1", 0.02, "the reference is asked for")
        'hidden 1 runs on the plain-torch reference: the reference is asked for.'
    """
    if obstacle is not None:
        return f"{name} runs on the plain-torch reference: {obstacle}."
    product = "convolution" if convolution else "product"
    path = "is driven by events" if by_events(density, convolution) else f"uses a dense {product}"
    return (
        f"{name} {path}: its input has {density:.2g} spikes per unit and step, and events are "
        f"faster below {crossover(convolution):.2g} on this machine."
    )
