"""Gated synapses: the current of a spike flows while the membrane passes a gate."""

from __future__ import annotations

from typing import ClassVar, Unpack

import torch
from torch import Tensor
from torch.nn.functional import linear

from surgrad.errors import ArgumentError
from surgrad.kernels.scan import NeuronState, Scan, rest
from surgrad.neurons import LIF
from surgrad.neurons.base import Reset, Size, SpikingOptions
from surgrad.neurons.parameters import Value


class GatedLIF(LIF):
    r"""A LIF neuron whose synapses are driven by the motion of its membrane through a gate.

    .. math:: s[n] = \int_{U[n-1]}^{U[n]} g(u)\, du, \qquad \int_0^\vartheta g(u)\, du = 1

    The gate `g` is a parabola that fills the share `width` of the way to the threshold, just below
    it. A membrane that climbs from rest to the threshold, and is reset there, has emitted one in
    all, a little in each step of its way through the gate, and takes some back where it falls. The
    output is thus a smooth function of the membrane, and becomes a spike as the gate narrows. The
    reset, by subtraction, moves the membrane from one end of the gate's period to the other, and is
    no jump of the output. What the leak loses does jump there, by the share of the threshold that
    leaks in a step: without a leak the whole network is smooth.

    In evaluation mode the gate is closed but for the threshold: the neuron is a LIF with spikes.

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant in seconds.
        width: of the gate, as a share of the threshold, in (0, 1].
        harden: whether evaluation mode has spikes.
        options: see `SpikingOptions`; the reset subtracts, and there is no refractory period.

    Raises:
        ArgumentError: if the width is not in (0, 1], or there is another reset or a refractory
            period.

    Example:
        >>> neuron = GatedLIF(1, tau_mem=1.0, width=0.5, dt=1e-3, delay=0)
        >>> current = torch.full((5, 1, 1), 0.3)
        >>> neuron(current)[0].flatten().detach().round(decimals=1)
        tensor([0.0000, 0.1000, 0.8000, 0.1000, 0.0000])
        >>> neuron.eval()(current)[0].flatten()
        tensor([0., 0., 0., 1., 0.])

    References: D. Huh & T. J. Sejnowski, NeurIPS 2018, arXiv 1706.04698, eqs. 3 to 5. Differs from
        it in that the synapse's own decay is that of the neurons behind it.
    """

    resets: ClassVar[tuple[Reset, ...]] = ("subtract",)

    def __init__(
        self,
        size: Size = None,
        *,
        tau_mem: Value = 20e-3,
        width: float = 0.5,
        harden: bool = True,
        **options: Unpack[SpikingOptions],
    ) -> None:
        super().__init__(size, tau_mem=tau_mem, **options)
        if not 0 < width <= 1:
            raise ArgumentError("width of GatedLIF", got=width, expected="more than 0, at most 1")
        if self.refractory:
            raise ArgumentError("refractory of GatedLIF", got=self.refractory, expected="none")
        self.width, self.harden = width, harden

    def gate(self, u: Tensor) -> Tensor:
        """What has passed the gate at the potential `u`, in thresholds: from 0 to 1."""
        if self.harden and not self.training:
            return (u >= 1).to(u)
        x = ((u - (1 - self.width)) / self.width).clamp(0, 1)
        return x * x * (3 - 2 * x)

    def run(
        self, current: Tensor, state: NeuronState | None = None, *, lengths: Tensor | None = None
    ) -> Scan:
        """See `Neuron.run`; the output is what each step has emitted."""
        self._check(current, lengths)
        tableau = self.tableau().to(current)
        state = rest(tableau, current.new_zeros(current.shape[1:])) if state is None else state
        u, s, pending = state.x[0], state.s, state.i
        decay, theta = tableau.A[0][0], self.threshold().to(current)
        outputs, potentials = [], []
        for n, arriving in enumerate(current.unbind(0)):
            drive = pending if self.delay else arriving
            if self.recurrent is not None:
                drive = drive + linear(s, self.recurrent.weight)
            charged = decay * u + drive
            laps = (charged.detach() / theta.detach()).floor().clamp(min=0)
            after = charged - laps * theta
            emitted = laps + self.gate(after / theta) - self.gate(u / theta)
            before = s
            s = emitted
            if lengths is not None:
                valid = (n < lengths).view(-1, *(1,) * (u.dim() - 1))
                after, arriving = after.where(valid, u), arriving.where(valid, pending)
                s = emitted.where(valid, before)
                charged, emitted = charged.where(valid, 0.0), emitted.where(valid, 0.0)
            outputs.append(emitted)
            potentials.append(charged)
            u, pending = after, arriving
        kept = NeuronState(u.unsqueeze(0), s, pending, state.hold)
        if not outputs:
            return Scan(torch.zeros_like(current), torch.zeros_like(current), kept)
        return Scan(torch.stack(outputs), torch.stack(potentials), kept)
