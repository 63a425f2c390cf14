"""What the kernels read and write: flat arrays of the right kind, and memory for results."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from surgrad.kernels.layer.pack import SOFT, padded, piece

# neurons whose weights lie together
BLOCK = 64
# numbers in a tile, which stays in the cache beside a block of weights, and most of its steps
TILE, LONGEST_TILE = 32768, 128

# rows of the adjoint's work space behind a sample's tile of errors: h, the spikes before, what
# comes to ∂ℓ/∂s from later, δ, the step's error, the refractory; behind them K rows each of the
# adjoint (`STATE`), of it behind the reset, with the step's error, and of the state before
SLOPE, PAST, LATER, DELTA, ERROR, CLOSED, STATE = range(7)

_NOTHING = {t: np.empty(0, t) for t in (np.float32, np.int32, np.int64)}


class Shape(NamedTuple):
    """The sizes of a layer and the kind of its neurons.

    Attributes:
        steps, samples, size: of the sequences; the size is padded.
        order: the number of state components.
        delay: steps after which an input acts.
        refractory: steps after a spike.
        zeroed, detached: flags of the components, as the bits of a number.
        spiking: 0 for neurons that do not spike, 1 for those that do, `SOFT` for smooth spikes.
        local: whether errors do not go round through recurrent weights.
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
    local: int = 0

    def width(self, whole: bool) -> int:
        """The neurons that are run together: a piece of the layer, or all where rows are needed."""
        return self.size if whole else piece(self.size)

    def sizes(self, width: int, group: int = 1) -> tuple[int, ...]:
        """The tuple of numbers that the kernels begin with; `group` samples run side by side."""
        tile = max(1, min(TILE // (group * width), LONGEST_TILE, self.steps))
        head = (self.steps, self.samples, self.size, width, self.delay, self.refractory)
        return (*head, self.zeroed, self.spiking, tile)

    def soft(self) -> tuple[int, ...]:
        """A zero if spikes are smooth, else nothing: the kernels differ."""
        return (0,) if self.spiking == SOFT else ()

    def own(self, P: Tensor) -> tuple[int, ...]:
        """A zero if the coefficients are each neuron's own, else nothing: the kernels differ."""
        return (0,) if P.shape[1] == self.size > 16 else ()


def flat(tensor: Tensor | None, kind: type = np.float32) -> np.ndarray:
    """A tensor's memory as a flat array; an empty one for None."""
    if tensor is None or tensor.numel() == 0:
        return _NOTHING[kind]
    return tensor.detach().contiguous().view(-1).numpy()


def by_sample(sequence: Tensor) -> Tensor:
    """`(…, steps, samples, size)` as the kernels keep it, sample by sample, or the way back."""
    return sequence.transpose(-3, -2) if sequence.dim() > 1 else sequence


def dense(sequence: Tensor) -> Tensor:
    """The same numbers without gaps, by step or by sample as they lie."""
    whole = sequence.dim() < 3 or by_sample(sequence).is_contiguous() or _constant(sequence)
    return sequence if whole else sequence.contiguous()


def _constant(sequence: Tensor) -> bool:
    """Whether all steps of all samples are one row, as in the gradient of a sum."""
    return sequence.stride()[:2] == (0, 0) and sequence.numel() > 0


def strided(sequence: Tensor | None) -> tuple[np.ndarray, int, int]:
    """A dense `(steps, samples, size)` as a flat array, and how far steps and samples are apart."""
    if sequence is None or sequence.numel() == 0:
        return _NOTHING[np.float32], 0, 0
    steps, samples, size = sequence.shape
    if _constant(sequence):
        return flat(sequence[0, 0]), 0, 0
    if sequence.is_contiguous():
        return flat(sequence), samples * size, size
    return flat(by_sample(sequence)), size, steps * size


def rows(starts: Tensor | None, stops: Tensor | None, units: Tensor | None):
    """Where each row of spikes begins and ends, and the units that spiked."""
    return flat(starts, np.int64), flat(stops, np.int64), flat(units, np.int32)


def in_blocks(matrix: Tensor | None) -> np.ndarray:
    """The columns of a matrix in blocks, with zeros behind the last; see `weights`."""
    if matrix is None:
        return _NOTHING[np.float32]
    missing = padded(matrix.shape[1]) - matrix.shape[1]
    full = pad(matrix.detach(), (0, missing)) if missing else matrix.detach()
    if full.shape[1] <= BLOCK:
        return flat(full)
    if full.shape[1] % BLOCK == 0:
        return flat(full.unflatten(1, (-1, BLOCK)).transpose(0, 1))
    return flat(torch.cat([block.flatten() for block in full.split(BLOCK, 1)]))


def from_blocks(blocks: Tensor, size: int) -> Tensor:
    """The matrix with `size` columns whose blocks lie in `(rows, padded size)`."""
    rows, width = blocks.shape
    if width <= BLOCK:
        return blocks[:, :size]
    if width % BLOCK == 0:
        return blocks.view(-1, rows, BLOCK).transpose(0, 1).reshape(rows, -1)[:, :size]
    widths = [min(BLOCK, width - n) for n in range(0, width, BLOCK)]
    parts = blocks.view(-1).split([rows * w for w in widths])
    whole = [part.view(rows, w) for part, w in zip(parts, widths, strict=True)]
    return torch.cat(whole, 1)[:, :size]


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
        wanted: dense spikes, events, potentials, states and drives, and a carrier of the gradient
            of the spikes.
        upward: the weights to the next layer, if there are any.
        new: makes memory, `new(*sizes, dtype=...)`.
    """
    dense, events, potentials, states, carried = wanted
    steps, samples, size, order = shape[:4]
    state, real, index = (samples, size), torch.float32, torch.int64
    reach = 0 if upward is None else padded(upward.shape[0])
    reach = size if carried else reach

    def sequence(want: bool, *lead: int) -> Tensor:
        if not want:
            return new(0, dtype=real)
        return by_sample(new(*lead, samples, steps, size, dtype=real))

    return [
        sequence(dense),
        sequence(potentials),
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
        sequence(states, order),
        sequence(states),
    ]


def gradients(
    shape: Shape, P: Tensor, inputs: int, needed: list[bool], parts: int, new: New
) -> list[Tensor]:
    """Memory for the gradients of current, weights, bias, recurrent, P, x, s and i.

    The four in the middle are sums over samples, with one part for each block of samples, and
    those of weights lie in blocks of neurons.

    Args:
        shape: of the layer.
        P: the coefficients.
        inputs: the number of presynaptic units.
        needed: which of current, weights, bias, recurrent, P and the initial state, and whether the
            current lies step by step.
        parts: the number of blocks of samples.
        new: makes memory, `new(*sizes, dtype=...)`.
    """
    steps, samples, size, order = shape[:4]
    sizes = [
        (steps, samples, size) if needed[6] else (samples, steps, size),
        (parts, inputs, size),
        (parts, size),
        (parts, size, size),
        (parts, *P.shape),
        (order, samples, size),
        (samples, size),
        (samples, size),
    ]
    want = [*needed[:6], needed[5], needed[5]]
    real = torch.float32
    grads = [new(*(s if w else (0,)), dtype=real) for s, w in zip(sizes, want, strict=True)]
    if needed[0] and not needed[6]:
        grads[0] = by_sample(grads[0])
    return grads
