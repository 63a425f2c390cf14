"""Mackey-Glass: a chaotic series to predict some steps ahead."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from surgrad.data.base import Info, Samples, Splits
from surgrad.data.encoders import checks, level_crossing, population_rate
from surgrad.data.spec import About, Count, DataSpec, Positive
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain

TRANSIENT = 300
SPAN = 3.0


def mackey_glass(
    length: int,
    *,
    tau: float = 17.0,
    step: float = 1.0,
    substeps: int = 10,
    start: float = 1.2,
    beta: float = 0.2,
    gamma: float = 0.1,
    power: float = 10.0,
) -> Tensor:
    r"""The solution of the Mackey-Glass equation from a constant past.

    .. math:: \dot x = \beta \frac{x(t-\tau)}{1 + x(t-\tau)^{n}} - \gamma x

    Integrated by the classical fourth-order Runge-Kutta method, with cubic Hermite interpolation
    of the delayed value where it falls between two steps. The constant past leaves kinks in the
    solution at whole delays; where they fall between two steps, the order of the error is two.

    Args:
        length: the number of values.
        tau: the delay, in the equation's unit of time; chaos begins near 16.8.
        step: the time between two values.
        substeps: steps of integration between two values.
        start: `x(t)` for `t ≤ 0`.
        beta: the production rate.
        gamma: the decay rate.
        power: the exponent `n`.

    Returns:
        `x(0), x(step), …`, float64 `(length,)`.

    Raises:
        ArgumentError: if a number is not positive, or the delay is shorter than two steps of
            integration.

    Example:
        >>> mackey_glass(3)
        tensor([1.2000, 1.1176, 1.0430], dtype=torch.float64)

    References:
        M. C. Mackey, L. Glass, Science 197 (1977).
    """
    checks.positive(
        length=length, tau=tau, step=step, substeps=substeps, beta=beta, gamma=gamma, power=power
    )
    checks.not_negative(start=start)
    h = step / substeps
    if tau < 2 * h:
        raise ArgumentError(
            "tau", got=tau, expected=f"two steps of integration, {2 * h:g}, or more"
        )

    def slope(x: float, past: float) -> float:
        return beta * past / (1.0 + past**power) - gamma * x

    x = [start]
    dx: list[float] = []
    delay = tau / h
    for n in range((length - 1) * substeps):
        now = x[n]
        old, mid, new = (_past(x, dx, n + part - delay, h) for part in (0.0, 0.5, 1.0))
        k1 = slope(now, old)
        dx.append(k1)
        k2 = slope(now + 0.5 * h * k1, mid)
        k3 = slope(now + 0.5 * h * k2, mid)
        k4 = slope(now + h * k3, new)
        x.append(now + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6)
    return torch.tensor(x[::substeps], dtype=torch.float64)


def _past(x: list[float], dx: list[float], at: float, h: float) -> float:
    """`x` at a fractional index, by cubic Hermite interpolation."""
    if at <= 0:
        return x[0]
    n = int(at)
    f = at - n
    if f < 1e-9:
        return x[n]
    g = 1.0 - f
    return (
        g * g * (1 + 2 * f) * x[n]
        + f * f * (3 - 2 * f) * x[n + 1]
        + h * f * g * (g * dx[n] - f * dx[n + 1])
    )


class MackeyGlass(DataSpec, frozen=True):
    """Predict the Mackey-Glass series some steps ahead, at every step.

    The series has mean 0 and standard deviation 1 on the training part, so that the mean squared
    error of a prediction is the share of the variance that it misses. One step of the network is
    `step` of the equation's units of time. The parts follow each other in time without overlap.

    Args:
        encoding: `analog`, the value itself, dense; `population`, Poisson spikes of units with
            Gaussian tuning curves; `level_crossing`, on and off spikes.
        horizon: how many steps ahead the target lies.
        tau: the delay of the equation.
        step: the equation's time between two steps.
        samples: training windows; a quarter as many validate and test.
        time: the steps of a window.
        dt: the width of a step for the network, in seconds.
        units: of the population code.
        max_rate: of a unit of the population code at its preferred value, in Hz.
        threshold: of the level crossings, in standard deviations.

    Example:
        >>> x, y = MackeyGlass(samples=4, time=50).load().train[0]
        >>> x.shape, y.shape
        (torch.Size([50, 1, 1]), torch.Size([50, 1, 1]))
    """

    ABOUT: ClassVar[About] = About(
        summary="a chaotic series, predicted at every step",
        source="M. C. Mackey, L. Glass (1977), generated",
        licence="generated",
        size="64 + 16 + 16 windows of 200 steps",
        files=False,
    )

    kind: Literal["mackey_glass"] = "mackey_glass"
    encoding: Literal["analog", "population", "level_crossing"] = "analog"
    horizon: Count = 10
    tau: Positive = 17.0
    step: Positive = 1.0
    samples: Count = 64
    time: Count = 200
    dt: Positive = 1e-3
    units: Annotated[int, Field(ge=2)] = 32
    max_rate: Positive = 100.0
    threshold: Positive = 0.1

    @model_validator(mode="after")
    def _delay(self) -> MackeyGlass:
        if self.tau < self.step / 5:
            raise ArgumentError("tau", got=self.tau, expected=f"step / 5 = {self.step / 5} or more")
        return self

    def load(self) -> Splits:
        """The windows; `split_seed` draws the spikes of the population code only."""
        held = max(1, self.samples // 4)
        windows = self.samples + 2 * held
        # each window reads `horizon` steps on: the last window of a part must not see the next
        length = windows * self.time + 3 * self.horizon
        series = mackey_glass(TRANSIENT + length, tau=self.tau, step=self.step)[TRANSIENT:]
        seen = series[: self.samples * self.time + self.horizon]
        series = ((series - seen.mean()) / seen.std()).float()
        parts, start = [], 0
        generator = torch.Generator().manual_seed(self.split_seed)
        for count in (self.samples, held, held):
            stop = start + count * self.time
            x = series[start:stop].view(count, self.time, 1)
            y = series[start + self.horizon : stop + self.horizon].view(count, self.time, 1)
            parts.append(Samples(self._encode(x, generator), y))
            start = stop + self.horizon
        return self.splits(parts, self._info())

    def _encode(self, x: Tensor, generator: torch.Generator) -> SpikeTrain | Tensor:
        if self.encoding == "analog":
            return x
        signal = x.squeeze(-1).T.contiguous()
        if self.encoding == "level_crossing":
            return level_crossing(signal.unsqueeze(-1), threshold=self.threshold).reshape(2)
        return population_rate(
            signal.unsqueeze(-1),
            units=self.units,
            dt=self.dt,
            max_rate=self.max_rate,
            generator=generator,
            low=-SPAN,
            high=SPAN,
        ).reshape(self.units)

    def _info(self) -> Info:
        units = {"analog": 1, "population": self.units, "level_crossing": 2}
        return self.info(
            features=(units[self.encoding],),
            time=self.time,
            dt=self.dt,
            target="values",
            outputs=1,
            note=f"values {self.horizon} steps ahead, mean 0 and variance 1 in training",
        )
