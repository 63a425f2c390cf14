r"""The definition of a layer of neurons: the paper's recursion, in plain torch.

.. math::
    x[n] = m[n] \odot (A\, x[n-1] + b\,(i[n-d] + V s[n-1])) + r\, s[n-1], \qquad
    s[n] = \Theta(c \cdot x[n] - \vartheta)

Every faster implementation is a claim about this one.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from surgrad.spikes import SpikeFunction
from surgrad.tableau import Entry


class Dynamics(Protocol):
    """How the state of a neuron goes on: a `Tableau`, or what has no linear system."""

    @property
    def order(self) -> int:
        """The number of state components."""
        ...

    @property
    def delay(self) -> int:
        """The steps after which an input acts."""
        ...

    @property
    def theta(self) -> Entry:
        """The threshold."""
        ...

    def to(self, like: Tensor) -> Self:
        """With numbers of the dtype and on the device of `like`."""
        ...

    def advance(self, x: list[Tensor], i: Tensor, s: Tensor, /) -> list[Tensor]:
        """The state one step later; see `Tableau.advance`."""
        ...

    def membrane(self, x: list[Tensor]) -> Tensor:
        """The membrane potential, `(batch, *features)`."""
        ...


class NeuronState(NamedTuple):
    """All that a layer of neurons carries from one step to the next.

    Attributes:
        x: the K state components, `(K, batch, *features)`.
        s: the last spikes, `(batch, *features)`.
        i: the last feed-forward current, which acts next where the delay is one step.
        hold: the steps for which a neuron is still refractory.
    """

    x: Tensor
    s: Tensor
    i: Tensor
    hold: Tensor

    def detach(self) -> NeuronState:
        """The same values, cut off from the graph."""
        return NeuronState(*(value.detach() for value in self))


class Scan(NamedTuple):
    """What a layer did.

    Attributes:
        output: spikes, or the membrane potential of a read-out, `(time, batch, *features)`.
        v: the membrane potential `c · x`, of the same shape.
        state: the state after the last valid step.
    """

    output: Tensor
    v: Tensor
    state: NeuronState


def rest(tableau: Dynamics, like: Tensor) -> NeuronState:
    """The state of neurons at rest; `like` is one step of current, `(batch, *features)`."""
    zero = torch.zeros_like(like)
    return NeuronState(like.new_zeros(tableau.order, *like.shape), zero, zero, zero)


def scan(
    tableau: Dynamics,
    spike: SpikeFunction | None,
    current: Tensor,
    state: NeuronState,
    *,
    recurrent: Tensor | None = None,
    lengths: Tensor | None = None,
    refractory: int = 0,
    local: bool = False,
) -> Scan:
    """Run a layer of neurons over a current.

    Args:
        tableau: the neuron's dynamics.
        spike: the spike function; None for a read-out, whose output is `c · x` itself.
        current: the feed-forward current, `(time, batch, *features)`.
        state: where to begin.
        recurrent: the weights `V` from the layer to itself, `(features, features)`, post × pre.
        lengths: valid steps `(batch,)`; a sample's state is held and its output 0 beyond them.
        refractory: the steps after a spike in which a neuron cannot spike.
        local: whether the gradient goes to `V` and not through it to the spikes.
    """
    tableau = tableau.to(current)
    x, (s, pending, hold) = list(state.x.unbind(0)), state[1:]
    outputs, potentials = [], []
    for n, arriving in enumerate(current.unbind(0)):
        drive = pending if tableau.delay else arriving
        if recurrent is not None:
            sent = s.detach() if local else s
            drive = drive + torch.nn.functional.linear(sent, recurrent)
        new_x = tableau.advance(x, drive, s)
        v = tableau.membrane(new_x)
        new_s, new_hold = _fire(spike, v - tableau.theta, hold, refractory)
        if lengths is not None:
            valid = (n < lengths).view(-1, *(1,) * (v.dim() - 1))
            new_x = [torch.where(valid, new, old) for new, old in zip(new_x, x, strict=True)]
            arriving = torch.where(valid, arriving, pending)
            new_hold = torch.where(valid, new_hold, hold)
            v = torch.where(valid, v, 0.0)
            outputs.append(torch.where(valid, new_s, 0.0) if spike else v)
            new_s = torch.where(valid, new_s, s)
        else:
            outputs.append(new_s if spike else v)
        x, s, pending, hold = new_x, new_s, arriving, new_hold
        potentials.append(v)
    empty = current.new_zeros(current.shape)
    return Scan(
        torch.stack(outputs) if outputs else empty,
        torch.stack(potentials) if potentials else empty,
        NeuronState(torch.stack(x), s, pending, hold),
    )


def _fire(
    spike: SpikeFunction | None, v: Tensor, hold: Tensor, refractory: int
) -> tuple[Tensor, Tensor]:
    if spike is None:
        return torch.zeros_like(v), hold
    s = spike(v)
    if not refractory:
        return s, hold
    s = s * (hold <= 0)
    return s, torch.where(s.detach() > 0.5, float(refractory), hold - 1)
