"""What one spike of a layer stands for: its largest activation, by one of several measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from surgrad.conversion.graph import Layer, run
from surgrad.errors import ArgumentError

# activations kept of each layer and batch, so that memory does not grow with the layer
KEPT = 200_000


@dataclass(frozen=True)
class Method:
    """A way to convert.

    Attributes:
        ceiling: the activation λ at which a neuron fires in every step: the largest that was
            seen ("max"), a percentile of the positive ones, that with the smallest squared error
            after T steps ("error"), or the trained one of QCFS ("own").
        start: where the membrane potential begins, as a share of the threshold.
        corrected: whether biases are corrected with the rates of the spiking network.
        source: the reference.
    """

    ceiling: Literal["max", "percentile", "error", "own"]
    start: float
    corrected: bool
    source: str


METHODS: dict[str, Method] = {
    "max": Method("max", 0.0, False, "Diehl et al. 2015, data-based normalisation"),
    "percentile": Method("percentile", 0.0, False, "Rueckauer et al. 2017, robust normalisation"),
    "shift": Method("max", 0.5, False, "Deng & Gu 2021, shift by half a threshold"),
    "qcfs": Method("own", 0.5, False, "Bu et al. 2022"),
    "calibrated": Method("error", 0.5, True, "Li et al. 2021, light calibration"),
}
"""Every method by its name."""


def method_of(name: str) -> Method:
    """The method of a name.

    Raises:
        ArgumentError: if there is none.
    """
    if name not in METHODS:
        raise ArgumentError("method", got=repr(name), expected="one of " + ", ".join(METHODS))
    return METHODS[name]


def activations(layers: Sequence[Layer], batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """A sample of the positive activations of each layer, by name.

    Args:
        layers: the network.
        batches: inputs, `(batch, *features)`.

    Raises:
        ArgumentError: if a layer never says anything.
    """
    found: dict[str, list[Tensor]] = {}

    def keep(name: str, a: Tensor) -> None:
        positive = a[a > 0]
        stride = max(1, positive.numel() // KEPT)
        # the largest must be among them
        top = positive.max().view(1) if positive.numel() else positive
        found.setdefault(name, []).append(torch.cat([positive[::stride], top]))

    with torch.no_grad():
        for batch in batches:
            run(layers, batch, keep)
    joined = {name: torch.cat(parts) for name, parts in found.items()}
    for name, values in joined.items():
        if not values.numel():
            raise ArgumentError(
                f"layer {name}",
                got="no positive activation on these data",
                expected="one at least, which a spike can stand for",
                fix="convert with other data, or leave the layer out and train again",
            )
    return joined


def largest(values: Tensor) -> float:
    """The maximum."""
    return float(values.max())


def percentile(values: Tensor, share: float) -> float:
    """The value below which `share` percent of the positive activations lie."""
    rank = max(1, round(share / 100 * values.numel()))
    return float(values.kthvalue(min(rank, values.numel())).values)


def least_error(values: Tensor, steps: int, candidates: int = 100) -> float:
    r"""The ceiling with the smallest squared error of what T steps can say.

    .. math:: \lambda^* = \arg\min_\lambda \sum_a \left(a - \lambda\, \mathrm{clip}\left(
        \tfrac1T \left\lfloor \tfrac{a T}{\lambda} + \tfrac12 \right\rfloor, 0, 1\right)\right)^2
    """
    stride = max(1, values.numel() // 20_000)
    kept, top = values[::stride], largest(values)
    best, smallest = top, float("inf")
    for k in range(1, candidates + 1):
        ceiling = top * k / candidates
        said = ceiling * (torch.floor(kept * (steps / ceiling) + 0.5) / steps).clamp(0, 1)
        error = float((kept - said).square().mean())
        if error < smallest:
            best, smallest = ceiling, error
    return best
