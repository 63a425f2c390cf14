"""Population codes: a value as the activity of units with overlapping tuning curves."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.data.encoders import checks
from surgrad.data.encoders.latency import latency
from surgrad.data.encoders.poisson import poisson, poisson_steps
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain


def tuning(
    x: Tensor, *, units: int, low: float = 0.0, high: float = 1.0, width: float = 1.0
) -> Tensor:
    r"""The activities of units with Gaussian tuning curves, in [0, 1].

    .. math:: a_k = \exp\left(-\frac{(x - \mu_k)^2}{2 \sigma^2}\right)

    with :math:`\mu_k` evenly spaced from `low` to `high` and :math:`\sigma` = `width` spacings.

    Args:
        x: values of any shape.
        units: how many units share one value, 2 or more.
        low: the first unit's preferred value.
        high: the last unit's preferred value.
        width: of a tuning curve, in distances between neighbours.

    Returns:
        Activities `(*x.shape, units)`, float64.

    Raises:
        ArgumentError: if a value is not finite, or `units`, `width` or the range is empty.

    Example:
        >>> tuning(torch.tensor([0.5]), units=3, width=0.5)
        tensor([[0.1353, 1.0000, 0.1353]], dtype=torch.float64)
    """
    x = checks.values(x, "population code", axes="values", rank=0)
    checks.positive(width=width)
    if units < 2 or not low < high:
        raise ArgumentError(
            "tuning curves",
            got=f"{units} from {low:g} to {high:g}",
            expected="2 or more, low < high",
        )
    centres = torch.linspace(low, high, units, dtype=torch.float64)
    sigma = width * (high - low) / (units - 1)
    return torch.exp(-0.5 * ((x.unsqueeze(-1) - centres) / sigma) ** 2)


def population_latency(
    x: Tensor,
    *,
    units: int,
    time: int,
    dt: float,
    low: float = 0.0,
    high: float = 1.0,
    width: float = 1.0,
    t_min: float = 0.0,
    t_max: float | None = None,
    threshold: float = 0.1,
) -> SpikeTrain:
    """One spike a unit, the earlier the nearer the value is to what the unit prefers.

    Args:
        x: values `(batch, *features)`.
        units: how many units share one value, as in `tuning` like `low`, `high` and `width`.
        time: the number of steps.
        dt: the width of a step in seconds.
        low: the first unit's preferred value.
        high: the last unit's preferred value.
        width: of a tuning curve, in distances between neighbours.
        t_min: when a unit fires at its preferred value, in seconds.
        t_max: when a unit without activity would fire, in seconds; the last step if left out.
        threshold: units that are less active stay silent.

    Returns:
        Spikes of shape `(time, batch, *features, units)`.

    Raises:
        ShapeError: if there is no batch axis.
        ArgumentError: as `tuning` and `latency`.

    Example:
        >>> x = torch.tensor([[0.5]])
        >>> population_latency(x, units=3, width=0.5, time=11, dt=1e-3).events()[:2]
        (tensor([0, 8, 8]), tensor([1, 0, 2]))

    References:
        S. Bohte, J. Kok, H. La Poutré, Neurocomputing 48 (2002), section 4.
    """
    activity = tuning(x, units=units, low=low, high=high, width=width)
    return latency(activity, time=time, dt=dt, t_min=t_min, t_max=t_max, threshold=threshold)


def population_rate(
    x: Tensor,
    *,
    units: int,
    dt: float,
    max_rate: float,
    generator: torch.Generator,
    time: int | None = None,
    low: float = 0.0,
    high: float = 1.0,
    width: float = 1.0,
) -> SpikeTrain:
    """Poisson spikes, the more the nearer the value is to what the unit prefers.

    Args:
        x: constant values `(batch, *features)` with `time`, or a signal
            `(time, batch, *features)` without.
        units: how many units share one value, as in `tuning` like `low`, `high` and `width`.
        low: the first unit's preferred value.
        high: the last unit's preferred value.
        width: of a tuning curve, in distances between neighbours.
        dt: the width of a step in seconds.
        max_rate: the rate at a unit's preferred value, in Hz.
        generator: draws the spikes.
        time: the number of steps for constant values.

    Returns:
        Spikes of shape `(time, batch, *features, units)`.

    Raises:
        ShapeError: if an axis is missing.
        ArgumentError: as `tuning`, or if the rate is not positive.

    Example:
        >>> signal = torch.zeros(5, 2, 3)
        >>> seed = torch.Generator().manual_seed(0)
        >>> population_rate(signal, units=4, dt=1e-3, max_rate=50.0, generator=seed).shape
        (5, 2, 3, 4)
    """
    checks.positive(max_rate=max_rate)
    rates = max_rate * tuning(x, units=units, low=low, high=high, width=width)
    if time is None:
        return poisson_steps(rates, dt=dt, generator=generator)
    return poisson(rates, time=time, dt=dt, generator=generator)
