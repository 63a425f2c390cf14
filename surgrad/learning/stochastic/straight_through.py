"""Straight-through gradients: spikes by chance, differentiated as if each were its mean."""

from __future__ import annotations

from dataclasses import dataclass

from surgrad.learning.base import EVERYTHING, Need, Result, Rule, stepped
from surgrad.learning.bptt import BPTT
from surgrad.learning.stochastic.base import stochastic
from surgrad.network import Network
from surgrad.objectives import Loss, Objective


@dataclass(frozen=True)
class StraightThrough(Rule):
    r"""Back-propagation through time through spikes drawn by chance, as if each were its mean.

    .. math:: \frac{\partial S}{\partial v} := p'(v)

    Biased but for linear losses of one layer, of low variance; with the escape function's
    derivative it is what a surrogate gradient is in a network without noise.

    Example:
        >>> import torch
        >>> from surgrad.network import Sequential
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> from surgrad.spikes import SigmoidEscape, Stochastic
        >>> spike = Stochastic(SigmoidEscape(10), torch.Generator().manual_seed(0))
        >>> layers = torch.nn.Linear(3, 8), LIF(8), torch.nn.Linear(8, 2), LI(2)
        >>> net = Sequential(*layers, dt=1e-3, spike=spike)
        >>> batch = torch.ones(10, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = StraightThrough().gradients(net, batch, losses.max_over_time)
        >>> all(p.grad is not None for p in net.parameters())
        True

    References: Bengio, Léonard & Courville 2013; Gygax & Zenke 2025.
    """

    stochastic = True
    exact_when = "never; in expectation for a loss linear in the spikes of one layer"

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return EVERYTHING

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        for stage in stepped(net, self).stages:
            if stage.neuron.spiking:
                stochastic(stage, type(self).__name__)
        return BPTT().gradients(net, batch, loss)
