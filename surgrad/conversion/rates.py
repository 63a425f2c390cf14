"""f–I curves: the rate of a neuron under a constant current, to train with and to run as spikes."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from surgrad.conversion.modules import Gain
from surgrad.errors import ArgumentError
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF
from surgrad.objectives.checks import positive

# in units of γ; the two forms differ by e^-20 there
FAR = 20.0


def lif_rate(current: Tensor, tau_mem: float, refractory: float, threshold: float = 1.0) -> Tensor:
    r"""The rate of a LIF neuron in hertz.

    .. math:: r(I) = \Big[ t_{ref} + \tau_{mem} \log \frac{I}{I - \vartheta} \Big]^{-1},
        \quad I > \vartheta

    Args:
        current: I, the potential that the membrane would come to rest at; any shape.
        tau_mem: seconds.
        refractory: seconds.
        threshold: ϑ.

    Example:
        >>> lif_rate(torch.tensor([0.9, 2.0]), tau_mem=20e-3, refractory=2e-3)
        tensor([ 0.0000, 63.0400])
    """
    inside = current > threshold
    above = (current - threshold).where(inside, torch.ones_like(current))
    return (1 / (refractory + tau_mem * torch.log1p(threshold / above))).where(inside, 0.0)


def soft_lif_rate(
    current: Tensor,
    tau_mem: float,
    refractory: float,
    threshold: float = 1.0,
    gamma: float = 0.02,
) -> Tensor:
    r"""The same, with a smooth corner, so that its derivative is bounded.

    .. math:: (I - \vartheta) \to \gamma \log \big( 1 + e^{(I - \vartheta) / \gamma} \big)

    Args:
        current: I.
        tau_mem: seconds.
        refractory: seconds.
        threshold: ϑ.
        gamma: how smooth; towards 0 it is `lif_rate`.

    References: E. Hunsberger & C. Eliasmith 2015, arXiv 1510.08829, eq. 4.
    """
    u = (current - threshold) / gamma
    # far below, log(1 + ϑ / j) is log(ϑ / j), and log j is known without j, which would underflow
    below = u < -FAR
    near = torch.log1p(threshold / (gamma * softplus(u.where(~below, 0.0))))
    charging = near.where(~below, math.log(threshold / gamma) - u)
    return 1 / (refractory + tau_mem * charging)


class SoftLIF(nn.Module):
    """The soft-LIF rate as an activation, in units of `peak` hertz.

    Args:
        tau_mem: seconds.
        gamma: how smooth the corner is.
        peak: the rate that is an activation of one, in hertz.
        noise: the standard deviation of noise on the activation in training, which makes a network
            bear that spikes come one by one.

    Raises:
        ArgumentError: if a constant is not positive.

    References: E. Hunsberger & C. Eliasmith 2015, sections 3.1 and 3.2. Differs from it in that
        there is no refractory period.
    """

    def __init__(
        self,
        tau_mem: float = 20e-3,
        *,
        gamma: float = 0.03,
        peak: float = 100.0,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.tau_mem, self.gamma, self.peak, self.noise = tau_mem, gamma, peak, noise
        positive(self, "tau_mem", "gamma", "peak")

    def forward(self, current: Tensor) -> Tensor:
        """The rate over `peak`, of the shape of the current."""
        rate = soft_lif_rate(current, self.tau_mem, 0.0, 1.0, self.gamma) / self.peak
        if self.training and self.noise:
            rate = rate + self.noise * torch.randn_like(rate)
        return rate


def to_lif(net: nn.Sequential, *, dt: float = 1e-3, tau_syn: float = 10e-3) -> Sequential:
    r"""The spiking network of a trained one with `SoftLIF` activations.

    Each activation becomes LIF neurons of the same constants, with a synapse behind them that
    smoothes their spikes: its potential, whose mean over time is the activation, is what the next
    layer gets. The input is a constant current, the analogue network's own, in every step; the
    mean of the output over time approaches the logits.

    Args:
        net: layers of `torch.nn` that act on each step alike, and `SoftLIF`. It is not changed.
        dt: the width of a step in seconds; of the order of a tenth of τ_mem or less.
        tau_syn: the time constant of the synapses in seconds.

    Raises:
        ArgumentError: if there is no `SoftLIF`.

    Example:
        >>> spiking = to_lif(nn.Sequential(nn.Linear(4, 8), SoftLIF(), nn.Linear(8, 2)))
        >>> spiking.run(torch.rand(1, 3, 4).expand(100, 3, 4))[0].shape
        torch.Size([100, 3, 2])
    """
    modules: list[nn.Module] = []
    for module in net:
        if not isinstance(module, SoftLIF):
            modules.append(copy.deepcopy(module))
            continue
        # a constant input i takes the membrane to i / (1 - β)
        modules.append(Gain(-math.expm1(-dt / module.tau_mem)))
        modules.append(LIF(tau_mem=module.tau_mem, delay=0))
        modules.append(LI(tau_mem=tau_syn, delay=0))
        modules.append(Gain(-math.expm1(-dt / tau_syn) / (module.peak * dt)))
    if len(modules) == len(net):
        raise ArgumentError("network for to_lif", got="no SoftLIF", expected="at least one")
    return Sequential(*modules, dt=dt, input_rate=None).eval()
