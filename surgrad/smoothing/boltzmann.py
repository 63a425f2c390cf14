"""A Boltzmann machine of spiking neurons, trained by event-driven contrastive divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from surgrad.errors import ArgumentError, ShapeError


@dataclass
class _Layer:
    """A layer while it samples: the steps left refractory, and what its spikes have left behind."""

    left: Tensor
    trace: Tensor

    @property
    def on(self) -> Tensor:
        """Whether each neuron has spiked within its refractory period: its binary state."""
        return (self.left > 0).to(self.trace)


class SpikingRBM(nn.Module):
    r"""Two layers of stochastic spiking neurons whose states sample from a Boltzmann distribution.

    .. math:: P(v, h) \propto e^{v^\top W h + b \cdot v + c \cdot h}

    A neuron is in the state 1 for `refractory` steps after each of its spikes. It spikes with the
    probability that makes these states samples of the distribution (Buesing et al. 2011):

    .. math:: p = \sigma(u - \log t_{ref}), \qquad u = W h + b

    Learning is a rule for pairs of spikes, gated by the phase: while the data drive the visible
    neurons, each spike adds to its weight the trace of the other side's spikes; while the network
    runs freely, it takes it away.

    .. math:: \dot W = \eta\, g(t)\, \big( s_v(t)\, \bar s_h(t) + \bar s_v(t)\, s_h(t) \big),
        \qquad g = +1, -1

    Args:
        visible: the number of visible neurons, labels included.
        hidden: the number of hidden neurons.
        refractory: steps.
        window: the time constant of the traces in steps.
        burn_in: the steps of each phase in which the gate is 0.
        steps: the steps of each phase in which it is not.
        scale: the standard deviation of the weights at the start.

    Raises:
        ArgumentError: if a number is not positive, or the burn-in is negative.

    Example:
        >>> machine, data = SpikingRBM(4, 6), torch.ones(2, 4)
        >>> machine.gradients(data, torch.Generator().manual_seed(0)).shape
        torch.Size([])
        >>> machine.weight.grad.shape, machine.free_energy(data).shape
        (torch.Size([6, 4]), torch.Size([2]))

    References: E. Neftci, S. Das, B. Pedroni, K. Kreutz-Delgado, G. Cauwenberghs, Frontiers in
        Neuroscience 7 (2014), eqs. 9 to 13; L. Buesing et al., PLoS Comput. Biol. 7 (2011).
        Differs from the first in that the neurons are those of the second, in time steps, not LIF
        neurons with noise.
    """

    def __init__(
        self,
        visible: int,
        hidden: int,
        *,
        refractory: int = 4,
        window: float = 4.0,
        burn_in: int = 12,
        steps: int = 24,
        scale: float = 0.05,
    ) -> None:
        super().__init__()
        numbers = {"visible": visible, "hidden": hidden, "refractory": refractory}
        for name, value in (numbers | {"window": window, "steps": steps, "scale": scale}).items():
            if not 0 < value < math.inf:
                raise ArgumentError(f"{name} of SpikingRBM", got=value, expected="more than 0")
        if burn_in < 0:
            raise ArgumentError("burn_in of SpikingRBM", got=burn_in, expected="0 or more")
        self.refractory, self.window, self.burn_in, self.steps = refractory, window, burn_in, steps
        self.weight = nn.Parameter(scale * torch.randn(hidden, visible))
        self.visible = nn.Parameter(torch.zeros(visible))
        self.hidden = nn.Parameter(torch.zeros(hidden))

    @torch.no_grad()
    def gradients(self, data: Tensor, generator: torch.Generator) -> Tensor:
        """Add to `p.grad` what event-driven contrastive divergence takes away, as of a loss.

        Args:
            data: probabilities of the visible neurons to be on, in [0, 1], `(batch, visible)`.
            generator: draws the spikes.

        Returns:
            the mean squared difference of the data and the visible rates of the free phase.

        Raises:
            ShapeError: if the data are of another width.
        """
        self._check(data)
        v, h = self._rest(data, self.visible), self._rest(data, self.hidden)
        reconstruction = torch.zeros_like(data)
        for phase, clamped in ((-1.0, data), (1.0, None)):
            for step in range(self.burn_in + self.steps):
                gate = 0.0 if step < self.burn_in else phase / (self.steps * len(data))
                spikes = self._advance(v, h, clamped, generator)
                self._learn(v, h, spikes, gate)
                if clamped is None and gate:
                    reconstruction += v.on / self.steps
        return (reconstruction - data).square().mean()

    @torch.no_grad()
    def complete(
        self, data: Tensor, known: Tensor, generator: torch.Generator, steps: int = 60
    ) -> Tensor:
        """The share of time in which each visible neuron is on, while some of them are clamped.

        Args:
            data: as for `gradients`; what is not known does not matter.
            known: bool `(visible,)`, which neurons the data drive.
            generator: draws the spikes.
            steps: that count, after the burn-in.

        Returns:
            in [0, 1], `(batch, visible)`.

        Raises:
            ShapeError: if the data are of another width.
        """
        self._check(data)
        v, h = self._rest(data, self.visible), self._rest(data, self.hidden)
        total = torch.zeros_like(data)
        for step in range(self.burn_in + steps):
            self._advance(v, h, data, generator, known)
            if step >= self.burn_in:
                total += v.on / steps
        return total

    def free_energy(self, visible: Tensor) -> Tensor:
        r"""Minus the log probability of visible states, but for a constant, `(batch,)`.

        .. math:: F(v) = -b \cdot v - \sum_i \log \big( 1 + e^{(W v + c)_i} \big)

        Args:
            visible: 0 or 1, `(batch, visible)`.
        """
        self._check(visible)
        drive = torch.addmm(self.hidden, visible, self.weight.t())
        return -visible @ self.visible - torch.nn.functional.softplus(drive).sum(1)

    def _check(self, data: Tensor) -> None:
        if data.dim() != 2 or data.shape[1] != len(self.visible):
            expected = f"(batch, {len(self.visible)})"
            raise ShapeError("data of SpikingRBM", got=tuple(data.shape), expected=expected)

    @staticmethod
    def _rest(data: Tensor, like: Tensor) -> _Layer:
        zero = data.new_zeros(len(data), len(like))
        return _Layer(zero, zero.clone())

    def _advance(
        self,
        v: _Layer,
        h: _Layer,
        clamped: Tensor | None,
        generator: torch.Generator,
        known: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step of both layers; their spikes."""
        drive = torch.addmm(self.visible, h.on, self.weight)
        if clamped is not None:
            data = torch.logit(clamped.clamp(1e-3, 1 - 1e-3))
            drive = data if known is None else data.where(known, drive)
        spikes = []
        for layer, u in ((v, drive), (h, torch.addmm(self.hidden, v.on, self.weight.t()))):
            free = layer.left <= 1
            chance = torch.sigmoid(u - math.log(self.refractory))
            fired = (torch.rand(u.shape, generator=generator) < chance) & free
            layer.left = torch.where(fired, float(self.refractory), (layer.left - 1).clamp(min=0))
            spikes.append(fired.to(u))
        return spikes[0], spikes[1]

    def _learn(self, v: _Layer, h: _Layer, spikes: tuple[Tensor, Tensor], gate: float) -> None:
        decay = math.exp(-1 / self.window)
        if gate:
            pairs = (
                (self.weight, spikes[1].t() @ v.trace + h.trace.t() @ spikes[0]),
                (self.visible, self.refractory * spikes[0].sum(0)),
                (self.hidden, self.refractory * spikes[1].sum(0)),
            )
            for parameter, change in pairs:
                grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = grad.add_(change, alpha=gate)
        for layer, fired in zip((v, h), spikes, strict=True):
            layer.trace = decay * layer.trace + fired
