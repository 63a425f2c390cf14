"""Layers that run from event to event: several spikes a neuron, recurrent weights, delays."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from surgrad.errors import ArgumentError, ShapeError
from surgrad.timing.eventprop.readout import Readout
from surgrad.timing.eventprop.simulate import Neurons, spike_times


class _Synapses(nn.Module):
    """Weights and delays from every input to every neuron."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        neurons: Neurons,
        delay: float | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ArgumentError(
                "size of a layer of events", got=(in_features, out_features), expected="1 or more"
            )
        self.in_features, self.out_features = in_features, out_features
        self.neurons, self.dtype = neurons, dtype
        self.weight = self._parameter(out_features, in_features)
        self.delay = None
        if delay is not None:
            self.delay = self._delays(delay, out_features, in_features)

    def _parameter(self, *shape: int) -> nn.Parameter:
        return nn.Parameter(torch.zeros(shape, dtype=self.dtype))

    def _delays(self, longest: float, *shape: int) -> nn.Parameter:
        if not 0 <= longest < math.inf:
            raise ArgumentError("delay", got=longest, expected="seconds, 0 or more")
        return nn.Parameter(torch.rand(shape, dtype=self.dtype) * longest)

    def reset(self, mean: float, std: float, generator: torch.Generator | None = None) -> None:
        """Draw the weights from inputs anew from a normal distribution.

        Args:
            mean: of the weights, in units of the threshold.
            std: their standard deviation, in the same.
            generator: for reproducible draws.
        """
        nn.init.normal_(self.weight, mean, std, generator=generator)

    def _given(self, times: Tensor) -> Tensor:
        times = times[..., None] if times.dim() == 2 else times
        if times.dim() != 3 or times.shape[1] != self.in_features:
            raise ShapeError(
                "spike times",
                got=f"shape {tuple(times.shape)}",
                expected=f"(batch, {self.in_features}[, spikes])",
            )
        return times.to(self.weight.dtype)


class EventLIF(_Synapses):
    r"""Current-based LIF neurons in continuous time, each with as many spikes as it has.

    .. math::
        \tau_m \dot V = -V + I, \qquad \tau_s \dot I = -I + \tau_s \sum_j w_{ij}
        \sum_k \delta(t - t_{jk} - d_{ij}), \qquad V = \vartheta: V \to 0

    Spike times are exact to rounding, and their gradient is EventProp's. Delays that training
    makes negative count as 0.

    Args:
        in_features: the number of inputs.
        out_features: the number of neurons.
        tau_mem: membrane time constant in seconds.
        tau_syn: synaptic time constant in seconds.
        threshold: ϑ.
        until: when the layer stops, in seconds; needed where it is recurrent.
        recurrent: whether it has weights onto itself, which begin at zero.
        delay: the longest delay of a synapse at the start, in seconds; they are learned. None for
            no delays.
        longest_rise: the bound of ϑ / V̇ in the gradient, in seconds.
        dtype: of the weights and of the times that come out.

    Example:
        >>> layer = EventLIF(1, 1, tau_mem=2.0, tau_syn=1.0, dtype=torch.float64)
        >>> layer.reset(10.0, 0.0)
        >>> layer(torch.zeros(1, 1, dtype=torch.float64)).shape  # (batch, neurons, spikes)
        torch.Size([1, 1, 3])

    Raises:
        ArgumentError: if a size, a constant or a delay is out of bounds, or a recurrent layer has
            no end.
        ShapeError: if the number of inputs is another.
        EventError: if a time is negative or not a number, or a neuron spikes too often.

    References: Wunderlich & Pehle 2021; Mészáros, Knight, Wunderlich & Nowotny 2025 for delays.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        tau_mem: float = 20e-3,
        tau_syn: float = 5e-3,
        threshold: float = 1.0,
        until: float = math.inf,
        recurrent: bool = False,
        delay: float | None = None,
        longest_rise: float = 1.0,
        dtype: torch.dtype | None = None,
    ) -> None:
        neurons = Neurons(tau_mem, tau_syn, threshold, until, longest_rise)
        super().__init__(in_features, out_features, neurons, delay, dtype)
        self.recurrent = self.recurrent_delay = None
        if recurrent:
            self.recurrent = self._parameter(out_features, out_features)
            if delay is not None:
                self.recurrent_delay = self._delays(delay, out_features, out_features)

    def forward(self, times: Tensor) -> Tensor:
        """The spikes in seconds, `(batch, out_features, spikes)`, infinite where there is none.

        Losses of first spikes, such as `losses.first_spike_time`, take `times[None, ..., 0]`.

        Args:
            times: of the input in seconds, `(batch, in_features, spikes)` or one spike each,
                `(batch, in_features)`.
        """
        given = self._given(times)
        delays = [None if d is None else d.clamp(min=0) for d in (self.delay, self.recurrent_delay)]
        return spike_times(
            given,
            self.weight,
            self.neurons,
            delay=delays[0],
            recurrent=self.recurrent,
            recurrent_delay=delays[1],
        )


class EventLI(_Synapses):
    r"""The same membrane without a threshold: a read-out that is a function of spike times.

    Args:
        in_features: the number of inputs.
        out_features: the number of units.
        tau_mem: membrane time constant in seconds.
        tau_syn: synaptic time constant in seconds.
        delay: as of `EventLIF`.
        dtype: of the weights.

    Raises:
        ArgumentError: if a size, a constant or a delay is out of bounds.
        ShapeError: if the number of inputs is another.

    Example:
        >>> layer = EventLI(2, 3)
        >>> layer(torch.zeros(4, 2)).maximum().shape
        torch.Size([4, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        tau_mem: float = 20e-3,
        tau_syn: float = 5e-3,
        delay: float | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, Neurons(tau_mem, tau_syn), delay, dtype)

    def forward(self, times: Tensor) -> Readout:
        """The potential: `maximum(until)`, `integral(until)` or `at(time)`."""
        delay = None if self.delay is None else self.delay.clamp(min=0)
        neurons = self.neurons
        return Readout(self._given(times), self.weight, neurons.tau_mem, neurons.tau_syn, delay)


def train_distance(times: Tensor, targets: Tensor, tau: float) -> Tensor:
    r"""The squared van Rossum distance of spike trains given as times, the mean over samples.

    .. math:: D^2 = \tfrac12 \sum_{a, b} s_a s_b\, e^{-|t_a - t_b| / \tau}

    over the spikes of both trains of a neuron, with the sign `s` that says of which; two that lie
    apart by δ cost :math:`1 - e^{-\delta / \tau}`.

    Args:
        times: of the output in seconds, `(batch, neurons, spikes)`, infinite where there is none.
        targets: those wanted, `(batch, neurons, spikes)`.
        tau: the decay of the kernel, in seconds.

    Example:
        >>> train_distance(torch.tensor([[[0.0]]]), torch.tensor([[[1.0]]]), tau=1.0)
        tensor(0.6321)
    """
    both = torch.cat([times, targets.to(times)], dim=2)
    there = both.isfinite()
    sign = torch.ones_like(both)
    sign[..., times.shape[2] :] = -1
    weight = torch.where(there, sign, 0.0)
    finite = torch.where(there, both, 0.0)
    apart = (finite[..., :, None] - finite[..., None, :]).abs()
    overlap = torch.exp(-apart / tau) * weight[..., :, None] * weight[..., None, :]
    return 0.5 * overlap.sum((1, 2, 3)).mean()
