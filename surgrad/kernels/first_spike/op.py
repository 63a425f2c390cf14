"""The first spikes as one operation with a gradient: Numba on the processor, else the reference."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from surgrad.errors import ArgumentError, EventError, ShapeError
from surgrad.kernels import blocks
from surgrad.kernels.first_spike import reference
from surgrad.kernels.first_spike.backward import first_spikes_adjoint
from surgrad.kernels.first_spike.dynamics import Dynamics, Model
from surgrad.kernels.first_spike.forward import DOUBLE, EQUAL, NON_LEAKY, first_spikes

MODELS: dict[Model, int] = {"nonleaky": NON_LEAKY, "lif_double": DOUBLE, "lif_equal": EQUAL}


class SpikeTimeWarning(UserWarning):
    """Spike times that carry no gradient, or one that was cut."""


def first_spike(times: Tensor, weight: Tensor, dynamics: Dynamics) -> Tensor:
    """The time of each neuron's first spike in seconds, infinite for silent ones.

    Args:
        times: of the inputs in seconds, `(batch, inputs)`; infinite for those that are silent.
        weight: `(neurons, inputs)`, of the same dtype.
        dynamics: the neurons.

    Returns:
        `(batch, neurons)`, differentiable with respect to times and weights.

    Raises:
        ShapeError: if the shapes do not fit.
        EventError: if a time is not a number, or minus infinity.
    """
    if times.dim() != 2 or weight.dim() != 2 or times.shape[1] != weight.shape[1]:
        raise ShapeError(
            "input times",
            got=f"shape {tuple(times.shape)} for weights {tuple(weight.shape)}",
            expected=f"(batch, {weight.shape[-1]})",
        )
    if times.dtype != weight.dtype or not times.is_floating_point():
        raise ArgumentError("dtype of input times", got=times.dtype, expected=weight.dtype)
    if (times.isnan() | (times == -torch.inf)).any():
        raise EventError(
            "input times", got="not a number", expected="seconds, infinite where there is no spike"
        )
    if times.device.type == "cpu":
        found: Any = _FirstSpike.apply(times, weight, dynamics)
        return found
    return reference.first_spike(times, weight, dynamics)


class _FirstSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, times: Tensor, weight: Tensor, dynamics: Dynamics) -> Tensor:
        scaled, index = (times.detach().double() / dynamics.tau).sort(dim=1, stable=True)
        sizes = torch.isfinite(scaled).sum(1)
        rows = weight.detach().t().contiguous()
        shape = (len(times), len(weight))
        out, slope = (torch.empty(shape, dtype=torch.float64) for _ in range(2))
        causal = torch.empty(shape, dtype=torch.int32)
        arrays = [part.numpy() for part in (scaled, index, sizes, rows, out, causal, slope)]
        model = MODELS[dynamics.model]

        def work(_: int, first: int, last: int) -> None:
            state = torch.zeros(3, len(weight), dtype=weight.dtype).numpy()
            hit = torch.zeros(len(weight), dtype=torch.int32).numpy()
            first_spikes((), model, dynamics.threshold, *arrays, state, hit, first, last)

        blocks.run(blocks.bounds(len(times)), work)
        ctx.dynamics = dynamics
        ctx.save_for_backward(scaled, index, rows, out, causal, slope)
        return (out * dynamics.tau).to(times)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        scaled, index, rows, out, causal, slope = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        cost = (grads[0].double() * dynamics.tau).where(causal > 0, 0.0)
        cost = (cost / steep(slope, (causal > 0) & (cost != 0), dynamics)).to(rows)
        model, tasks = MODELS[dynamics.model], blocks.bounds(len(out))
        wanted = scaled.shape if ctx.needs_input_grad[0] else (0, 0)
        to_times = torch.zeros(wanted, dtype=torch.float64)
        to_rows = torch.zeros(len(tasks), *rows.shape, dtype=rows.dtype)
        arrays = [part.numpy() for part in (scaled, index, rows, out, causal, cost)]

        def work(block: int, first: int, last: int) -> None:
            state = torch.zeros(4, rows.shape[1], dtype=rows.dtype).numpy()
            found = to_rows[block].numpy(), to_times.numpy()
            first_spikes_adjoint((), model, *arrays, *found, state, first, last)

        blocks.run(tasks, work)
        to_weight = to_rows.sum(0).t().to(rows)
        # in the kernel both times are in units of τ, and so is the cost
        inputs = (to_times / dynamics.tau).to(rows) if ctx.needs_input_grad[0] else None
        return inputs, to_weight, None


def steep(slope: Tensor, counts: Tensor, dynamics: Dynamics) -> Tensor:
    """V̇ per τ, no less than the floor; warns where a neuron that counts was below it."""
    least = dynamics.floor * dynamics.threshold
    grazing = int((counts & (slope < least)).sum())
    if grazing:
        warnings.warn(
            f"{grazing} of {counts.numel()} neurons only just reach their threshold: their "
            f"gradient is cut to that of {dynamics.floor:g} thresholds per time constant",
            SpikeTimeWarning,
            stacklevel=2,
        )
    return slope.clamp(min=least)
