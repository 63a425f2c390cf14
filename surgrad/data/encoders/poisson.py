"""Rate codes: spikes at random, or evenly spaced, at given rates in Hz."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.data.encoders import checks
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain

_RATE_AXES = "(batch, *features)"


def poisson(
    rates: Tensor, *, time: int, dt: float, generator: torch.Generator, clip: bool = True
) -> SpikeTrain:
    r"""Poisson processes of constant rates.

    A unit of rate :math:`r` fires :math:`N \sim \text{Poisson}(r\, T)` times, each time uniform in
    the sample's :math:`T = \text{time} \cdot \Delta t`. Memory grows with the spikes only.

    Args:
        rates: Hz, `(batch, *features)`; intensities in [0, 1] times a highest rate, for instance.
        time: the number of steps.
        dt: the width of a step in seconds.
        generator: draws the spikes.
        clip: keep at most one spike a unit and step, so that a step holds a spike with
            probability :math:`1 - e^{-r \Delta t}`.

    Returns:
        Spikes of shape `(time, batch, *features)`.

    Raises:
        ShapeError: if there is no batch axis.
        ArgumentError: if a rate is negative or not finite.

    Example:
        >>> rates = torch.full((1, 1000), 20.0)
        >>> train = poisson(rates, time=1000, dt=1e-3, generator=torch.Generator().manual_seed(0))
        >>> round(float(train.counts().mean()))
        20
    """
    rates = checks.values(rates, "rates in Hz", axes=_RATE_AXES, rank=2, low=0.0)
    checks.positive(dt=dt, time=time)
    counts = torch.poisson(rates.flatten(1) * (time * dt), generator=generator).long()
    sample, unit, counts = *counts.nonzero(as_tuple=True), counts[counts > 0]
    sample, unit = sample.repeat_interleave(counts), unit.repeat_interleave(counts)
    steps = torch.randint(time, (len(unit),), generator=generator)
    train = SpikeTrain.from_events(
        steps, unit, sample, time=time, features=rates.shape[1:], batch=len(rates)
    )
    return train.clip() if clip else train


def poisson_steps(
    rates: Tensor, *, dt: float, generator: torch.Generator, clip: bool = True
) -> SpikeTrain:
    r"""Poisson processes whose rates change from step to step.

    Args:
        rates: Hz, `(time, batch, *features)`.
        dt: the width of a step in seconds.
        generator: draws the spikes.
        clip: keep at most one spike a unit and step.

    Returns:
        Spikes of the shape of `rates`.

    Raises:
        ShapeError: if an axis is missing.
        ArgumentError: if a rate is negative or not finite.

    Example:
        >>> rates = torch.tensor([0.0, 1e6]).view(2, 1, 1)
        >>> poisson_steps(rates, dt=1e-3, generator=torch.Generator().manual_seed(0)).events()[0]
        tensor([1])
    """
    rates = checks.values(rates, "rates in Hz", axes="(time, batch, *features)", rank=3, low=0.0)
    checks.positive(dt=dt)
    counts = torch.poisson(rates * dt, generator=generator)
    return SpikeTrain.from_dense(counts.clamp(max=1) if clip else counts)


def regular(
    rates: Tensor, *, time: int, dt: float, generator: torch.Generator | None = None
) -> SpikeTrain:
    r"""Evenly spaced spikes.

    .. math:: t_k = \frac{k + \varphi}{r}, \qquad k = 0, 1, \dots

    Args:
        rates: Hz, `(batch, *features)`, at most one spike a step.
        time: the number of steps.
        dt: the width of a step in seconds.
        generator: draws the phase :math:`\varphi` of each unit from [0, 1); 1/2 if left out.

    Returns:
        Spikes of shape `(time, batch, *features)`.

    Raises:
        ShapeError: if there is no batch axis.
        ArgumentError: if a rate is negative, not finite or above `1 / dt`.

    Example:
        >>> regular(torch.tensor([[250.0]]), time=12, dt=1e-3).events()[0]
        tensor([ 2,  6, 10])
    """
    rates = checks.values(rates, "rates in Hz", axes=_RATE_AXES, rank=2, low=0.0)
    checks.positive(dt=dt, time=time)
    if rates.numel() and float(rates.max()) > (1 + 1e-9) / dt:
        raise ArgumentError(
            "rates in Hz",
            got=f"{float(rates.max()):g}",
            expected=f"at most one spike a step, {1 / dt:g} Hz",
            fix="lower the rates or dt",
        )
    flat = rates.flatten(1)
    phase = torch.full_like(flat, 0.5)
    if generator is not None:
        phase = torch.rand(flat.shape, dtype=flat.dtype, generator=generator)
    counts = torch.ceil(flat * (time * dt) - phase).clamp(min=0).long()
    sample, unit = counts.nonzero(as_tuple=True)
    counts = counts[sample, unit]
    nth = torch.arange(int(counts.sum())) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    sample, unit = sample.repeat_interleave(counts), unit.repeat_interleave(counts)
    return SpikeTrain.from_times(
        (nth + phase[sample, unit]) / flat[sample, unit],
        unit,
        sample,
        dt=dt,
        time=time,
        features=rates.shape[1:],
        batch=len(rates),
    )
