"""SuperSpike: a filtered eligibility times a filtered error, through whatever way back there is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from surgrad.errors import ArgumentError, RuleError
from surgrad.learning.base import Need
from surgrad.learning.forward import ForwardRule, Setting, Signal, delays
from surgrad.learning.forward.cells import Cell
from surgrad.learning.forward.chunks import ChunkSignal, carries_back
from surgrad.learning.forward.errors import Errors, ErrorSource
from surgrad.learning.forward.feedback import Broadcast
from surgrad.learning.forward.filters import backwards, double_exponential, linear
from surgrad.objectives import Objective
from surgrad.objectives.base import ClassLoss, LabelledSteps
from surgrad.objectives.checks import one_of, positive, sequence, spikes_like
from surgrad.objectives.losses import VanRossum
from surgrad.tableau import Tableau, combine


@dataclass(frozen=True)
class SuperSpike(ForwardRule):
    r"""A three-factor rule for spike trains.

    .. math::
        \frac{\partial L}{\partial W_{ij}} \approx \sum_n e_i[n]\;
        \lambda * \big[ h(v_i)\, (\epsilon * S_j) \big][n], \qquad
        e_i = \lambda * (S_i - S_i^*)

    for output neurons; hidden neurons get the outputs' errors through a matrix, some steps later.
    With the loss `van_rossum`, `λ` is its kernel and the error its filtered difference. With any
    other loss the error is the loss's gradient at the output, and `λ` a double exponential of unit
    area in front of hidden layers; a read-out learns with its own trace.

    What a weight does to its neuron by way of the neuron's own spikes is left out.

    Args:
        feedback: "symmetric", "random" or "uniform" (the sum of all errors).
        tau: decay of `λ` in seconds, for losses without a kernel.
        rise: its rise in seconds.
        delays: whether a hidden layer's trace waits for the error that it has caused.
        online: one pass, with a filtered trace for each synapse, where the loss is `van_rossum` or
            additive and there are no penalties. Else two passes, with the same result.
        seed: of random feedback.

    Raises:
        ArgumentError: if `rise` is not shorter than `tau`.

    Example:
        >>> from surgrad.network import Sequential
        >>> from surgrad.neurons import CuBaLIF
        >>> from surgrad.objectives import losses
        >>> net = Sequential(torch.nn.Linear(3, 2), CuBaLIF(2), dt=1e-3)
        >>> wanted = torch.zeros(50, 4, 2)
        >>> wanted[30] = 1.0
        >>> loss = losses.VanRossum(tau=10e-3, rise=5e-3)
        >>> _ = SuperSpike().gradients(net, (torch.ones(50, 4, 3), wanted), loss)
        >>> net[0].weight.grad.shape
        torch.Size([2, 3])

    References: Zenke & Ganguli 2018, section 2 and its appendix on feedback; Neftci, Mostafa &
    Zenke 2019, section V-B. `RMaxProp` is the optimiser that they use.
    """

    feedback: Literal["symmetric", "random", "uniform"] = "symmetric"
    tau: float = 10e-3
    rise: float = 5e-3
    delays: bool = True
    online: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "feedback", "symmetric", "random", "uniform")
        positive(self, "tau", "rise")
        if not self.rise < self.tau:
            raise ArgumentError(
                "rise of SuperSpike", got=self.rise, expected=f"less than {self.tau}"
            )

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return frozenset({"weight transport"} if self.feedback == "symmetric" else ())

    def check(self, on: Setting) -> None:
        """Refuse the van Rossum loss on anything but spikes, and a sum of errors that is zero."""
        if self.feedback == "uniform" and isinstance(on.objective.loss, ClassLoss | LabelledSteps):
            raise RuleError(
                "uniform feedback under SuperSpike",
                got=f"{on.objective.loss.kind}, a cross-entropy: errors that add up to zero",
                expected="a loss whose errors have a sum, such as van_rossum",
                fix="set feedback='random' or 'symmetric'",
            )
        if isinstance(on.objective.loss, VanRossum) and not on.cells[-1].spiking:
            raise RuleError(
                "loss van_rossum under SuperSpike",
                got="a network that ends in a read-out",
                expected="output spikes, whose difference to the target's is the error",
                fix="end the network in a neuron that spikes, or use another loss",
            )

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`."""
        return Broadcast(on.cells, self.feedback, self.seed)

    def chunk_signal(self, on: Setting) -> ChunkSignal | None:
        """See `ForwardRule.chunk_signal`."""
        if self.feedback == "symmetric" and not all(map(carries_back, on.cells[1:])):
            return None
        way, lags = Broadcast(on.cells, self.feedback, self.seed), self.lags(on.cells)
        return lambda at: way.over(at, lags)

    def filter_of(self, on: Setting) -> Tableau | None:
        """See `ForwardRule.filter_of`."""
        loss = on.objective.loss
        if isinstance(loss, VanRossum):
            return van_rossum_kernel(loss)
        return double_exponential(self.tau, self.rise, on.net.dt)

    def filters(self, cells: list[Cell], index: int) -> bool:
        """See `ForwardRule.filters`."""
        return cells[index].spiking

    def lags(self, cells: list[Cell]) -> list[int]:
        """See `ForwardRule.lags`."""
        return delays(cells) if self.delays else [0] * len(cells)

    def two_passes(self, objective: Objective) -> bool:
        """See `ForwardRule.two_passes`."""
        known = objective.loss.additive or isinstance(objective.loss, VanRossum)
        return not (self.online and known) or bool(objective.penalties)

    def online_errors(self, on: Setting) -> ErrorSource:
        """See `ForwardRule.online_errors`."""
        loss = on.objective.loss
        return SpikeErrors(on, loss) if isinstance(loss, VanRossum) else super().online_errors(on)

    def known_errors(
        self, on: Setting, output: Tensor, counts: list[Tensor], seen: Tensor | None
    ) -> Errors:
        """See `ForwardRule.known_errors`."""
        errors = super().known_errors(on, output, counts, seen)
        loss = on.objective.loss
        if not isinstance(loss, VanRossum):
            return errors
        source = SpikeErrors(on, loss)
        filtered = torch.stack([source.at(n, step)[0] for n, step in enumerate(output)])
        taken = van_rossum_kernel(loss).to(filtered)
        return errors._replace(output=filtered, filtered=backwards(taken, filtered))


class SpikeErrors:
    r"""`2 Δt λ * (S - S*)`, so that it and `λ` make the gradient of the van Rossum loss.

    Args:
        on: the batch, whose targets are spikes.
        loss: the loss.
    """

    def __init__(self, on: Setting, loss: VanRossum) -> None:
        self.on, self.loss, self.counts = on, loss, []
        self.kernel = van_rossum_kernel(loss)
        self.wanted: Tensor | None = None
        self.held: list[Tensor] = []

    def at(self, n: int, output: Tensor) -> tuple[Tensor, None]:
        """The error of a step."""
        batch = self.on.batch
        if self.wanted is None:
            whole = output.detach().expand(batch.time, *output.shape)
            wanted = spikes_like(batch.targets, whole)
            self.wanted = sequence(wanted, batch.valid)[0]
            self.held = [torch.zeros_like(output)] * self.kernel.order
        difference = output - self.wanted[n]
        self.held = [
            combine((*row, b), (*self.held, difference))
            for row, b in zip(self.kernel.A, self.kernel.b, strict=True)
        ]
        samples = int((batch.valid > 0).sum().clamp(min=1))
        error = combine(self.kernel.c, self.held) * (2 * self.loss.step / samples)
        inside = (n < batch.valid).view(-1, *(1,) * (error.dim() - 1))
        return error * inside, None


def van_rossum_kernel(loss: VanRossum) -> Tableau:
    r"""The loss's kernel `λ` with :math:`\int λ^2 dt = 1/2`, as a filter over steps."""
    tau, rise, dt = loss.tau, loss.rise, loss.step
    slow = math.exp(-dt / tau)
    if rise is None:
        return linear(((slow,),), (1.0,), (tau**-0.5,))
    scale = math.sqrt(tau + rise) / (tau - rise)
    fast = math.exp(-dt / rise)
    return linear(((slow, 0.0), (0.0, fast)), (1.0, 1.0), (scale, -scale))
