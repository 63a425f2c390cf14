"""Distances between spike trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain
from surgrad.objectives.base import Timed, mean_over
from surgrad.objectives.checks import positive, sequence, spikes_like


@dataclass(frozen=True)
class VanRossum(Timed):
    r"""The squared van Rossum distance of the output's spikes to the target's.

    .. math:: D^2 = \sum_i \int_0^\infty \big(\lambda * (S_i - S_i^*)\big)^2 dt, \qquad
        \lambda(t) = e^{-t/\tau} / \sqrt{\tau}

    or, with a rise time, :math:`\lambda(t) = c\,(e^{-t/\tau} - e^{-t/\tau_r})`, where `c` gives
    both kernels the same :math:`\int \lambda^2 = 1/2`. So a spike without a counterpart costs 1/2,
    two that lie `δ` apart cost :math:`1 - e^{-\delta/\tau}`, at most 1. The integral is exact for
    spikes at `n dt`, with

    .. math:: D^2 = \frac12 \sum_i \sum_{n, m} w_i[n]\, \rho(|n - m| \Delta t)\, w_i[m],
        \quad w = S - S^*, \quad \rho(\delta) = \frac{\tau e^{-\delta/\tau} -
        \tau_r e^{-\delta/\tau_r}}{\tau - \tau_r}

    The loss is the sum over units, the mean over samples. It is a sum over pairs of steps, so not
    additive; the error of the SuperSpike rule is its filtered difference.

    Args:
        dt: the width of a step in seconds. A rule fills in that of the network.
        tau: the decay of the kernel in seconds.
        rise: its rise in seconds, shorter than `tau`; by default at once.

    Example:
        >>> from surgrad.events import SpikeTrain
        >>> one = SpikeTrain.from_events([0], [0], time=50, features=(1,))
        >>> other = SpikeTrain.from_events([10], [0], time=50, features=(1,))
        >>> VanRossum(dt=1e-3, tau=10e-3)(one.to_dense(), other)
        tensor(0.6321)

    References: van Rossum 2001; Zenke & Ganguli 2018 for the double exponential. The loss of
    Neftci, Mostafa & Zenke 2019, section V-B, is this without the tail after the last step.
    """

    tau: float = 10e-3
    rise: float | None = None

    kind: ClassVar[str] = "van_rossum"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "tau", "rise")
        if self.rise is not None and not self.rise < self.tau:
            raise ArgumentError(
                "rise of VanRossum", got=self.rise, expected=f"less than tau = {self.tau}"
            )

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        wanted = sequence(spikes_like(targets, output), lengths)[0]
        return mean_over(self.squared(output - wanted), lengths)

    def squared(self, difference: Tensor) -> Tensor:
        """The squared distance of each sample, `(batch,)`, from `S - S*`, `(time, batch, ...)`."""
        w = difference.flatten(2)
        if not w.numel():
            return w.sum((0, 2))
        size = 2 * len(w)
        lags = torch.arange(len(w), device=w.device, dtype=w.dtype) * self.step
        both = torch.cat(
            [self.overlap(lags), torch.zeros_like(lags[:1]), self.overlap(lags[1:]).flip(0)]
        )
        spectrum = torch.fft.rfft(both).real[:, None, None] * torch.fft.rfft(w, n=size, dim=0)
        matched = torch.fft.irfft(spectrum, n=size, dim=0)[: len(w)]
        return 0.5 * (w * matched).sum((0, 2))

    def overlap(self, delay: Tensor) -> Tensor:
        """`ρ`, how alike the kernels of two spikes are that lie `delay` seconds apart; 1 at 0."""
        if self.rise is None:
            return torch.exp(-delay / self.tau)
        slow = self.tau * torch.exp(-delay / self.tau)
        return (slow - self.rise * torch.exp(-delay / self.rise)) / (self.tau - self.rise)


@dataclass(frozen=True)
class VictorPurpura(Timed):
    r"""The Victor–Purpura distance: the least cost of turning one spike train into the other.

    To add or to take away a spike costs 1, to move it by `δ` costs `q δ`. The loss is the sum
    over units, the mean over samples. It has no gradient.

    Args:
        dt: the width of a step in seconds. A rule fills in that of the network.
        cost: `q`, per second. Spikes more than `2/q` apart are no match for each other.

    Raises:
        ArgumentError: if the output wants a gradient.

    Example:
        >>> from surgrad.events import SpikeTrain
        >>> one = SpikeTrain.from_events([0, 40], [0, 0], time=50, features=(1,))
        >>> other = SpikeTrain.from_events([10], [0], time=50, features=(1,))
        >>> VictorPurpura(dt=1e-3, cost=50)(one, other)
        tensor(1.5000)

    References: Victor & Purpura 1996, 1997.
    """

    cost: float = 100.0

    kind: ClassVar[str] = "victor_purpura"
    differentiable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cost != 0:
            positive(self, "cost")

    def value(self, output: Tensor, targets: Tensor | SpikeTrain, lengths: Tensor) -> Tensor:
        """See `Loss.value`."""
        if output.requires_grad:
            raise ArgumentError(
                "loss victor_purpura",
                got="an output that wants a gradient",
                expected="one without, as this distance has none",
                fix="train on van_rossum, and measure with output.detach()",
            )
        wanted = sequence(spikes_like(targets, output), lengths)[0]
        distances = self.distances(SpikeTrain.from_dense(output), SpikeTrain.from_dense(wanted))
        return mean_over(distances.flatten(1).sum(1), lengths).to(output.dtype)

    def distances(self, one: SpikeTrain, other: SpikeTrain) -> Tensor:
        """The distance of each unit's spikes, float64 `(batch, *features)`."""
        times, count = _spikes_by_unit(one)
        others, ends = _spikes_by_unit(other)
        rank = torch.arange(others.shape[1] + 1, device=others.device, dtype=torch.float64)
        # row[j]: the cost of turning the first i spikes of one into the first j of the other
        row = rank.expand(len(times), -1)
        found = row.gather(1, ends[:, None])[:, 0]
        for i in range(times.shape[1]):
            moved = self.cost * self.step * (times[:, i, None] - others).abs()
            best = row + 1
            best[:, 1:] = torch.minimum(best[:, 1:], row[:, :-1] + moved)
            # spikes that are added: row[j] = min over k <= j of best[k] + (j - k)
            row = (best - rank).cummin(1).values + rank
            found = found.where(count <= i, row.gather(1, ends[:, None])[:, 0])
        return found.view(one.batch, *one.features)


def _spikes_by_unit(train: SpikeTrain) -> tuple[Tensor, Tensor]:
    """The steps of the spikes of each unit, `(batch * units, most)`, and how many there are."""
    step, unit, sample = train.events()
    owner, order = (sample * train.units + unit).sort(stable=True)
    count = torch.bincount(owner, minlength=train.batch * train.units)
    place = torch.arange(len(owner), device=owner.device) - (count.cumsum(0) - count)[owner]
    most = int(count.max()) if len(count) else 0
    steps = torch.zeros(len(count), most, dtype=torch.float64, device=owner.device)
    steps[owner, place] = step[order].double()
    return steps, count
