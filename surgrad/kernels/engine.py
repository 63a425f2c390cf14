"""Which path a layer takes, and the bridge from tableaus and events to the operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor

from surgrad.events import SpikeTrain
from surgrad.kernels import choice
from surgrad.kernels.conv.geometry import Geometry
from surgrad.kernels.layer import pack
from surgrad.kernels.scan.reference import NeuronState, Scan
from surgrad.kernels.scan.reference import scan as reference_scan
from surgrad.spikes import Soft, SpikeFunction, Surrogate, present
from surgrad.surrogates import TABLE
from surgrad.tableau import Tableau

_forced: ContextVar[bool] = ContextVar("reference", default=False)
# one entry for each open context of any thread: a compiler can look at this, and at no ContextVar
_open: list[None] = []
# the rows of the table in the order of the kernels' numbers
NUMBERS = {name: number for number, name in enumerate(TABLE)}
SPIKES, POTENTIALS, CARRIER, STARTS, STOPS, UNITS, COUNTS, X, S, I, HOLD = range(11)


@contextmanager
def reference() -> Iterator[None]:
    """Within this context everything runs on the plain-torch definition.

    Example:
        >>> from surgrad import kernels
        >>> with kernels.reference():
        ...     pass
    """
    token = _forced.set(True)
    _open.append(None)
    try:
        yield
    finally:
        _open.pop()
        _forced.reset(token)


class Events(NamedTuple):
    """Spikes on their way from one layer to the next.

    Attributes:
        starts, stops: where row `sample * steps + step` lies in `units`.
        units: the units that spiked.
        shape: `(time, batch, *features)`.
        carrier: what connects the layers in the graph; its gradient is that of the next current,
            or of the spikes where a convolution follows.
        last: whether units of images are counted channel last.
    """

    starts: Tensor
    stops: Tensor
    units: Tensor
    shape: tuple[int, ...]
    carrier: Tensor | None = None
    last: bool = False

    @classmethod
    def of(cls, train: SpikeTrain) -> Events:
        """The spikes of a data set; nothing is copied."""
        return cls(train.indptr[:-1], train.indptr[1:], train.indices, train.shape)


class Layer(NamedTuple):
    """Neurons as the engine takes them.

    Attributes:
        tableau: the coefficients.
        spike: the spike function, None for a read-out.
        recurrent: the weights onto itself, post × pre, or None.
        refractory: steps after a spike.
        local: whether errors reach the recurrent weights and do not go round through them.
    """

    tableau: Tableau
    spike: SpikeFunction | None
    recurrent: Tensor | None = None
    refractory: int = 0
    local: bool = False


class Shown(NamedTuple):
    """What of a layer is wanted besides its state and its spike counts.

    Attributes:
        dense: the spikes as a tensor; those of a read-out always are.
        potentials: the membrane potential.
        following: the weights of the next connection, if events will drive it.
        spread: whether the next connection is a convolution that events can drive.
    """

    dense: bool = True
    potentials: bool = True
    following: Tensor | None = None
    spread: bool = False


class Outcome(NamedTuple):
    """What a layer did.

    Attributes:
        scan: output, potential and state; empty tensors in place of what was not asked for.
        counts: the spikes summed over time, `(batch, *features)`; None where nobody counted.
        events: the spikes, where a connection driven by events follows.
    """

    scan: Scan
    counts: Tensor | None
    events: Events | None


def obstacle(spike: SpikeFunction | None, like: Tensor) -> str | None:
    """Why a layer cannot run on the kernels; None where it can. `like` has its dtype and device."""
    if _open and _forced.get():
        return "the reference is asked for"
    if like.device.type != "cpu" or like.dtype != torch.float32:
        return f"the kernels take float32 on the CPU, not {like.dtype} on {like.device.type}"
    spike = present(spike)
    if not isinstance(spike, Surrogate | Soft | None):
        return f"the spike function {type(spike).__name__} has no kernel"
    if spike is not None:
        row = spike.derivative
        if row.name not in TABLE or TABLE[row.name].derivative is not row.derivative:
            return f"the surrogate derivative {row.name} is not in the table"
    if torch._C._are_functorch_transforms_active():
        return "torch.func transforms need the reference"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode derivatives need the reference"
    return None


def sparse(train: SpikeTrain) -> bool:
    """Whether events beat the dense product for this input."""
    return train.indices.numel() > 0 and choice.by_events(train.density())


def driven(
    layer: Layer, current: Tensor, state: NeuronState | None, lengths: Tensor | None, shown: Shown
) -> Outcome:
    """Neurons driven by a current, `(time, batch, *features)`, from a state or from rest."""
    if current.numel() == 0 or obstacle(layer.spike, current) is not None:
        result = _definition(layer, current, state, lengths)
        return Outcome(result, None, None)
    source = Source(current=pack.last_axis(pack.features_flat(current, 2)))
    return _run(layer, current.shape[:2], current.shape[2:], source, state, lengths, shown)


def _definition(
    layer: Layer, current: Tensor, state: NeuronState | None, lengths: Tensor | None
) -> Scan:
    from surgrad.kernels.scan.reference import rest

    tableau, spike, recurrent, refractory, local = layer
    state = rest(tableau, current.new_zeros(current.shape[1:])) if state is None else state
    return reference_scan(
        tableau, spike, current, state, recurrent=recurrent, lengths=lengths,
        refractory=refractory, local=local,
    )  # fmt: skip


def connected(
    layer: Layer,
    spikes: Events,
    weight: Tensor,
    bias: Tensor | None,
    state: NeuronState | None,
    lengths: Tensor | None,
    shown: Shown,
) -> Outcome:
    """Neurons behind the weights `(size, presynaptic)` and bias `(size,)`, driven by events."""
    if spikes.last:
        weight = pack.columns(weight, spikes.shape[2:])
    source = Source(None, *spikes[:3], weight, bias, spikes.carrier)
    return _run(layer, spikes.shape[:2], weight.shape[:1], source, state, lengths, shown)


def convolved(
    spikes: Events,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    features: tuple[int, ...],
) -> Tensor:
    """The current of a convolution, `(time, batch, *features)`, driven by events."""
    import surgrad.kernels.conv.op  # noqa: F401  (registers the operation)

    current = torch.ops.surgrad.convolution(
        *spikes[:3], spikes.carrier, weight, bias, list(spikes.shape[:2]), list(geometry)
    )
    flat = current[..., : geometry.neurons]
    if len(features) == 1:
        return flat
    return flat.unflatten(-1, (*geometry.out, geometry.filters)).movedim(-1, -3)


class Source(NamedTuple):
    """What drives a layer: a padded current, or events, weights, a bias and the carrier."""

    current: Tensor | None
    starts: Tensor | None = None
    stops: Tensor | None = None
    units: Tensor | None = None
    weights: Tensor | None = None
    bias: Tensor | None = None
    carrier: Tensor | None = None


def _run(
    layer: Layer,
    sequence: tuple[int, ...],
    features: torch.Size,
    source: Source,
    state: NeuronState | None,
    lengths: Tensor | None,
    shown: Shown,
) -> Outcome:
    import surgrad.kernels.layer.op  # noqa: F401  (registers the operations)

    tableau, spike, recurrent, refractory, local = layer
    spike, images = present(spike), len(features) == 3
    size, spiking, soft = features.numel(), spike is not None, isinstance(spike, Soft)
    ordered = tableau.map(lambda entry: _ordered(entry, features)) if images else tableau
    P, begin = pack.coefficients(ordered, size), _packed(state)
    graph = [t for t in (P, recurrent, *source, *begin) if t is not None and t.requires_grad]
    learning = torch.is_grad_enabled() and bool(graph)
    zeroed, detached = _bits(tableau.zeroed), _bits(tableau.detached)
    # smooth spikes are no events: what follows takes them as they are
    onward = shown.following if spiking and not soft else None
    spread = shown.spread and spiking and not soft
    if onward is not None and images:
        onward = pack.columns(onward, features)
    wanted = [
        spiking and (soft or shown.dense or (refractory > 0 and learning)),
        onward is not None or (recurrent is not None and not soft) or spread,
        shown.potentials or learning or not spiking,
        learning and (P.requires_grad or bool(zeroed & ~detached)),
        learning and spread,
    ]
    sort = pack.SOFT if soft else int(spiking)
    kind = [tableau.order, tableau.delay, refractory, zeroed, detached, sort, int(local)]
    out = torch.ops.surgrad.layer(
        P, *source, recurrent, *begin, lengths,
        onward.detach() if onward is not None and learning else None,
        [*sequence, pack.padded(size), *kind], wanted, _curve(spike),
    )  # fmt: skip

    def shaped(place: int) -> Tensor:
        value = out[place]
        if value.numel() == 0:
            return value
        value = value[..., :size]
        if images:
            return value.unflatten(-1, (*features[1:], features[0])).movedim(-1, -3)
        return value.unflatten(-1, features)

    # losses reduce over the time of a read-out, which is slow where its rows do not touch
    v = shaped(POTENTIALS) if spiking else shaped(POTENTIALS).contiguous()
    scan = Scan(shaped(SPIKES) if spiking else v, v, NeuronState(*map(shaped, (X, S, I, HOLD))))
    events = None
    if onward is not None or spread:
        carrier = out[CARRIER] if learning else None
        shape = (*sequence, *features)
        events = Events(out[STARTS], out[STOPS], out[UNITS], shape, carrier, images)
    return Outcome(scan, shaped(COUNTS) if spiking else None, events)


def _packed(state: NeuronState | None) -> list[Tensor | None]:
    """The components of a state, with one padded axis for all features."""
    if state is None:
        return [None] * 4
    flat = [pack.features_flat(part, 1 if place else 2) for place, part in enumerate(state)]
    return [pack.last_axis(part) for part in flat]


def _ordered(entry: Tensor, features: torch.Size) -> Tensor:
    """A coefficient of each neuron of an image, channel last."""
    return entry if entry.numel() == 1 else entry.expand(features).movedim(0, -1)


def _bits(flags: tuple[bool, ...]) -> int:
    return sum(1 << k for k, flag in enumerate(flags) if flag)


def _curve(spike: SpikeFunction | None) -> list[float]:
    if not isinstance(spike, Surrogate | Soft):
        return [0.0, 1.0, 1.0]
    row = spike.derivative
    area = spike.area if isinstance(spike, Soft) else 1.0
    return [float(NUMBERS[row.name]), row.scale, row.gain / area]
