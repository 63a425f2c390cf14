"""Ways back: fixed feedback matrices, and the learning signals that go through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce

import torch
from torch import Tensor

from surgrad.errors import RuleError
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.chunks import Ahead, back, matrix_of, shifted
from surgrad.learning.forward.setting import Deltas, Here, Layers, Signal


def fixed(
    shape: tuple[int, ...], *, seed: int, layer: int, like: Tensor, uniform: bool = False
) -> Tensor:
    r"""A fixed random matrix, the same whenever it is asked for.

    Args:
        shape: of the matrix.
        seed: the rule's seed.
        layer: the layer's index, so that layers of equal shape have matrices of their own.
        like: gives dtype and device.
        uniform: between :math:`\pm 1/\sqrt{n}`, as DECOLLE has it, instead of normal.

    Returns:
        independent entries of variance 1/n (1/3n if uniform), where n is the size of the last axis.

    Example:
        >>> one = fixed((3, 4), seed=0, layer=1, like=torch.zeros(()))
        >>> torch.equal(one, fixed((3, 4), seed=0, layer=1, like=torch.zeros(())))
        True
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + layer)
    scale = max(shape[-1], 1) ** -0.5
    if uniform:
        drawn = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1
    else:
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (drawn * scale).to(like)


def through_layers(
    cells: list[Cell],
    gain: Callable[[int, int], Tensor | float],
    factor: Callable[[Cell, Tensor], Tensor],
) -> Signal:
    r"""The error of a step, taken back from layer to layer within that step.

    .. math:: \delta_i[n] = f_i\big(h(v_i[n])\big)\, W_{i+1}^\top\, g_{i+1}[n]\, \delta_{i+1}[n]

    Args:
        cells: the layers.
        gain: `g` of a layer's index and a step, what its current is worth to its potential.
        factor: `f` of a layer and the slopes of its neurons, `(batch, *features)`.
    """

    def spatial(n: int, error: Tensor, filtered: Tensor, at: Layers) -> Deltas:
        deltas: Deltas = [None] * len(cells)
        reached = error
        for i in reversed(range(len(cells))):
            here = at[i]
            if here is None:
                break
            if here.next is not None:
                reached = cells[i + 1].back(reached * gain(i + 1, n), here.next)
            reached = reached * factor(cells[i], here.traces.slope)
            deltas[i] = reached
        return deltas

    return spatial


@dataclass
class Broadcast:
    r"""The error of the output, sent to each hidden layer at once.

    .. math:: L_j[n] = \sum_k B_{jk}\, \mathrm{err}_k[n]

    `B` is random, or symmetric: the transposed weights to the read-out, and for layers further
    down the transposed product of the weights in between.

    Args:
        cells: the layers.
        kind: "symmetric", "random" or "uniform".
        seed: of random matrices.
        matrices: other matrices for the hidden layers, by index.
    """

    cells: list[Cell]
    kind: str
    seed: int
    matrices: dict[int, Tensor] = field(default_factory=dict)

    def __call__(self, n: int, error: Tensor, filtered: Tensor, at: Layers) -> Deltas:
        """See `Signal`."""
        last = len(self.cells) - 1
        own = filtered if self.cells[last].spiking else error
        deltas: Deltas = [None] * last + [_times(own, at[last])]
        signal = filtered
        for i in reversed(range(last)):
            here = at[i]
            if self.kind == "symmetric":
                if here is None or here.next is None:
                    break
                signal = self.cells[i + 1].back(signal, here.next)
            elif here is not None:
                signal = self._through(i, filtered, here.traces.slope.shape)
            if here is not None and self.cells[i].spiking:
                deltas[i] = signal * here.traces.slope
        return deltas

    def over(self, at: Ahead, lags: list[int]) -> list[Tensor | None]:
        """See `ChunkSignal`; with symmetric feedback `carries_back` holds behind the first."""
        last = len(self.cells) - 1
        errors = at.filtered if self.cells[last].spiking else at.error
        found: list[Tensor | None] = [None] * last
        found.append(shifted(errors, at.start + lags[last], at.steps))
        for i in range(last):
            if self.cells[i].spiking:
                arriving = shifted(at.filtered, at.start + lags[i], at.steps)
                found[i] = self._back(i, arriving, at.spikes)
        return found

    def _back(self, i: int, error: Tensor, spikes: list[Tensor]) -> Tensor:
        """The errors of some steps to a hidden layer."""
        if self.kind != "symmetric":
            signal = self._through(i, error.flatten(0, 1), spikes[i].flatten(0, 1).shape)
            return signal.view_as(spikes[i])
        matrices = [matrix_of(cell) for cell in self.cells[i + 1 :]]
        known = [matrix for matrix in matrices if matrix is not None]
        if len(known) == len(matrices):
            return (error @ reduce(torch.mm, reversed(known))).view_as(spikes[i])
        for j in reversed(range(i, len(spikes) - 1)):
            error = back(self.cells[j + 1], error, spikes[j])
        return error

    def _through(self, i: int, error: Tensor, shape: torch.Size) -> Tensor:
        flat = error.flatten(1)
        if i not in self.matrices:
            size = shape[1:].numel()
            self.matrices[i] = matrix(size, flat.shape[1], self.kind, self.seed, i, flat)
        return (flat @ self.matrices[i].T).view(shape)


def matrix(neurons: int, outputs: int, kind: str, seed: int, layer: int, like: Tensor) -> Tensor:
    """The matrix from the errors of the output to a layer, `(neurons, outputs)`."""
    if kind == "uniform":
        return like.new_full((neurons, outputs), outputs**-0.5)
    return fixed((neurons, outputs), seed=seed, layer=layer, like=like)


@dataclass
class Follower:
    r"""A feedback matrix that starts at random and goes along with the read-out's updates.

    .. math:: B_{t+1} = W_{t+1} + (1 - c)\,(B_t - W_t)

    which is :math:`B_{t+1} = (1 - c) B_t + U_t` where the read-out's own step is
    :math:`W_{t+1} = (1 - c) W_t + U_t`. `W` is looked at whenever a gradient is asked for; where it
    is as before, nothing happens. So any optimiser will do, and asking twice is asking once.

    Attributes:
        B: the matrix as it was last, `(outputs, neurons)`; None before the first look.
        seen: the read-out's weights then.

    Example:
        >>> held = Follower()
        >>> before = held.look(torch.ones(2, 3), torch.zeros(2, 3), decay=0.0)
        >>> float((held.look(torch.full((2, 3), 5.0), before, decay=0.0) - before).mean())
        4.0

    References: Bellec et al. 2020, methods on adaptive e-prop; Kolen & Pollack 1994.
    """

    B: Tensor | None = None
    seen: Tensor | None = None

    def look(self, weight: Tensor, start: Tensor, *, decay: float) -> Tensor:
        """The matrix that belongs to the read-out's weights of now.

        Args:
            weight: of the read-out, `(outputs, neurons)`.
            start: the matrix at the first look.
            decay: `c`, the share of the difference that is lost in an update.

        Raises:
            RuleError: if the weights are not of the shape seen before.
        """
        if self.B is None or self.seen is None:
            self.B, self.seen = start.detach().clone(), weight.detach().clone()
        if self.seen.shape != weight.shape:
            raise RuleError(
                "read-out under adaptive feedback",
                got=f"weights of shape {tuple(weight.shape)}",
                expected=f"{tuple(self.seen.shape)}, those of the network that it follows",
                fix="make a rule for each network",
            )
        before, self.B = self.seen.to(weight), self.B.to(weight)
        if not torch.equal(before, weight):
            self.B = weight.detach() + (1 - decay) * (self.B - before)
            self.seen = weight.detach().clone()
        return self.B

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint keeps; empty before the first look."""
        return {} if self.B is None or self.seen is None else {"B": self.B, "seen": self.seen}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what was kept."""
        self.B, self.seen = state.get("B"), state.get("seen")


def _times(error: Tensor, here: Here | None) -> Tensor | None:
    return None if here is None else error * here.traces.slope
