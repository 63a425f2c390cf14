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

    options = {"tau_mem": TAU_MEM, "tau_syn": TAU_SYN, "dtype": F64}
    hidden = EventLIF(INPUTS, HIDDEN, until=END, recurrent=recurrent, longest_rise=1e6, **options)
    out = EventLI(HIDDEN, CLASSES, **options)
    with torch.no_grad():
        hidden.weight.copy_(2.0 + normal(HIDDEN, INPUTS))
        out.weight.copy_(2 * normal(CLASSES, HIDDEN))
        if hidden.recurrent is not None:
            hidden.recurrent.copy_(0.5 * normal(HIDDEN, HIDDEN))
    steps = torch.randint(1, 50, (SAMPLES, INPUTS), generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    return hidden, out, steps * 4e-4, labels


def on_grid(hidden: EventLIF, out: EventLI, dt: float, **options) -> Sequential:
    """The network that becomes this one as the steps shrink: weights count per step."""
    recurrent = hidden.recurrent is not None
    constants = {"tau_mem": TAU_MEM, "tau_syn": TAU_SYN}
    net = Sequential(
        nn.Linear(INPUTS, HIDDEN, bias=False),
        CuBaLIF(HIDDEN, recurrent=recurrent, **constants, **options),
        nn.Linear(HIDDEN, CLASSES, bias=False),
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
    """Input times as steps of the grid."""
    samples, units = times.shape
    return SpikeTrain.from_times(
        times.flatten() + dt / 10,
        torch.arange(units).repeat(samples),
        torch.arange(samples).repeat_interleave(units),
        dt=dt,
        time=round(END / dt),
        features=(units,),
        batch=samples,
    )
