r"""A neuron is a small linear system and a threshold: its tableau.

.. math::
    x[n] = m[n] \odot (A\, x[n-1] + b\, i[n-d]) + r\, s[n-1], \qquad s[n] = H(c \cdot x[n] - \theta)

`m[n] = 1 - s[n-1]` in the components that the reset sets to zero and one elsewhere.
Everything that the package knows about a linear neuron is derived from these few numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Entry = float | Tensor
"""A coefficient: a float where it is a constant (0.0 is a structural zero), a tensor where it
depends on a parameter. Tensors broadcast with the feature axes of the state."""


class Tableau(NamedTuple):
    """The coefficients of a neuron with K state components.

    Attributes:
        A: K rows of K entries, how the state carries over one step.
        b: K entries, how the input current enters.
        r: K entries, how the neuron's own last spike enters (its reset among them).
        c: K entries, the read-out of the state: the membrane potential is `c · x`.
        theta: the firing threshold, in the units of `c · x`.
        delay: the steps `d` after which an input acts, 0 or 1. The paper has 1.
        zeroed: K flags, the components that a spike sets to zero.
        detached: K flags, the components whose spike terms carry no gradient.
    """

    A: tuple[tuple[Entry, ...], ...]
    b: tuple[Entry, ...]
    r: tuple[Entry, ...]
    c: tuple[Entry, ...]
    theta: Entry
    delay: int
    zeroed: tuple[bool, ...]
    detached: tuple[bool, ...]

    @property
    def order(self) -> int:
        """The number K of state components."""
        return len(self.b)

    def map(self, function: Callable[[Tensor], Tensor]) -> Tableau:
        """The same tableau with `function` applied to every tensor entry."""

        def one(entry: Entry) -> Entry:
            return function(entry) if isinstance(entry, Tensor) else entry

        return self._replace(
            A=tuple(tuple(map(one, row)) for row in self.A),
            b=tuple(map(one, self.b)),
            r=tuple(map(one, self.r)),
            c=tuple(map(one, self.c)),
            theta=one(self.theta),
        )

    def to(self, like: Tensor) -> Tableau:
        """The same tableau in the dtype and on the device of `like`."""
        return self.map(lambda entry: entry.to(like))

    def advance(self, x: list[Tensor], i: Tensor, s: Tensor) -> list[Tensor]:
        """The state one step later.

        Args:
            x: K components of the last state, each `(batch, *features)`.
            i: the input current that acts now, `(batch, *features)`.
            s: the neuron's own last spikes, `(batch, *features)`.

        Returns:
            K components of the new state.
        """
        held = s.detach()
        new = []
        for k, row in enumerate(self.A):
            total = combine((*row, self.b[k]), (*x, i))
            spike = held if self.detached[k] else s
            if self.zeroed[k]:
                total = total * (1 - spike)
            new.append(combine((1.0, self.r[k]), (total, spike)))
        return new

    def membrane(self, x: list[Tensor]) -> Tensor:
        """The membrane potential `c · x`, `(batch, *features)`."""
        return combine(self.c, x)

    def kernel(self, steps: int) -> Tensor:
        r"""The post-synaptic potential: the response `c · A^n b` to a unit input, without spikes.

        Args:
            steps: how many steps to follow it.

        Returns:
            float64 tensor `(steps, *broadcast features)`; entry n is the potential n steps after
            the input has begun to act.
        """
        with torch.no_grad():
            return torch.einsum("i...,ni...->n...", self._dense()[2], self.response(steps))

    def response(self, steps: int) -> Tensor:
        r"""The state's response `A^n b` to a unit input, without spikes.

        Args:
            steps: how many steps to follow it.

        Returns:
            float64 tensor `(steps, K, *broadcast features)`.
        """
        with torch.no_grad():
            carry, x, _ = self._dense()
            # the first 1, 2, 4, ... steps at once: x[m + n] = A^m x[n]
            while len(x) < steps:
                x = torch.cat([x, torch.einsum("ij...,nj...->ni...", carry, x)])
                carry = torch.einsum("ij...,jk...->ik...", carry, carry)
            return x[:steps]

    def memory(self, fraction: float = 1e-3, longest: int = 100_000) -> int:
        """The steps until the post-synaptic potential stays within `fraction` of its peak."""
        steps = 64
        while True:
            response = self.kernel(min(steps, longest)).abs()
            if not response.isfinite().all():
                return longest
            loud = (response > fraction * response.amax(0)).reshape(len(response), -1).any(1)
            heard = int(loud.nonzero()[-1]) + 1 if loud.any() else 1
            # an oscillation is near zero at times, so the last half must be quiet
            if heard <= steps // 2 or steps >= longest:
                return heard
            steps *= 2

    def _dense(self) -> tuple[Tensor, Tensor, Tensor]:
        """`A (K, K, *features)`, `b (1, K, *features)` and `c (K, *features)` in float64."""
        entries = [*(entry for row in self.A for entry in row), *self.b, *self.c]
        device = next((entry.device for entry in entries if isinstance(entry, Tensor)), None)
        exact = [torch.as_tensor(entry, dtype=torch.float64, device=device) for entry in entries]
        parts = torch.stack(torch.broadcast_tensors(*exact)).unflatten(0, (-1, self.order))
        return parts[:-2], parts[-2:-1], parts[-1]


def combine(weights: tuple[Entry, ...], values: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """The sum of `weight * value`, without the terms whose weight is a structural zero."""
    total: Tensor | None = None
    for weight, value in zip(weights, values, strict=True):
        if isinstance(weight, float) and weight == 0.0:
            continue
        unit = isinstance(weight, float) and weight == 1.0
        term = value if unit else weight * value
        total = term if total is None else total + term
    return torch.zeros_like(values[0]) if total is None else total


def decay(dt: float, tau: Tensor) -> Tensor:
    r"""The exact decay over one step, :math:`e^{-\Delta t / \tau}`; both in seconds."""
    return torch.exp(-dt / tau)


def steps_of(duration: float, dt: float) -> int:
    """The whole steps in a duration in seconds, rounded to the nearest."""
    return math.floor(duration / dt + 0.5)
