"""The operation `surgrad::convolution` and its adjoint; see README.md for the equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from surgrad.kernels import blocks, buffers, choice
from surgrad.kernels.conv.geometry import MAXIMUM, Geometry
from surgrad.kernels.conv.tables import tables
from surgrad.kernels.layer.memory import by_sample, dense, flat, rows
from surgrad.kernels.layer.pack import WIDTH, last_axis, padded

adjoint_of_dense = torch.ops.aten.convolution_backward


@torch.library.custom_op("surgrad::convolution", mutates_args=(), device_types="cpu")
def convolution(
    starts: Tensor,
    stops: Tensor,
    units: Tensor,
    carrier: Tensor | None,
    weights: Tensor,
    bias: Tensor | None,
    sequence: list[int],
    shape: list[int],
) -> Tensor:
    """The currents of a convolution, behind a pooling if there is one.

    Args:
        starts: where row `sample * steps + step` of the spikes begins in `units`.
        stops: where it ends.
        units: the units that spiked.
        carrier: what the layer below sent along: it gets the gradient of its spikes.
        weights: `(filters, channels, rows, columns)`.
        bias: `(filters,)`.
        sequence: steps and samples.
        shape: a `Geometry`.

    Returns:
        `(steps, samples, size)`, sample by sample in memory, channel last.
    """
    geometry, (steps, samples) = Geometry(*shape), sequence
    current = by_sample(buffers.empty(samples, steps, geometry.size))
    events = rows(starts, stops, units)
    if not _sparse(geometry, starts, stops):
        found = torch.conv2d(_filled(geometry, events, steps), _weights(geometry, weights), bias,
                             *_places(geometry))  # fmt: skip
        _rows(current)[:, : geometry.neurons] = found.permute(0, 2, 3, 1).flatten(1)
        _rows(current)[:, geometry.neurons :] = 0
        return current
    from surgrad.kernels.conv.passes import spread

    row = None if bias is None else last_axis(bias.repeat(geometry.neurons // len(bias)))
    packed = flat(_packed(weights, geometry.scale)), flat(row)
    given, target = (steps, geometry.kernel, tables(geometry), events), flat(by_sample(current))

    def run(_: int, first: int, last: int) -> None:
        work = np.empty(geometry.size + WIDTH, np.float32)
        spread((), first, last, *given, _stamps(geometry), *packed, work, target)

    blocks.run(blocks.bounds(samples), run)
    return current


@convolution.register_fake
def _(starts, stops, units, carrier, weights, bias, sequence, shape):
    return by_sample(_fake(sequence[1], sequence[0], Geometry(*shape).size))


@torch.library.custom_op("surgrad::convolution_adjoint", mutates_args=(), device_types="cpu")
def adjoint(
    starts: Tensor,
    stops: Tensor,
    units: Tensor,
    weights: Tensor,
    error: Tensor,
    sequence: list[int],
    shape: list[int],
    needed: list[bool],
) -> list[Tensor]:
    """The gradients of `convolution`.

    Args:
        starts: as there, and so are all up to `weights`.
        stops: see `convolution`.
        units: see `convolution`.
        weights: see `convolution`.
        error: the gradient of the current.
        sequence: steps and samples.
        shape: as there.
        needed: which of the gradients of spikes, weights and bias.

    Returns:
        those of spikes, `(steps, samples, padded units)`, weights and bias, empty where not needed.
    """
    geometry, events, steps = Geometry(*shape), rows(starts, stops, units), sequence[0]
    error = by_sample(dense(error)).contiguous()
    found = list(_gradients(geometry, weights, sequence, needed, buffers.empty))
    by_events = _sparse(geometry, starts, stops)
    collected = [needed[1] and by_events, needed[2]]
    if any(collected):
        found[1:] = _collect(geometry, events, steps, weights, error, collected)
    wanted = [needed[0], needed[1] and not by_events, False]
    if any(wanted):
        seen = _filled(geometry, events, steps) if wanted[1] else None
        inner, change = _dense(geometry, seen, weights, error, wanted)
        found[1] = change if wanted[1] else found[1]
        if needed[0]:
            _unpool(geometry, events, steps, inner, found[0])
    return found


@adjoint.register_fake
def _(starts, stops, units, weights, error, sequence, shape, needed):
    return list(_gradients(Geometry(*shape), weights, sequence, needed, _fake))


def _fake(*sizes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(sizes, dtype=dtype)


def _gradients(
    geometry: Geometry,
    weights: Tensor,
    sequence: list[int],
    needed: list[bool],
    new: Callable[..., Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    steps, samples = sequence
    spikes = by_sample(new(samples, steps, padded(geometry.units))) if needed[0] else new(0)
    change = new(*weights.shape) if needed[1] else new(0)
    return spikes, change, new(geometry.filters) if needed[2] else new(0)


def _sparse(geometry: Geometry, starts: Tensor, stops: Tensor) -> bool:
    """Whether events beat the dense convolution."""
    events = int((stops - starts).sum())
    return choice.by_events(events / max(1, len(starts) * geometry.sites), convolution=True)


def _stamps(geometry: Geometry) -> np.ndarray:
    return np.zeros(geometry.sites if geometry.pooling == MAXIMUM else 0, np.int64)


def _rows(sequence: Tensor) -> Tensor:
    """`(samples * steps, size)`."""
    return by_sample(sequence).flatten(0, 1)


def _packed(weights: Tensor, scale: float) -> Tensor:
    """One padded row for each input channel and place of the kernel, mirrored along the columns."""
    return last_axis(weights.detach().flip(3).permute(1, 2, 3, 0) * scale)


def _unpacked(rows: Tensor, filters: int, scale: float) -> Tensor:
    return (rows[..., :filters].permute(3, 0, 1, 2).flip(3) * scale).contiguous()


def _filled(geometry: Geometry, events: tuple[np.ndarray, ...], steps: int) -> Tensor:
    """The spikes behind the pooling as images, channel last in memory."""
    from surgrad.kernels.conv.passes import fill

    frames = len(events[0])
    images = buffers.empty(frames, *geometry.pooled, geometry.channels)

    def run(_: int, first: int, last: int) -> None:
        given = (steps, geometry.sites, tables(geometry), events, _stamps(geometry))
        fill((), first, last, *given, flat(images))

    blocks.run(blocks.bounds(frames // max(1, steps)), run)
    return images.permute(0, 3, 1, 2)


def _weights(geometry: Geometry, weights: Tensor) -> Tensor:
    return (weights * geometry.scale).contiguous(memory_format=torch.channels_last)


def _places(geometry: Geometry) -> tuple[list[int], list[int], list[int]]:
    """Stride, padding and dilation."""
    return (
        [geometry.down, geometry.right],
        [geometry.above, geometry.before],
        [geometry.apart, geometry.beside],
    )


def _dense(
    geometry: Geometry, seen: Tensor | None, weights: Tensor, error: Tensor, mask: list[bool]
) -> tuple[Tensor, Tensor]:
    """The gradients behind the pooling and of the weights by the dense convolution."""
    frames = error.flatten(0, 1)[:, : geometry.neurons]
    frames = frames.unflatten(1, (*geometry.out, geometry.filters)).permute(0, 3, 1, 2)
    if seen is None:
        mask, (height, width) = [mask[0], False, False], geometry.pooled
        # only its shape is looked at
        seen = frames.new_empty(1).expand(len(frames), geometry.channels, height, width)
    inner, change, _ = adjoint_of_dense(
        frames, seen, _weights(geometry, weights), None, *_places(geometry), False, [0, 0], 1, mask
    )
    if mask[1]:
        change = (change * geometry.scale).contiguous()
    return inner, change


def _unpool(
    geometry: Geometry, events: tuple[np.ndarray, ...], steps: int, inner: Tensor, spikes: Tensor
) -> None:
    from surgrad.kernels.conv.passes import unpool

    errors, target = flat(inner.permute(0, 2, 3, 1)), flat(by_sample(spikes))
    shape = (geometry.channels, *geometry.pooled, geometry.window, geometry.wide)
    shape = (*shape, spikes.shape[2])

    def run(_: int, first: int, last: int) -> None:
        given = (steps, shape, tables(geometry), events, _stamps(geometry))
        unpool((), first, last, *given, errors, target)

    blocks.run(blocks.bounds(len(events[0]) // max(1, steps)), run)


def _collect(
    geometry: Geometry,
    events: tuple[np.ndarray, ...],
    steps: int,
    weights: Tensor,
    error: Tensor,
    needed: list[bool],
) -> tuple[Tensor, Tensor]:
    """The gradients of weights and bias by events."""
    from surgrad.kernels.conv.passes import collect

    parts, lanes = blocks.bounds(len(events[0]) // max(1, steps)), padded(geometry.filters)
    taps = (*weights.shape[1:], lanes) if needed[0] else (0,)
    changes = torch.zeros(len(parts), *taps)
    totals = torch.zeros(len(parts), lanes if needed[1] else 0)
    given, errors = (steps, geometry.kernel, tables(geometry), events), flat(error)

    def run(part: int, first: int, last: int) -> None:
        work = np.empty(geometry.size + WIDTH, np.float32)
        sums = flat(changes[part]), flat(totals[part])
        collect((), first, last, *given, _stamps(geometry), errors, work, *sums, geometry.filters,
                geometry.neurons)  # fmt: skip

    blocks.run(parts, run)
    total = totals.sum(0)[: geometry.filters].clone()
    if not needed[0]:
        return changes[0], total
    return _unpacked(changes.sum(0), geometry.filters, geometry.scale), total


def _remember(ctx, inputs, output) -> None:
    starts, stops, units, _, weights, _, ctx.sequence, ctx.shape = inputs
    ctx.save_for_backward(starts, stops, units, weights)


def _backward(ctx, error):
    need = ctx.needs_input_grad
    needed = [need[3], need[4], need[5]]
    found = adjoint(*ctx.saved_tensors, error, ctx.sequence, ctx.shape, needed)
    grads = (g if n else None for g, n in zip(found, needed, strict=True))
    spikes, change, bias = grads
    return None, None, None, spikes, change, bias, None, None


convolution.register_autograd(_backward, setup_context=_remember)
