"""The same small network in continuous time and on a grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surgrad.events import SpikeTrain
from surgrad.network import Sequential
from surgrad.neurons import CuBaLI, CuBaLIF
from surgrad.timing.eventprop import EventLI, EventLIF

F64 = torch.float64
TAU_MEM, TAU_SYN, END = 20e-3, 8e-3, 50e-3
INPUTS, HIDDEN, CLASSES, SAMPLES = 4, 5, 3, 2


def drawn(seed: int, *, recurrent: bool = True) -> tuple[EventLIF, EventLI, Tensor, Tensor]:
    """Layers, input times on whole steps of 0.4 ms, and labels."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=F64)

    hidden, out = empty(1, recurrent=recurrent)
    with torch.no_grad():
        hidden.weight.copy_(2.0 + normal(HIDDEN, INPUTS))
        out.weight.copy_(2 * normal(CLASSES, HIDDEN))
        if hidden.recurrent is not None:
            hidden.recurrent.copy_(0.5 * normal(HIDDEN, HIDDEN))
    steps = torch.randint(1, 50, (SAMPLES, INPUTS), generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    return hidden, out, steps * 4e-4, labels


def empty(count: int, *, recurrent: bool) -> tuple[EventLIF, EventLI]:
    """Layers for so many networks side by side."""
    options = {"tau_mem": TAU_MEM, "tau_syn": TAU_SYN, "dtype": F64}
    sizes = count * INPUTS, count * HIDDEN
    hidden = EventLIF(*sizes, until=END, recurrent=recurrent, longest_rise=1e6, **options)
    return hidden, EventLI(sizes[1], CLASSES, **options)


def side_by_side(
    seeds: tuple[int, ...], *, recurrent: bool
) -> tuple[EventLIF, EventLI, Tensor, Tensor]:
    """Networks of `drawn` in blocks of one; the samples of each leave the other blocks silent."""
    parts = [drawn(seed, recurrent=recurrent) for seed in seeds]
    hidden, out = empty(len(parts), recurrent=recurrent)
    with torch.no_grad():
        hidden.weight.copy_(torch.block_diag(*(part[0].weight for part in parts)))
        out.weight.copy_(torch.cat([part[1].weight for part in parts], 1))
        if hidden.recurrent is not None:
            hidden.recurrent.copy_(torch.block_diag(*(part[0].recurrent for part in parts)))
    own = torch.block_diag(*(torch.ones(SAMPLES, INPUTS) for _ in parts)) > 0
    times = torch.where(own, torch.block_diag(*(part[2] for part in parts)), torch.inf)
    return hidden, out, times, torch.cat([part[3] for part in parts])


def blocks(hidden: EventLIF, values: list[Tensor]) -> Tensor:
    """Of what belongs to each weight, as `weights` has them, a row for each network."""
    count = len(hidden.weight) // HIDDEN
    by_neuron = [values[0], values[1].t(), *values[2:]]
    return torch.cat([value.reshape(count, -1) for value in by_neuron], 1)


def on_grid(hidden: EventLIF, out: EventLI, dt: float, **options) -> Sequential:
    """The network that becomes this one as the steps shrink: weights count per step."""
    recurrent = hidden.recurrent is not None
    constants = {"tau_mem": TAU_MEM, "tau_syn": TAU_SYN}
    size, inputs = hidden.weight.shape
    net = Sequential(
        nn.Linear(inputs, size, bias=False),
        CuBaLIF(size, recurrent=recurrent, **constants, **options),
        nn.Linear(size, CLASSES, bias=False),
        CuBaLI(CLASSES, **constants),
        dt=dt,
    ).double()
    pairs = zip(matrices(net), weights(hidden, out), strict=True)
    with torch.no_grad():
        for matrix, weight in pairs:
            matrix.copy_(weight * dt / TAU_MEM)
    return net


def matrices(net: Sequential) -> list[nn.Parameter]:
    """Of a grid network: input, read-out, recurrent weights."""
    own = dict(net.named_parameters()).get("1.recurrent.weight")
    found = [net[0].get_parameter("weight"), net[2].get_parameter("weight")]
    return found if own is None else [*found, own]


def weights(hidden: EventLIF, out: EventLI) -> list[nn.Parameter]:
    """The same of an event-driven one."""
    found = [hidden.weight, out.weight]
    return found if hidden.recurrent is None else [*found, hidden.recurrent]


def trains(times: Tensor, dt: float) -> SpikeTrain:
    """Input times as steps of the grid; infinite ones are no spikes."""
    samples, units = times.shape
    at, unit = times.isfinite().nonzero().unbind(1)
    return SpikeTrain.from_times(
        times[at, unit] + dt / 10,
        unit,
        at,
        dt=dt,
        time=round(END / dt),
        features=(units,),
        batch=samples,
    )
