"""Tableaus, weights and states as the padded rows that the kernels read, differentiably."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from surgrad.tableau import Entry, Tableau

# the width of the kernels' vectors, known here without loading the compiler
WIDTH = 16
# the kind of neurons whose spikes are the primitive of the surrogate derivative
SOFT = 2
# neurons in one piece of a layer that is cut up
PIECE = 512


def padded(size: int) -> int:
    """The size of a layer in memory."""
    return -(-size // WIDTH) * WIDTH


def piece(size: int) -> int:
    """The largest piece into which a padded layer can be cut evenly."""
    width = min(PIECE, size)
    while size % width:
        width -= WIDTH
    return width


def features_flat(values: Tensor, lead: int) -> Tensor:
    """The features behind `lead` axes as one axis; those of images with the channels last."""
    ordered = values.movedim(-3, -1) if values.dim() - lead == 3 else values
    return ordered.flatten(lead)


def columns(weight: Tensor, features: tuple[int, ...]) -> Tensor:
    """Weights `(neurons, channels * height * width)` for units that are counted channel last."""
    return weight.unflatten(1, features).permute(0, 2, 3, 1).flatten(1)


def last_axis(tensor: Tensor) -> Tensor:
    """Zeros behind the last axis, up to a multiple of the vectors' width."""
    missing = padded(tensor.shape[-1]) - tensor.shape[-1]
    return pad(tensor, (0, missing)) if missing else tensor


def rows_per_input(weight: Tensor) -> Tensor:
    """A weight matrix, post × pre, as one padded row for each presynaptic unit, padded as well."""
    missing = padded(weight.shape[1]) - weight.shape[1]
    return last_axis(pad(weight, (0, missing)).t())


def square(weight: Tensor) -> Tensor:
    """Weights of a layer onto itself with zeros for the neurons that pad it."""
    missing = padded(weight.shape[0]) - weight.shape[0]
    return pad(weight, (0, missing, 0, missing)) if missing else weight


def entries(tableau: Tableau) -> list[Entry]:
    """The coefficients in the order of their rows: A, b, r, c, θ."""
    rows = [entry for row in tableau.A for entry in row]
    return [*rows, *tableau.b, *tableau.r, *tableau.c, tableau.theta]


def coefficients(tableau: Tableau, size: int) -> Tensor:
    """The coefficients as float32 rows, `(K² + 3K + 1, padded size)`.

    Where all are numbers that all neurons share, `(K² + 3K + 1, WIDTH)`.
    """
    found = entries(tableau)
    shared = all(not isinstance(e, Tensor) or e.numel() == 1 for e in found)
    if shared and (size % WIDTH == 0 or _out_of_reach(tableau.theta)):
        return _numbers(found)[:, None].expand(-1, WIDTH).contiguous()
    rows = [_row(entry, size) for entry in found]
    packed = last_axis(torch.stack(rows))
    missing = packed.shape[1] - size
    if missing:
        # neurons that are not there must not reach their threshold of zero
        ceiling = packed.new_zeros(packed.shape)
        ceiling[-1, size:] = 1.0
        packed = packed + ceiling
    return packed


def _out_of_reach(theta: Entry) -> bool:
    """Whether neurons that are not there, whose potential is zero, stay silent by themselves."""
    if torch.compiler.is_compiling():
        # a compiler does not know the number
        return False
    return float(torch.as_tensor(theta).detach()) >= 0


def _numbers(found: list[Entry]) -> Tensor:
    if any(isinstance(e, Tensor) and e.requires_grad for e in found):
        return torch.stack([torch.as_tensor(e).reshape(()).float() for e in found])
    return torch.tensor([float(e) for e in found], dtype=torch.float32)


def _row(entry: Entry, size: int) -> Tensor:
    value = torch.as_tensor(entry).float()
    return value.reshape(()).expand(size) if value.numel() == 1 else value.reshape(size)
