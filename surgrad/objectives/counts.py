"""Losses on the spikes of the output: how many, how often, how soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.objectives.base import ClassLoss, Loss, Timed, mean_over
from surgrad.objectives.checks import class_axis, labels, positive, sequence, told, within


@dataclass(frozen=True)
class SpikeCount(ClassLoss):
    r"""The cross-entropy of the spike counts, :math:`\sum_n S_k[n]`.

    Args:
        scale: by how much a spike raises the score of its class. At 1 the loss of a network whose
            classes differ by ten spikes is already nil.

    Example:
        >>> spikes = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
        >>> SpikeCount()(spikes, torch.tensor([0]))
        tensor(0.1269)
    """

    scale: float = 1.0

    kind: ClassVar[str] = "spike_count"

    def __post_init__(self) -> None:
        positive(self, "scale")

    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """The scaled counts, `(batch, classes)`."""
        return self.scale * output.sum(0)


@dataclass(frozen=True)
class SpikeCountError(Loss):
    r"""The mean squared error of the spike counts.

    .. math:: L = \big\langle (\sum_n S_k[n] - N^*_k)^2 \big\rangle_{b, k}

    Targets are labels `(batch,)`, or counts `(batch, classes)` in floating point.

    Args:
        right: the count wanted of the right class.
        wrong: the count wanted of the others.

    Example:
        >>> spikes = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
        >>> SpikeCountError(right=5, wrong=1)(spikes, torch.tensor([0]))
        tensor(5.)
    """

    right: float = 10.0
    wrong: float = 1.0

    kind: ClassVar[str] = "spike_count_error"
    classifies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _levels(self)

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        wanted, counted = _wanted(targets, output, self.right, self.wrong)
        return mean_over((output.sum(0) - wanted).square(), lengths * counted)

    def predict(self, output: Tensor | SpikeTrain, lengths: Tensor | None = None) -> Tensor:
        """The class of most spikes, int64 `(batch,)`; the first of several."""
        return _most(output, lengths)


@dataclass(frozen=True)
class SpikeRate(Timed):
    r"""The mean squared error of the firing rates, in units of the rate of the right class.

    .. math:: L = \big\langle \big( (r_k - r^*_k) / r_{\mathrm{right}} \big)^2 \big\rangle_{b, k},
        \qquad r_k = \frac{1}{N \Delta t} \sum_n S_k[n]

    Targets are labels `(batch,)`, or rates `(batch, classes)` in hertz, in floating point.

    Args:
        dt: the width of a step in seconds. A rule fills in that of the network.
        right: the rate wanted of the right class, in hertz.
        wrong: the rate wanted of the others, in hertz.

    Example:
        >>> spikes = torch.ones(10, 1, 2)
        >>> SpikeRate(dt=0.01, right=100.0, wrong=0.0)(spikes, torch.tensor([0]))
        tensor(0.5000)
    """

    right: float = 50.0
    wrong: float = 5.0

    kind: ClassVar[str] = "spike_rate"
    classifies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _levels(self)

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        wanted, counted = _wanted(targets, output, self.right, self.wrong)
        rates = output.sum(0) / (lengths.clamp(min=1) * self.step)[:, None]
        return mean_over(((rates - wanted) / self.right).square(), lengths * counted)

    def predict(self, output: Tensor | SpikeTrain, lengths: Tensor | None = None) -> Tensor:
        """The class of most spikes, int64 `(batch,)`; the first of several."""
        return _most(output, lengths)


@dataclass(frozen=True)
class FirstSpikeLatency(Timed, ClassLoss):
    r"""The cross-entropy of the times of the first spikes: the class is the unit that spikes first.

    .. math:: L = -\log \operatorname{softmax}_{k^*}(-t_k / \tau), \qquad
        t_k = \Delta t \sum_n \prod_{m \le n} (1 - S_k[m])

    The product is one until the first spike, so that `t` counts the steps before it. A silent
    unit has the duration of its sample. The derivative is that of this sum, and exact in this
    sense: with respect to step m it is by how much `t` changes if a spike is put there
    (:math:`-(n_1 - m)\,\Delta t` before the first spike, at step :math:`n_1`) or taken away
    (the first one: until the second); after the first spike it is zero. Silent units have a
    gradient in all steps. From the spikes on, the surrogate derivative takes over.

    Args:
        dt: the width of a step in seconds. A rule fills in that of the network.
        tau: the difference in time, in seconds, that makes a class e times as likely.

    Raises:
        ArgumentError: if the output is not one of spikes, between 0 and 1.

    Example:
        >>> spikes = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.0]]])
        >>> loss = FirstSpikeLatency(dt=1e-3, tau=1e-3)
        >>> loss.times(spikes)
        tensor([[0.0010, 0.0030]])
        >>> loss(spikes, torch.tensor([0]))
        tensor(0.1269)

    References: Mostafa 2017 for the cross-entropy of spike times; the sum is ours.
    """

    tau: float = 5e-3

    kind: ClassVar[str] = "first_spike_latency"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "tau")

    def times(self, output: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The time of the first spike in seconds, `(batch, *features)`; differentiable."""
        clean, valid = sequence(output, lengths)
        if ((clean < 0) | (clean > 1)).any():
            raise ArgumentError(
                "output for first_spike_latency",
                got=f"values between {float(clean.min()):.3g} and {float(clean.max()):.3g}",
                expected="spikes, 0 or 1",
                fix="end the network in a neuron that spikes",
            )
        inside = within(len(clean), valid).view(*clean.shape[:2], *(1,) * (clean.dim() - 2))
        return ((1 - clean).cumprod(0) * inside).sum(0) * self.step

    def scores(self, output: Tensor, lengths: Tensor) -> Tensor:
        """Minus the time of the first spike in units of tau, `(batch, classes)`."""
        return -self.times(output, lengths) / self.tau


def _levels(loss: SpikeCountError | SpikeRate) -> None:
    positive(loss, "right")
    if not 0 <= loss.wrong < loss.right:
        raise ArgumentError(
            f"wrong of {type(loss).__name__}",
            got=repr(loss.wrong),
            expected=f"zero or more, and less than right = {loss.right}",
        )


def _wanted(
    targets: Tensor | SpikeTrain, output: Tensor, right: float, wrong: float
) -> tuple[Tensor, Tensor]:
    """The wanted levels `(batch, classes)`, and which samples have any."""
    class_axis(output)
    if isinstance(targets, Tensor) and targets.is_floating_point():
        if targets.shape != output.shape[1:]:
            expected = f"labels ({output.shape[1]},) or levels {tuple(output.shape[1:])}"
            raise ShapeError("targets", got=told(targets), expected=expected)
        return targets.to(output), torch.ones(len(targets), device=output.device)
    known = labels(targets, output)
    chosen = torch.nn.functional.one_hot(known.clamp(min=0), output.shape[2])
    return (wrong + (right - wrong) * chosen).to(output), known >= 0


def _most(output: Tensor | SpikeTrain, lengths: Tensor | None) -> Tensor:
    clean, _ = sequence(output, lengths)
    class_axis(clean)
    return clean.sum(0).argmax(-1)
