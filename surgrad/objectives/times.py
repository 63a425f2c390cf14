"""Losses on spike times, as they come from networks that are computed from spike to spike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.objectives.base import ClassLoss, Loss, mean_over
from surgrad.objectives.checks import class_axis, labels, positive, told


@dataclass(frozen=True)
class TimeLoss(Loss):
    """A loss of the times of first spikes in seconds, `(1, batch, units)`; infinity is silence.

    Args:
        silent: the time in seconds that a silent unit is taken to spike at. It should lie behind
            the last spike; a silent unit has no gradient, but the others are measured against it.
    """

    silent: float = 0.1

    of_times: ClassVar[bool] = True
    classifies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(self, "silent")

    def _clean(
        self,
        output: Tensor | SpikeTrain,
        targets: Tensor | SpikeTrain,
        lengths: Tensor | None,
    ) -> tuple[Tensor, Tensor | SpikeTrain, Tensor]:
        """The times, finite; the lengths of the input say nothing about them."""
        if not isinstance(output, Tensor) or output.dim() != 3 or len(output) != 1:
            raise ShapeError(
                f"output for {self.kind}",
                got=told(output),
                expected="spike times (1, batch, units)",
                fix="use it with a network of spike-time layers",
            )
        if output.isnan().any():
            raise ArgumentError(f"output for {self.kind}", got="a time that is not a number")
        class_axis(output)
        finite = output.where(torch.isfinite(output), self.silent)
        return finite, targets, torch.ones(output.shape[1], dtype=torch.long, device=output.device)

    def predict(self, output: Tensor | SpikeTrain, lengths: Tensor | None = None) -> Tensor:
        """The class of the unit that spikes first, int64 `(batch,)`."""
        times, _, _ = self._clean(output, torch.empty(0), None)
        return times[0].argmin(-1)


@dataclass(frozen=True)
class FirstSpikeTime(TimeLoss, ClassLoss):
    r"""The cross-entropy of the spike times, and a pull of the right unit to early times.

    .. math:: L = -\log \operatorname{softmax}_{k^*}(-t_k / \tau)
        + \alpha \big( e^{t_{k^*} / \tau_\mathrm{early}} - 1 \big)

    Args:
        silent: see `TimeLoss`.
        tau: the difference in time, in seconds, that makes a class e times as likely.
        early: `α`, the strength of the second term.
        tau_early: its time constant in seconds.

    Example:
        >>> times = torch.tensor([[[1e-3, 3e-3]]])
        >>> FirstSpikeTime(tau=1e-3)(times, torch.tensor([0]))
        tensor(0.1269)

    References: J. Göltz et al., Nature Machine Intelligence 3 (2021), eq. 6, with ξ τ_s for `tau`;
        T. Wunderlich & C. Pehle, Scientific Reports 11 (2021).
    """

    tau: float = 2e-3
    early: float = 0.0
    tau_early: float = 10e-3

    kind: ClassVar[str] = "first_spike_time"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "tau", "tau_early")
        if not 0 <= self.early < float("inf"):
            raise ArgumentError("early of FirstSpikeTime", got=self.early, expected="zero or more")

    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """Minus the times in units of tau, `(batch, classes)`."""
        return -output[0] / self.tau

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        loss = super().value(output, targets, lengths)
        if not self.early:
            return loss
        known = labels(targets, output)
        right = output[0].gather(1, known.clamp(min=0)[:, None])[:, 0]
        # an exponential of a late spike must not overflow
        late = (right / self.tau_early).clamp(max=50.0)
        return loss + self.early * mean_over(torch.expm1(late), (known >= 0).long())


@dataclass(frozen=True)
class ExponentialSpikeTime(TimeLoss, ClassLoss):
    r"""The cross-entropy of the exponentials of the spike times, in which the non-leaky neuron is
    piecewise linear.

    .. math:: L = -\log \operatorname{softmax}_{k^*}(-z_k), \qquad z_k = e^{t_k / \tau}

    Args:
        silent: see `TimeLoss`.
        tau: the time constant of the neurons in seconds.

    Example:
        >>> times = torch.tensor([[[0.0, 1e-3]]])
        >>> ExponentialSpikeTime(tau=1e-3)(times, torch.tensor([0]))
        tensor(0.1650)

    References: H. Mostafa, IEEE TNNLS 29 (2018), eq. 16.
    """

    tau: float = 10e-3

    kind: ClassVar[str] = "exponential_spike_time"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "tau")

    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """Minus `z`, `(batch, classes)`."""
        return -(output[0] / self.tau).clamp(max=50.0).exp()


@dataclass(frozen=True)
class SpikeTimeError(TimeLoss):
    r"""Half the squared distance from wanted spike times, in units of tau.

    .. math:: L = \Big\langle \tfrac{1}{2} \sum_k \big( (t_k - t^*_k) / \tau \big)^2 \Big\rangle_b

    Targets are labels `(batch,)`, or times in seconds `(batch, units)`.

    Args:
        silent: see `TimeLoss`.
        right: the time wanted of the right class in seconds.
        wrong: the time wanted of the others.
        tau: the unit of time in seconds.

    Example:
        >>> times = torch.tensor([[[10e-3, 17e-3]]])
        >>> SpikeTimeError(right=10e-3, wrong=16e-3, tau=1e-3)(times, torch.tensor([0]))
        tensor(0.5000)

    References: S. M. Bohte et al., Neurocomputing 48 (2002), eq. 3.
    """

    right: float = 10e-3
    wrong: float = 16e-3
    tau: float = 10e-3

    kind: ClassVar[str] = "spike_time_error"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "right", "wrong", "tau")

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        times = output[0]
        if isinstance(targets, Tensor) and targets.is_floating_point():
            if targets.shape != times.shape:
                expected = f"labels ({len(times)},) or seconds {tuple(times.shape)}"
                raise ShapeError("targets", got=told(targets), expected=expected)
            wanted, known = targets.to(times), torch.ones_like(lengths)
        else:
            classes = labels(targets, output)
            chosen = torch.nn.functional.one_hot(classes.clamp(min=0), times.shape[1]).bool()
            wanted = torch.full_like(times, self.wrong).masked_fill(chosen, self.right)
            known = (classes >= 0).long()
        errors = ((times - wanted) / self.tau).square().sum(1) / 2
        return mean_over(errors, known)
