"""One call from a trained network to a spiking one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from surgrad.conversion.assemble import Assembly
from surgrad.conversion.balance import (
    Method,
    activations,
    largest,
    least_error,
    method_of,
    percentile,
)
from surgrad.conversion.calibrate import correct_biases
from surgrad.conversion.graph import ACTIVATIONS, Layer, Leaf, Residual, layers_of
from surgrad.conversion.qcfs import QCFS
from surgrad.errors import ArgumentError
from surgrad.network import Sequential
from surgrad.spikes import SpikeFunction

Data: TypeAlias = "Iterable[Tensor] | Iterable[Sequence[Any]]"


def convert(
    net: nn.Module,
    data: Data,
    *,
    method: str = "percentile",
    share: float = 99.9,
    steps: int = 8,
    correct: bool | None = None,
    batches: int = 8,
    dt: float = 1e-3,
    spike: SpikeFunction | None = None,
) -> Sequential:
    r"""Turn a trained network of analogue units into a spiking one.

    Each activation becomes a layer of `IF` neurons whose spikes are worth its ceiling λ, what
    is linear keeps its place with

    .. math:: W^l \leftarrow W^l\, \lambda^{l-1} / \lambda^l, \qquad b^l \leftarrow b^l / \lambda^l,

    and the logits become an `Integrator`. The input is a constant current, the analogue
    network's own, in every step; the potential of the read-out over the number of steps
    approaches the logits. A balance of thresholds instead of weights (ϑ = λ) is the same network
    in other units.

    Args:
        net: of linear and convolutional layers, batch norm, ReLU or `QCFS`, pooling, flattening,
            dropout, and residual sums. It is not changed.
        data: batches of inputs, or of `(inputs, labels)`, to measure activations on.
        method: a key of `METHODS`.
        share: percent of the positive activations below λ, for the method "percentile".
        steps: T, for which "calibrated" chooses ceilings and biases are corrected.
        correct: whether biases are corrected by what the spiking network says too little after
            `steps`; None leaves it to the method, of which "calibrated" does so.
        batches: of the data that are looked at.
        dt: the width of a step in seconds, which rates in hertz refer to.
        spike: the spike function; matters to those who train the network further.

    Returns:
        a network in evaluation mode that any rule can train further.

    Raises:
        ArgumentError: naming the first layer that cannot be converted.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
        >>> x = torch.rand(50, 4)
        >>> from surgrad.conversion import present
        >>> out, _ = convert(net, [x])(present(x, 1000))
        >>> bool((out[-1] / 1000 - net(x)).abs().max() < 0.01)
        True

    References: Diehl et al. 2015; Rueckauer et al. 2017; Deng & Gu 2021; Li et al.
    2021; Bu et al. 2022. See `METHODS` for which is which.
    """
    row, layers = method_of(method), layers_of(net)
    seen = [inputs_of(batch) for batch in islice(data, batches)]
    if not seen:
        raise ArgumentError("calibration data", got="no batch", expected="some inputs")
    if not 0 < share <= 100:
        raise ArgumentError("share", got=share, expected="percent, more than 0 and up to 100")
    ceilings = _ceilings(layers, seen, row, share, steps)
    assembly = Assembly(ceilings, row.start, seen[0][:1])
    with torch.no_grad():
        for layer in layers:
            assembly.add(layer)
    spiking = Sequential(*assembly.finish(), dt=dt, spike=spike, input_rate=None).eval()
    if row.corrected if correct is None else correct:
        correct_biases(spiking, layers, assembly.names, ceilings, seen, steps)
    return spiking


def inputs_of(batch: Any) -> Tensor:
    """The inputs of a batch, with labels or without."""
    return batch if isinstance(batch, Tensor) else batch[0]


def _ceilings(
    layers: list[Layer], seen: list[Tensor], method: Method, share: float, steps: int
) -> dict[str, float]:
    if method.ceiling == "own":
        return {leaf.name: _own(leaf) for leaf in _leaves(layers) if _fires(leaf)}
    if not any(_fires(leaf) for leaf in _leaves(layers)):
        return {}
    measure = {
        "max": largest,
        "percentile": lambda values: percentile(values, share),
        "error": lambda values: least_error(values, steps),
    }[method.ceiling]
    return {name: measure(values) for name, values in activations(layers, seen).items()}


def _own(leaf: Leaf) -> float:
    if not isinstance(leaf.module, QCFS):
        raise ArgumentError(
            f"layer {leaf.name}",
            got=f"{type(leaf.module).__name__} with the method qcfs",
            expected="QCFS for every activation, trained",
            fix="take method='percentile', or train with surgrad.QCFS in the place of nn.ReLU",
        )
    return abs(float(leaf.module.ceiling.detach()))


def _leaves(layers: Sequence[Layer]) -> list[Leaf]:
    found: list[Leaf] = []
    for layer in layers:
        found += [*layer.main, *layer.skip] if isinstance(layer, Residual) else [layer]
    return found


def _fires(leaf: Leaf) -> bool:
    return isinstance(leaf.module, ACTIVATIONS)
