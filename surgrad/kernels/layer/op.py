"""The operation `surgrad::layer` and its adjoint, as PyTorch's dispatcher knows them."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.kernels import blocks, buffers
from surgrad.kernels.layer.memory import (
    SOFT,
    STATE,
    Shape,
    by_sample,
    dense,
    flat,
    from_blocks,
    gradients,
    in_blocks,
    outputs,
    rows,
    strided,
    valid_steps,
)
from surgrad.kernels.layer.pack import last_axis, square

# the places of the outputs
SPIKES, POTENTIALS, CARRIER, STARTS, STOPS, UNITS, COUNTS, X, S, I, HOLD, STATES, DRIVES = range(13)
# those of the gradients that are sums over samples
SUMS = slice(1, 5)
WEIGHTS, BIAS, RECURRENT = 1, 2, 3


@torch.library.custom_op("surgrad::layer", mutates_args=(), device_types="cpu")
def layer(
    P: Tensor,
    current: Tensor | None,
    starts: Tensor | None,
    stops: Tensor | None,
    units: Tensor | None,
    weights: Tensor | None,
    bias: Tensor | None,
    carrier: Tensor | None,
    recurrent: Tensor | None,
    x0: Tensor | None,
    s0: Tensor | None,
    i0: Tensor | None,
    hold0: Tensor | None,
    lengths: Tensor | None,
    upward: Tensor | None,
    shape: list[int],
    wanted: list[bool],
    curve: list[float],
) -> list[Tensor]:
    """Run a layer over time; the size of all tensors but weights and bias is padded, see `pack`.

    Args:
        P: the coefficients.
        current: `(steps, samples, size)`, step by step or sample by sample in memory; else:
        starts: where row `sample * steps + step` of the spikes that come in begins in `units`.
        stops: where it ends.
        units: the units that spiked.
        weights: `(neurons, presynaptic)`.
        bias: `(neurons,)`.
        carrier: what the layer below sent along with its spikes; it gets the current's gradient.
        recurrent: `(neurons, neurons)`, post × pre.
        x0: the state to begin with, or None for rest.
        s0: its spikes.
        i0: its pending current.
        hold0: the steps for which its neurons are refractory.
        lengths: int64 `(samples,)`.
        upward: the weights to the next layer, `(next, this)`, not differentiated here.
        shape: a `memory.Shape`.
        wanted: see `memory.outputs`.
        curve: the surrogate derivative's number, scale and gain.

    Returns:
        dense spikes, potentials, carrier, starts, stops, units, counts, x, s, i, hold, states and
        drives, empty where not wanted.
    """
    from surgrad.kernels.layer.forward import forward

    sizes = Shape(*shape)
    out = outputs(sizes, wanted, upward, buffers.empty)
    out[COUNTS].zero_()
    width = sizes.width(current is None or recurrent is not None or wanted[1])
    arguments = (
        sizes.sizes(width),
        (int(curve[0]), float(curve[1]), float(curve[2])),
        flat(P),
        (
            *strided(None if current is None else dense(current)),
            *rows(starts, stops, units),
            in_blocks(None if weights is None else weights.t()),
            flat(None if bias is None else last_axis(bias)),
        ),
        in_blocks(None if recurrent is None else square(recurrent).t()),
        (flat(x0), flat(s0), flat(i0), flat(hold0)),
        valid_steps(lengths, sizes),
        tuple(flat(by_sample(out[i])) for i in (POTENTIALS, SPIKES, STATES, DRIVES)),
        (*rows(*out[STARTS : UNITS + 1]), flat(out[COUNTS])),
        tuple(flat(out[i]) for i in (X, S, I, HOLD)),
    )

    def run(_: int, first: int, last: int) -> None:
        work = flat(buffers.empty((arguments[0][-1] + 2 + 2 * sizes.order) * width))
        forward((0,) * sizes.order, sizes.own(P), sizes.soft(), first, last, work, *arguments)

    blocks.run(blocks.bounds(sizes.samples * (sizes.size // width)), run)
    return out


@layer.register_fake
def _(P, current, starts, stops, units, weights, bias, carrier, recurrent, x0, s0, i0, hold0,
      lengths, upward, shape, wanted, curve):  # fmt: skip
    return outputs(Shape(*shape), wanted, upward, _fake)


def _fake(*sizes: int, dtype: torch.dtype) -> Tensor:
    return torch.empty(sizes, dtype=dtype)


@torch.library.custom_op("surgrad::layer_adjoint", mutates_args=(), device_types="cpu")
def adjoint(
    P: Tensor,
    starts: Tensor | None,
    stops: Tensor | None,
    units: Tensor | None,
    recurrent: Tensor | None,
    x0: Tensor | None,
    s0: Tensor | None,
    hold0: Tensor | None,
    lengths: Tensor | None,
    upward: Tensor | None,
    kept: list[Tensor],
    events: list[Tensor],
    errors: list[Tensor],
    shape: list[int],
    neurons: int,
    inputs: int,
    needed: list[bool],
    curve: list[float],
) -> list[Tensor]:
    """The gradients of `layer`.

    Args:
        P: as there, and so are all up to `upward`.
        starts: see `layer`.
        stops: see `layer`.
        units: see `layer`.
        recurrent: see `layer`.
        x0: see `layer`.
        s0: see `layer`.
        hold0: see `layer`.
        lengths: see `layer`.
        upward: see `layer`.
        kept: potentials, spikes, states, drives, as there.
        events: starts, stops and units of the spikes that the layer emitted.
        errors: gradients of the output, the potentials, the counts, the carrier and the final x, s
            and i, empty where there is none.
        shape: as there.
        neurons: how many there are, without padding.
        inputs: the number of presynaptic units.
        needed: which of the gradients of current, weights, bias, recurrent, P and the initial
            state, and whether the current lies step by step.
        curve: as there.

    Returns:
        those of current, weights, bias, recurrent, P, x0, s0, i0, empty where not needed.
    """
    from surgrad.kernels.layer.backward import backward
    from surgrad.kernels.layer.products import ALL, GROUP, mode_of, onto_itself, upwards

    sizes = Shape(*shape)
    output, membrane, counts, carrier, *final = errors
    width = sizes.width(starts is not None or recurrent is not None or carrier.numel() > 0)
    parts = blocks.bounds(sizes.samples * (sizes.size // width))
    # smooth spikes are dense, and so is the product with them, for all steps at once
    dense_onto = needed[3] and sizes.spiking == SOFT
    drives = _drives(sizes) if dense_onto else None
    want = [*needed[:3], needed[3] and not dense_onto, *needed[4:]]
    grads = gradients(sizes, P, inputs, want, len(parts), buffers.empty)
    for total in grads[SUMS]:
        total.zero_()
    every = (1 << sizes.order) - 1
    full = needed[4] or bool(sizes.zeroed & ~sizes.detached & every)
    way_round = None if sizes.local else recurrent
    later = way_round is not None or final[1].numel() > 0 or sizes.detached & every != every
    mode = mode_of(kept[0], P, curve)
    round_ = onto_itself(way_round, mode)
    group = GROUP if round_[2] == ALL else 1
    numbers = sizes.sizes(width, group)
    arguments = (
        (*numbers, int(later)),
        (sizes.detached, int(full or sizes.zeroed), int(full)),
        (int(curve[0]), float(curve[1]), float(curve[2])),
        flat(P),
        tuple(flat(by_sample(t)) for t in kept),
        rows(*events),
        rows(starts, stops, units),
        round_,
        (flat(x0), flat(s0), flat(hold0)),
        valid_steps(lengths, sizes),
        (*strided(output), *strided(membrane), flat(counts),
         *upwards(carrier, upward, mode)),
        tuple(flat(t) for t in final),
    )  # fmt: skip

    def run(block: int, first: int, last: int) -> None:
        sums = [t[block] if t.numel() else t for t in grads[SUMS]]
        if drives is not None:
            sums[RECURRENT - WEIGHTS] = drives
        mine = (*strided(grads[0]), *(flat(t) for t in (*sums, *grads[5:])))
        work = flat(buffers.empty(group * (numbers[-1] + STATE + 4 * sizes.order) * width))
        backward((0,) * sizes.order, sizes.own(P), first, last, work, *arguments, mine)

    blocks.run(parts, run)
    grads[SUMS] = [_summed(t) for t in grads[SUMS]]
    grads = _unpadded(grads, neurons)
    if drives is not None:
        grads[RECURRENT] = _onto_itself(drives, by_sample(kept[1]), s0, neurons)
    return grads


def _drives(shape: Shape) -> Tensor:
    """Memory for what the drive of each step is worth; zero in the steps beyond a length."""
    return buffers.empty(shape.samples, shape.steps, shape.size).zero_()


def _onto_itself(drives: Tensor, spikes: Tensor, s0: Tensor | None, neurons: int) -> Tensor:
    """The gradient of the recurrent weights behind smooth spikes, sample by sample."""
    first = drives[:, 0].clone()
    # the last step of a sample has nothing to do with the first one of the next
    drives[:, 0] = 0
    late, early = drives.flatten(0, 1)[1:], spikes.flatten(0, 1)[:-1]
    total = (late.t() @ early)[:neurons, :neurons].contiguous()
    return total if s0 is None else total + (first.t() @ s0)[:neurons, :neurons]


def _unpadded(grads: list[Tensor], neurons: int) -> list[Tensor]:
    """The gradients of weights and bias in the form that the layer takes them."""
    if grads[WEIGHTS].numel():
        grads[WEIGHTS] = from_blocks(grads[WEIGHTS], neurons).t().contiguous()
    if grads[BIAS].numel():
        grads[BIAS] = grads[BIAS][:neurons].clone()
    if grads[RECURRENT].numel():
        grads[RECURRENT] = from_blocks(grads[RECURRENT], neurons)[:neurons].t().contiguous()
    return grads


def _summed(parts: Tensor) -> Tensor:
    if parts.numel() == 0:
        return parts
    return parts[0] if len(parts) == 1 else parts.sum(0)


@adjoint.register_fake
def _(P, starts, stops, units, recurrent, x0, s0, hold0, lengths, upward, kept, events, errors,
      shape, neurons, inputs, needed, curve):  # fmt: skip
    grads = gradients(Shape(*shape), P, inputs, needed, 1, _fake)
    grads[SUMS] = [_summed(t) for t in grads[SUMS]]
    return _unpadded(grads, neurons)


def _remember(ctx, inputs, output) -> None:
    (P, current, starts, stops, units, weights, _, _, recurrent, x0, s0, _, hold0, lengths, upward,
     shape, wanted, curve) = inputs  # fmt: skip
    ctx.set_materialize_grads(False)
    given = (P, starts, stops, units, recurrent, x0, s0, hold0, lengths, upward)
    kept = [output[i] for i in (POTENTIALS, SPIKES, STATES, DRIVES, STARTS, STOPS, UNITS)]
    ctx.save_for_backward(*given, *kept)
    ctx.mark_non_differentiable(*(output[i] for i in (STARTS, STOPS, UNITS)))
    ctx.shape, ctx.curve, ctx.carried = shape, curve, wanted[4]
    ctx.neurons, ctx.inputs = (0, 0) if weights is None else weights.shape
    if recurrent is not None:
        ctx.neurons = recurrent.shape[0]
    ctx.by_step = current is not None and current.is_contiguous()


def _carried(grads):
    """The gradients, with what came for the spikes by their carrier where it belongs."""
    grads = list(grads)
    by_carrier, grads[CARRIER] = grads[CARRIER], None
    if by_carrier is not None:
        grads[SPIKES] = by_carrier if grads[SPIKES] is None else grads[SPIKES] + by_carrier
    return grads


def _backward(ctx, grads):
    *given, potentials, spikes, states, drives, starts, stops, units = ctx.saved_tensors
    need = ctx.needs_input_grad
    if ctx.carried:
        grads = _carried(grads)
    begun = given[5] is not None and any(need[i] for i in (9, 10, 11))
    needed = [need[1] or need[7], need[5], need[6], need[8], need[0], begun]
    needed.append(ctx.by_step)
    wanted = (SPIKES, POTENTIALS, COUNTS, CARRIER, X, S, I)
    errors = [potentials.new_empty(0) if grads[i] is None else dense(grads[i]) for i in wanted]
    current, weights, bias, recurrent, P, x, s, i = adjoint(
        *given,
        [potentials, spikes, states, drives],
        [starts, stops, units],
        errors,
        ctx.shape,
        ctx.neurons,
        ctx.inputs,
        needed,
        ctx.curve,
    )

    def only(index: int, grad: Tensor) -> Tensor | None:
        return grad if need[index] else None

    return (
        only(0, P), only(1, current), None, None, None, only(5, weights), only(6, bias),
        only(7, current), only(8, recurrent), only(9, x), only(10, s), only(11, i),
        *(None,) * 6,
    )  # fmt: skip


layer.register_autograd(_backward, setup_context=_remember)
