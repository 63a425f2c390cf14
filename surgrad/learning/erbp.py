"""Event-driven random back-propagation: presynaptic spikes, a boxcar, and errors that spike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surgrad.learning.base import Batch
from surgrad.learning.forward import Deltas, ForwardRule, Layers, Setting, Signal
from surgrad.learning.forward.cells import Cell, Fire, spike_of, surrogate_fire
from surgrad.learning.forward.chunks import Ahead, ChunkSignal
from surgrad.learning.forward.feedback import fixed
from surgrad.learning.forward.filters import linear
from surgrad.network import Sequential, Stage
from surgrad.objectives.checks import positive
from surgrad.spikes import Surrogate
from surgrad.surrogates import boxcar
from surgrad.tableau import Tableau


@dataclass(frozen=True)
class ERBP(ForwardRule):
    r"""Event-driven random back-propagation.

    At each presynaptic spike

    .. math::
        \Delta w_{ij} \propto -T_i\, \Theta(b > |v_i|), \qquad
        T_i = \sum_k g_{ik} (E^+_k - E^-_k)

    `E⁺` and `E⁻` are error neurons: they integrate the loss's gradient at an output unit, in units
    of the mean error of a step, and spike when a `quantum` has gathered, at most once a step. So a
    synapse needs additions and comparisons only. No trace remembers presynaptic spikes; what a
    spike does to the membrane later than at once is left out. That costs: on Yin-Yang, where a
    hidden layer that does not learn reaches 85.5 %, it came to 87.7 ± 2.3 % (five seeds), and to
    89.9 ± 1.0 % from neurons that fire much before training (`xi` of `initialise`), where
    back-propagation through time reaches 97.6 %; on MNIST as Poisson trains, where it matters less
    when a spike comes, to 97.5 % (`docs/results.md`). The gradient of a hidden layer
    does not come to point where that of back-propagation does: a cosine of 0.06 ± 0.07 (six seeds,
    `docs/log.md`).

    Args:
        width: `b`, the half-width of the boxcar on the membrane potential, in its units.
        quantum: the error that an error spike stands for.
        seed: of the random weights `g`.

    References: Neftci, Augustine, Paul & Detorakis 2017. Their output units spike and their boxcar
    is on the synaptic current; here outputs may be a read-out, which learns from its own error
    neuron, and the boxcar is on the membrane.
    """

    width: float = 1.0
    quantum: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive(self, "width", "quantum")

    def fire(self, stage: Stage, net: Sequential, batch: Batch) -> Fire | None:
        """See `ForwardRule.fire`."""
        box = Surrogate(boxcar(0.5 / self.width))
        own = surrogate_fire(spike_of(stage))

        def fire(v: Tensor, n: int) -> tuple[Tensor, Tensor]:
            return own(v, n)[0], box.derivative.h(v)

        return fire

    def memory(self, cell: Cell) -> Tableau:
        """See `ForwardRule.memory`: none, a spike counts in the step in which it acts."""
        return linear(((0.0,),), (1.0,), (1.0,))._replace(delay=cell.dynamics.delay)

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`."""
        return _ErrorNeurons(self, on)

    def chunk_signal(self, on: Setting) -> ChunkSignal | None:
        """See `ForwardRule.chunk_signal`."""
        if any(cell.recurrent is not None or cell.refractory for cell in on.cells):
            return None
        constants = (c for cell in on.cells for c in cell.stage.neuron.constants.values())
        if any(constant.learn for constant in constants):
            # the traces say why this rule has none for them
            return None
        return _ErrorNeurons(self, on).over


class _ErrorNeurons:
    """The error neurons of one batch."""

    def __init__(self, rule: ERBP, on: Setting) -> None:
        self.rule, self.on = rule, on
        self.potential: Tensor | None = None
        # the gradient of one step of one sample, where a loss is a mean over both
        self.unit = rule.quantum / max(int(on.batch.valid.sum()), 1)
        self.matrices: dict[int, Tensor] = {}

    def __call__(self, n: int, error: Tensor, filtered: Tensor, at: Layers) -> Deltas:
        """See `Signal`."""
        spikes = self._spikes(error)
        last = len(at) - 1
        deltas: Deltas = []
        for i, here in enumerate(at):
            if here is None or not (i == last or self.on.cells[i].spiking):
                deltas.append(None)
                continue
            signal = spikes if i == last else self._random(i, spikes, here.traces.slope)
            deltas.append(signal * self.unit * here.traces.slope)
        return deltas

    def over(self, at: Ahead) -> list[Tensor | None]:
        """See `ChunkSignal`: the gradients at the membrane potentials."""
        errors = at.error[at.start : at.start + at.steps]
        # sample by sample, as layers keep their potentials
        spikes = torch.stack([self._spikes(error) for error in errors], 1) * self.unit
        last = len(self.on.cells) - 1
        found: list[Tensor | None] = []
        for i, (cell, potentials) in enumerate(zip(self.on.cells, at.potentials, strict=True)):
            if not (i == last or cell.spiking):
                found.append(None)
                continue
            v, signal = potentials.transpose(0, 1), spikes
            if i < last:
                signal = self._random(i, spikes.flatten(0, 1), v.flatten(0, 1)).view_as(v)
            if cell.spiking:
                v, width = v - cell.tableau.theta, self.rule.width
                # a neuron at rest lies on the edge of a box as wide as its threshold, and is out
                signal = signal.masked_fill((v <= -width).logical_or_(v > width), 0.0)
            found.append(signal.transpose(0, 1))
        return found

    def _spikes(self, error: Tensor) -> Tensor:
        """What the error neurons say in the next step."""
        gathered = error / self.unit + (0.0 if self.potential is None else self.potential)
        spikes = (gathered >= 1).to(error) - (gathered <= -1).to(error)
        self.potential = gathered - spikes
        return spikes

    def _random(self, i: int, spikes: Tensor, like: Tensor) -> Tensor:
        flat = spikes.flatten(1)
        if i not in self.matrices:
            shape = (like[0].numel(), flat.shape[1])
            self.matrices[i] = fixed(shape, seed=self.rule.seed, layer=i, like=like)
        return (flat @ self.matrices[i].T).view_as(like)
