"""Time to first spike: the stronger a value, the earlier its unit fires, once."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.data.encoders import checks
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain


def latency(
    x: Tensor,
    *,
    time: int,
    dt: float,
    t_min: float = 0.0,
    t_max: float | None = None,
    threshold: float = 0.0,
) -> SpikeTrain:
    r"""One spike a unit, at a time that falls linearly with its value.

    .. math:: t = t_{\min} + (t_{\max} - t_{\min}) (1 - x), \qquad x > \text{threshold}

    Args:
        x: values in [0, 1], `(batch, *features)`.
        time: the number of steps.
        dt: the width of a step in seconds.
        t_min: when a value of 1 fires, in seconds.
        t_max: when a value of 0 would fire, in seconds; the last step if left out.
        threshold: values up to this one never fire; -1 lets zeros fire at `t_max`.

    Returns:
        Spikes of shape `(time, batch, *features)`.

    Raises:
        ShapeError: if `x` has no batch axis.
        ArgumentError: if a value is outside [0, 1] or the window is not within the sample.

    Example:
        >>> train = latency(torch.tensor([[1.0, 0.5, 0.0]]), time=11, dt=1e-3)
        >>> train.events()[:2]
        (tensor([0, 5]), tensor([0, 1]))
    """
    x = checks.values(x, "latency code", axes="(batch, *features)", rank=2, low=0.0, high=1.0)
    checks.positive(dt=dt, time=time)
    t_max = (time - 1) * dt if t_max is None else t_max
    # float steps: the last step is still inside the sample
    if not 0 <= t_min <= t_max < (time - 1e-6) * dt:
        raise ArgumentError(
            "window of a latency code",
            got=f"{t_min:g} s to {t_max:g} s",
            expected=f"0 ≤ t_min ≤ t_max < time · dt = {time * dt:g} s",
        )
    return at_times(t_min + (t_max - t_min) * (1 - x), x > threshold, time=time, dt=dt)


def log_latency(
    x: Tensor, *, time: int, dt: float, tau: float = 20e-3, theta: float = 0.2
) -> SpikeTrain:
    r"""One spike a unit, when a leaky integrator of the value as a current crosses a threshold.

    .. math:: t = \tau \log \frac{x}{x - \theta}, \qquad x > \theta

    Units that would fire after the end of the sample stay silent.

    Args:
        x: values of 0 or more, `(batch, *features)`.
        time: the number of steps.
        dt: the width of a step in seconds.
        tau: the integrator's time constant in seconds.
        theta: its threshold; weaker values never fire.

    Returns:
        Spikes of shape `(time, batch, *features)`.

    Raises:
        ShapeError: if `x` has no batch axis.
        ArgumentError: if a value is negative or not finite, or a constant is not positive.

    Example:
        >>> log_latency(torch.tensor([[1.0, 0.3, 0.1]]), time=100, dt=1e-3).events()[0]
        tensor([ 4, 21])

    References:
        F. Zenke, SpyTorch tutorial 2 (2019), which has `tau` = 20 steps and `theta` = 0.2.
    """
    x = checks.values(x, "latency code", axes="(batch, *features)", rank=2, low=0.0)
    checks.positive(dt=dt, time=time, tau=tau, theta=theta)
    fires = x > theta
    times = tau * torch.log(x / (x - theta).where(fires, torch.ones_like(x)))
    return at_times(times, fires, time=time, dt=dt)


def at_times(times: Tensor, fires: Tensor, *, time: int, dt: float) -> SpikeTrain:
    """One spike for every unit that fires, at its own time.

    Args:
        times: seconds, `(batch, *features)`; what lies after the last step is dropped.
        fires: bool of the same shape.
        time: the number of steps.
        dt: the width of a step in seconds.

    Example:
        >>> times = torch.tensor([[0.2, 0.1]])
        >>> at_times(times, times > 0, time=3, dt=0.1).events()[0]
        tensor([1, 2])
    """
    features = times.shape[1:]
    sample, unit = fires.flatten(1).nonzero(as_tuple=True)
    return SpikeTrain.from_times(
        times.flatten(1)[sample, unit],
        unit,
        sample,
        dt=dt,
        time=time,
        features=features,
        batch=times.shape[0],
    )
