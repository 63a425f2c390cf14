"""What the kernels read and write: flat arrays of the right kind, and memory for results."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from surgrad.kernels.layer.pack import padded, piece

_NOTHING = {t: np.empty(0, t) for t in (np.float32, np.int32, np.int64)}


class Shape(NamedTuple):
    """The sizes of a layer and the kind of its neurons.

    Attributes:
        steps, samples, size: of the sequences; the size is padded.
        order: the number of state components.
        delay: steps after which an input acts.
        refractory: steps after a spike.
        zeroed, detached: flags of the components, as the bits of a number.
        spiking: whether the neurons spike.
    """

    steps: int
    samples: int
    size: int
    order: int
    delay: int
    refractory: int
    zeroed: int
    detached: int
    spiking: int

    def width(self, whole: bool) -> int:
        """The neurons that are run together: a piece of the layer, or all where rows are needed."""
        return self.size if whole else piece(self.size)

    def sizes(self, width: int, P: Tensor) -> tuple[int, ...]:
        """The tuple of numbers that the kernels begin with."""
        spread = int(P.shape[1] == self.size > 16)
        head = (self.steps, self.samples, self.size, width, spread)
        return (*head, self.delay, self.refractory, self.zeroed, self.spiking)


def flat(tensor: Tensor | None, kind: type = np.float32) -> np.ndarray:
    """A tensor's memory as a flat array; an empty one for None."""
    if tensor is None or tensor.numel() == 0:
        return _NOTHING[kind]
    return tensor.detach().contiguous().view(-1).numpy()


def rows(starts: Tensor | None, stops: Tensor | None, units: Tensor | None):
    """Where each row of spikes begins and ends, and the units that spiked."""
    return flat(starts, np.int64), flat(stops, np.int64), flat(units, np.int32)


def valid_steps(lengths: Tensor | None, shape: Shape) -> np.ndarray:
    """The valid steps of each sample."""
    if lengths is None:
        return np.full(shape.samples, shape.steps, np.int64)
    return lengths.clamp(0, shape.steps).numpy()


New = Callable[..., Tensor]


def outputs(shape: Shape, wanted: list[bool], upward: Tensor | None, new: New) -> list[Tensor]:
    """Memory for all that a layer returns, empty where it is not wanted.

    Args:
        shape: of the layer.
        wanted: dense spikes, events, potentials, states and drives.
        upward: the weights to the next layer, if there are any.
        new: makes memory, `new(*sizes, dtype=...)`.
    """
    dense, events, potentials, states = wanted
    steps, samples, size, order = shape[:4]
    sequence, state = (steps, samples, size), (samples, size)
    real, index = torch.float32, torch.int64
    reach = 0 if upward is None else padded(upward.shape[0])
    return [
        new(*(sequence if dense else (0,)), dtype=real),
        new(*(sequence if potentials else (0,)), dtype=real),
        # the values are in the events: this holds no memory, only its gradient does
        torch.zeros((), dtype=real).expand(steps if reach else 0, samples, reach),
        new(samples * steps if events else 0, dtype=index),
        new(samples * steps if events else 0, dtype=index),
        new(steps * samples * size if events else 0, dtype=torch.int32),
        new(*(state if shape.spiking else (0,)), dtype=real),
        new(order, *state, dtype=real),
        new(*state, dtype=real),
        new(*state, dtype=real),
        new(*state, dtype=real),
        new(*((order, *sequence) if states else (0,)), dtype=real),
        new(*(sequence if states else (0,)), dtype=real),
    ]


def gradients(
    shape: Shape, P: Tensor, inputs: int, needed: list[bool], parts: int, new: New
) -> list[Tensor]:
    """Memory for the gradients of current, weights, bias, recurrent, P, x, s and i.

    The four in the middle are sums over samples, with one part for each block of samples.
    """
    steps, samples, size, order = shape[:4]
    sizes = [
        (steps, samples, size),
        (parts, inputs, size),
        (parts, size),
        (parts, size, size),
        (parts, *P.shape),
        (order, samples, size),
        (samples, size),
        (samples, size),
    ]
    want = [*needed, needed[-1], needed[-1]]
    real = torch.float32
    return [new(*(s if w else (0,)), dtype=real) for s, w in zip(sizes, want, strict=True)]
