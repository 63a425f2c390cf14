"""Spike times in, spike times out, as one differentiable operation."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from surgrad.errors import ArgumentError, EventError, ShapeError
from surgrad.kernels import blocks
from surgrad.kernels.first_spike.op import SpikeTimeWarning
from surgrad.timing.eventprop import forward, reverse

# spikes of a neuron for which there is room at first, and of a small layer
ROOM, LAYER_ROOM = 4, 256


@dataclass(frozen=True)
class Neurons:
    """How the neurons of a layer integrate, and where the layer ends.

    Args:
        tau_mem: of the membrane, in seconds.
        tau_syn: of the synapse, in seconds.
        threshold: ϑ.
        until: the end of the simulation in seconds, may be infinite.
        longest_rise: the bound of ϑ / V̇ in the gradient, in seconds.
        most: the spikes of a neuron beyond which something is wrong.
        closed: whether closed forms are used for `tau_mem` = `tau_syn` and 2 `tau_syn`.
    """

    tau_mem: float = 20e-3
    tau_syn: float = 10e-3
    threshold: float = 1.0
    until: float = math.inf
    longest_rise: float = 1.0
    most: int = 1000
    closed: bool = True

    def __post_init__(self) -> None:
        for name in ("tau_mem", "tau_syn", "threshold", "longest_rise"):
            if not 0 < getattr(self, name) < math.inf:
                got, expected = getattr(self, name), "a positive number"
                raise ArgumentError(f"{name} of spiking events", got=got, expected=expected)
        if not self.until > 0 or self.most < 1:
            raise ArgumentError(
                "until and most", got=f"{self.until}, {self.most}", expected="more than 0"
            )

    @property
    def least(self) -> float:
        """The least V̇ that the gradient divides by."""
        return self.threshold / self.longest_rise


def spike_times(
    times: Tensor,
    weight: Tensor,
    neurons: Neurons,
    *,
    delay: Tensor | None = None,
    recurrent: Tensor | None = None,
    recurrent_delay: Tensor | None = None,
) -> Tensor:
    """The spikes of a layer, computed from event to event without a time step.

    Args:
        times: of the input spikes in seconds, `(batch, inputs, spikes)`, in any order, infinite
            where there is none.
        weight: `(neurons, inputs)`.
        neurons: time constants, threshold and end.
        delay: of each synapse in seconds, `(neurons, inputs)`.
        recurrent: weights of the layer onto itself, `(neurons, neurons)`.
        recurrent_delay: of these, in seconds; zero if left out.

    Returns:
        the spikes in seconds, `(batch, neurons, spikes)`, as many as the liveliest neuron has and
        at least one, infinite where there is none. Differentiable in all tensors.

    Raises:
        ShapeError: if the shapes do not fit.
        EventError: if a time is negative or not a number, or a neuron spikes too often.
        ArgumentError: if a delay is negative, or a recurrent layer has no end.
    """
    _check(times, weight, neurons, delay, recurrent, recurrent_delay)
    if recurrent is not None and recurrent_delay is None:
        recurrent_delay = torch.zeros_like(recurrent)
    found: Any = _SpikeTimes.apply(times, weight, delay, recurrent, recurrent_delay, neurons)
    return found


def _check(times: Tensor, weight: Tensor, neurons: Neurons, *others: Tensor | None) -> None:
    delay, recurrent, recurrent_delay = others
    size, inputs = weight.shape
    if times.dim() != 3 or times.shape[1] != inputs:
        expected = f"(batch, {inputs}, spikes)"
        raise ShapeError("input times", got=f"shape {tuple(times.shape)}", expected=expected)
    wanted = {"delay": (delay, weight.shape), "recurrent": (recurrent, (size, size))}
    wanted["recurrent_delay"] = (recurrent_delay, (size, size))
    for name, (tensor, shape) in wanted.items():
        if tensor is not None and tensor.shape != shape:
            raise ShapeError(name, got=tuple(tensor.shape), expected=tuple(shape))
    if not (times >= 0).all():
        raise EventError(
            "input times",
            got="a negative time, or not a number",
            expected="seconds, infinite where there is no spike",
        )
    for tensor in (delay, recurrent_delay):
        if tensor is not None and not ((tensor >= 0) & tensor.isfinite()).all():
            raise ArgumentError("delay", got="a negative one", expected="seconds, 0 or more")
    if recurrent is not None and neurons.until == math.inf:
        raise ArgumentError(
            "until of a recurrent layer",
            got="none",
            expected="an end in seconds, as activity may go on for ever",
        )


class _Run:
    """One pass through a layer: sorted arrivals, and memory for what comes out."""

    def __init__(
        self,
        times: Tensor,
        weight: Tensor,
        delay: Tensor | None,
        recurrent: Tensor | None,
        recurrent_delay: Tensor | None,
        neurons: Neurons,
    ) -> None:
        self.neurons, self.width = neurons, times.shape[2]
        flat = times.detach().double().flatten(1)
        arriving = flat[:, None]
        if delay is not None:
            arriving = arriving + delay.detach().double().repeat_interleave(self.width, 1)
        self.times, self.which = arriving.sort(dim=2, stable=True)
        self.weight = weight.detach().double().contiguous()
        self.own = self.own_delay = None
        if recurrent is not None and recurrent_delay is not None:
            self.own = recurrent.detach().double().contiguous()
            self.own_delay = recurrent_delay.detach().double().contiguous()
        batch, events = flat.shape
        shared = self.times.shape[1] == 1 and self.own is None
        self.decays = torch.zeros(batch, 3, events if shared else 0, dtype=torch.float64)
        self.out = self.slopes = torch.empty(0)
        self.counts = torch.zeros(batch, len(weight), dtype=torch.int64)

    @property
    def arrivals(self) -> tuple:
        """The arguments that both passes have in common."""
        return self.times.numpy(), self.which.numpy(), self.width

    def constants(self, last: float) -> tuple[float, ...]:
        """Those of the neurons, and one that the passes do not share."""
        n = self.neurons
        return (n.tau_mem, n.tau_syn, n.threshold, n.until, last)

    def work(self) -> tuple[np.ndarray, np.ndarray]:
        """The work space of a recurrent layer."""
        size = len(self.weight)
        return np.empty((6, size)), np.empty((size + 1, size), np.int64)

    def forward(self) -> Tensor:
        """All spikes, `(batch, neurons, spikes)`."""
        # few neurons often spike much, and to run them again costs more than their room
        room = min(max(ROOM, LAYER_ROOM // max(len(self.weight), 1)), self.neurons.most)
        while True:
            if self._fits(room):
                used = max(int(self.counts.max()) if self.counts.numel() else 0, 1)
                self.out, self.slopes = self.out[..., :used], self.slopes[..., :used]
                return self.out
            if room >= self.neurons.most:
                raise EventError(
                    "spikes of a neuron",
                    got=f"more than {self.neurons.most}",
                    expected="fewer",
                    fix="smaller weights, an earlier end, or a larger `most`",
                )
            room = min(4 * room, self.neurons.most)

    def _fits(self, room: int) -> bool:
        shape = (*self.counts.shape, room)
        self.out = torch.full(shape, math.inf, dtype=torch.float64)
        self.slopes = torch.ones(shape, dtype=torch.float64)
        full = torch.zeros(len(self.counts), dtype=torch.int64)
        results = [t.numpy() for t in (self.out, self.slopes, self.counts, full)]
        constants = self.constants(float(self.neurons.closed))
        weights, decays = self.weight.numpy(), self.decays.numpy()

        def work(_: int, first: int, last: int) -> None:
            if self.own is not None and self.own_delay is not None:
                own = self.own.numpy(), self.own_delay.numpy()
                forward.recurrent((), first, last, constants, *self.arrivals, weights, *own,
                                  *results, *self.work())  # fmt: skip
                return
            if self.decays.numel():
                times, taus = self.times.numpy(), constants[:2]
                forward.spread((), first, last, times, *taus, decays)
            forward.feed_forward((), first, last, constants, *self.arrivals, decays, weights,
                                 *results)  # fmt: skip

        blocks.run(blocks.bounds(len(self.counts)), work)
        return not bool(full.any())

    def backward(self, prices: Tensor) -> list[Tensor]:
        """The gradients of times, weights, delays, recurrent weights and delays."""
        parts = blocks.bounds(len(self.counts))
        square = (0, 0) if self.own is None else self.own.shape
        delayed = self.weight.shape if self.times.shape[1] > 1 else (0, 0)
        shapes = (self.weight.shape, delayed, square, square)
        sums = [torch.zeros(len(parts), *shape, dtype=torch.float64) for shape in shapes]
        to_times = torch.zeros(len(self.times), self.times.shape[2], dtype=torch.float64)
        constants, weights = self.constants(self.neurons.least), self.weight.numpy()
        prices = prices.contiguous().clone()
        found = [t.contiguous().numpy() for t in (self.out, self.slopes)]
        counts, decays = self.counts.clone().numpy(), self.decays.numpy()
        shared = (*found, counts, prices.numpy())

        def work(block: int, first: int, last: int) -> None:
            to_weight, to_delay, to_own, to_own_delay = (part[block].numpy() for part in sums)
            if self.own is not None and self.own_delay is not None:
                own = self.own.numpy(), self.own_delay.numpy()
                results = (to_weight, to_own, to_delay, to_own_delay, to_times.numpy())
                reverse.recurrent((), first, last, constants, *self.arrivals, weights, *own,
                                  *shared, *results, *self.work())  # fmt: skip
                return
            reverse.feed_forward((), first, last, constants, *self.arrivals, decays, weights,
                                 *shared, to_weight, to_delay, to_times.numpy())  # fmt: skip

        blocks.run(parts, work)
        return [to_times, *(part.sum(0) for part in sums)]


class _SpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, times, weight, delay, recurrent, recurrent_delay, neurons) -> Tensor:
        run = _Run(times, weight, delay, recurrent, recurrent_delay, neurons)
        out = run.forward()
        if out.numel() and not run.counts.any():
            text = "a layer has no spike in this batch: no gradient passes through it"
            warnings.warn(text, SpikeTimeWarning, stacklevel=3)
        ctx.run, ctx.like = run, (times, weight, delay, recurrent, recurrent_delay)
        return out.to(weight.dtype, copy=True)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        run: _Run = ctx.run
        prices = grads[0].double().where(run.out.isfinite(), 0.0)
        if bool(((run.slopes < run.neurons.least) & (prices != 0)).any()):
            warnings.warn(
                "spikes that only just reach the threshold: their gradient is cut to that of a "
                f"rise of {run.neurons.longest_rise:g} s",
                SpikeTimeWarning,
                stacklevel=2,
            )
        results = run.backward(prices)
        results[0] = results[0].view(ctx.like[0].shape)
        return (
            *(None if t is None else g.to(t) for g, t in zip(results, ctx.like, strict=True)),
            None,
        )
