"""DECOLLE: every layer learns from an error of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot, smooth_l1_loss

from surgrad.errors import ArgumentError, RuleError
from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch
from surgrad.learning.forward import Deltas, ForwardRule, Layers, Setting, Signal
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.chunks import Ahead, ChunkSignal
from surgrad.learning.forward.feedback import fixed
from surgrad.objectives.checks import one_of


@dataclass(frozen=True)
class DECOLLE(ForwardRule):
    r"""Deep continuous local learning: fixed random read-outs of each layer, and a local loss.

    .. math::
        y^l[n] = G^l S^l[n], \qquad
        \frac{\partial L^l}{\partial W^l_{ij}} = \sum_n \Big( \sum_k G^l_{ki}
        \frac{\partial \ell}{\partial y^l_k[n]} \Big) h(v^l_i[n])\, \epsilon_j[n]

    No error passes from layer to layer and none back in time: one trace a presynaptic unit, O(N)
    numbers. A layer's gradient is that of its own loss exactly, and not one that points where
    back-propagation does: a cosine of 0.03 ± 0.18 (eight seeds, `docs/log.md`). The last layer (the
    read-out) learns from the loss itself with its own trace, so with
    an additive loss there is one pass; any other takes two.

    A local read-out sees the spikes of one step, so that a layer in which few neurons fire shows it
    little but noise. Let many fire before training (`xi` of `initialise`, `network.xi` of an
    experiment file): with 512 hidden neurons at 130 Hz it reaches 97.8 % of MNIST as Poisson trains
    (`docs/results.md`).

    Args:
        loss: of the local read-outs in each step: "smooth_l1" to the one-hot label (or to
            target values), or "cross_entropy" of the label.
        burn_in: seconds at the start of a sample without local errors.
        amplitude: a factor on `G`, whose entries are uniform in :math:`\pm 1/\sqrt{N}`. Where one
            neuron in a hundred fires in a step, 10 makes `y` as large as the targets; where many
            do, as in the original, 0.5 to 1 is enough under "smooth_l1" and 3 to 6 suits
            "cross_entropy".
        ceiling: strength of the first regulariser, the mean of :math:`\lfloor v + 0.01 \rfloor_+`.
        floor: of the second, :math:`\lfloor 0.1 - \langle \sigma(v) \rangle \rfloor_+`, which keeps
            a layer awake.
        seed: of the read-outs.

    Raises:
        ArgumentError: if a strength or the burn-in is negative.

    References: Kaiser, Mostafa & Neftci 2020; Neftci, Mostafa & Zenke 2019, section V-C. Their
    potentials have the threshold at zero, as `v` here.
    """

    loss: Literal["smooth_l1", "cross_entropy"] = "smooth_l1"
    burn_in: float = 0.0
    amplitude: float = 10.0
    ceiling: float = 0.0
    floor: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "loss", "smooth_l1", "cross_entropy")
        for name in ("burn_in", "ceiling", "floor"):
            if getattr(self, name) < 0:
                raise ArgumentError(
                    f"{name} of DECOLLE", got=getattr(self, name), expected="zero or more"
                )

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`."""
        return _Local(self, on)

    def chunk_signal(self, on: Setting) -> ChunkSignal | None:
        """See `ForwardRule.chunk_signal`; its regularisers act on potentials, not on spikes."""
        return None if self.ceiling or self.floor else _Local(self, on).over


class _Local:
    """The local errors of one batch."""

    def __init__(self, rule: DECOLLE, on: Setting) -> None:
        self.rule, self.on = rule, on
        self.start = round(rule.burn_in / on.net.dt)
        self.readouts: dict[int, Tensor] = {}
        self.wanted: Tensor | None = None
        counted = (on.batch.valid - self.start).clamp(min=0)
        targets = on.batch.targets
        self.classes = isinstance(targets, Tensor) and not targets.is_floating_point()
        self.share = 1.0 / max(int(counted.sum()), 1)

    def __call__(self, n: int, error: Tensor, filtered: Tensor, at: Layers) -> Deltas:
        """See `Signal`."""
        last = len(at) - 1
        deltas: Deltas = [None] * len(at)
        here = at[last]
        deltas[last] = None if here is None else error * here.traces.slope
        if self.wanted is None:
            self.wanted = _targets(self.on.batch, error, 0, self.on.batch.time)
        inside = (n < self.on.batch.valid) & (n >= self.start)
        for i, (cell, here) in enumerate(zip(self.on.cells[:last], at, strict=False)):
            if cell.spiking and here is not None:
                s, slope = here.traces.state.s, here.traces.slope
                signal = self._signal(i, cast(Tensor, self.wanted)[n], s.flatten(1)).view(s.shape)
                delta = (signal * slope + self._price(cell, here.traces.state.x)) * self.share
                deltas[i] = delta * inside.view(-1, *(1,) * (s.dim() - 1))
        return deltas

    def over(self, at: Ahead) -> list[Tensor | None]:
        """See `ChunkSignal`."""
        steps = torch.arange(at.start, at.start + at.steps).unsqueeze(1)
        inside = (steps < self.on.batch.valid) & (steps >= self.start)
        piece, stop = at.error[at.start], at.start + at.steps
        wanted = _targets(self.on.batch, piece, at.start, stop).flatten(0, 1)
        found: list[Tensor | None] = []
        for i, (cell, s) in enumerate(zip(self.on.cells[:-1], at.spikes, strict=False)):
            if not cell.spiking:
                found.append(None)
                continue
            signal = self._signal(i, wanted, s.flatten(0, 1).flatten(1)).view_as(s)
            found.append(signal * inside.view(*inside.shape, *(1,) * (s.dim() - 2)) * self.share)
        return [*found, at.error[at.start : at.start + at.steps]]

    def _signal(self, i: int, wanted: Tensor, s: Tensor) -> Tensor:
        """`Gᵀ ∂ℓ/∂y`, a row for each sample."""
        if i not in self.readouts:
            shape = (wanted.shape[1], s.shape[1])
            G = fixed(shape, seed=self.rule.seed, layer=i, like=s, uniform=True)
            self.readouts[i] = G * self.rule.amplitude
        with torch.enable_grad():
            y = (s @ self.readouts[i].T).requires_grad_()
            if self.rule.loss == "cross_entropy":
                value = cross_entropy(y, wanted, reduction="sum")
            else:
                each = smooth_l1_loss(y, wanted, reduction="none")
                # a step without a label has no row of targets
                value = (each.mean(1) * self._labelled(wanted)).sum()
            (back,) = torch.autograd.grad(value, y)
        return back @ self.readouts[i]

    def _labelled(self, wanted: Tensor) -> Tensor | float:
        return wanted.any(1).to(wanted) if self.classes else 1.0

    def _price(self, cell: Cell, x: list[Tensor]) -> Tensor | float:
        """The gradient of the regularisers with respect to `v`."""
        rule = self.rule
        if not rule.ceiling and not rule.floor:
            return 0.0
        v = cell.dynamics.membrane(x) - cell.dynamics.theta
        size = v[0].numel()
        open_ = torch.sigmoid(v)
        asleep = open_.flatten(1).mean(1) < 0.1
        wake = open_ * (1 - open_) * asleep.view(-1, *(1,) * (v.dim() - 1))
        return (rule.ceiling * (v > -0.01).to(v) - rule.floor * wake) / size


def _targets(batch: Batch, error: Tensor, start: int, stop: int) -> Tensor:
    """What the read-outs are to say in some steps: one-hot rows, zero without a label.

    Args:
        batch: the batch.
        error: of one step, for the number of units.
        start: the first step.
        stop: behind the last.

    Returns:
        `(steps, batch, units)`.
    """
    targets, units = batch.targets, error[0].numel()
    if isinstance(targets, SpikeTrain):
        return targets[start:stop].to_dense(error.dtype).flatten(2)
    if targets.is_floating_point():
        if targets.shape[:2] != (batch.time, len(error)):
            raise RuleError(
                "targets under DECOLLE",
                got=f"shape {tuple(targets.shape)}",
                expected="class labels, or values for each step",
                fix="give labels, or use another rule",
            )
        return targets[start:stop].flatten(2).to(error)
    known = targets.expand(batch.time, len(error))[start:stop]
    rows = one_hot(known.clamp(min=0), units) * (known >= 0).unsqueeze(-1)
    return rows.to(error)
