"""Layers of neurons that spike once: spike times in, spike times out."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypedDict, Unpack

import torch
from torch import Tensor, nn

from surgrad.errors import ArgumentError
from surgrad.kernels.first_spike.dynamics import Dynamics, Model
from surgrad.kernels.first_spike.op import first_spike
from surgrad.neurons import Population


class LayerOptions(TypedDict, total=False):
    """The further keyword arguments of a layer; see `SpikeTimeLayer`."""

    tau: float
    threshold: float
    drive: float
    spread: float
    floor: float
    dtype: torch.dtype | None


class SpikeTimeLayer(Population):
    r"""All-to-all connections and neurons of which only the first spike counts.

    .. math:: U_i(t) = \sum_j w_{ij}\, \kappa(t - t_j), \qquad t_i = \min \{t : U_i(t) = \vartheta\}

    The spike times are exact, and so is their gradient, by the implicit function theorem. A neuron
    that does not reach its threshold spikes at infinity and has no gradient.

    Args:
        in_features: the number of inputs.
        out_features: the number of neurons.
        tau: the time constant in seconds.
        threshold: ϑ.
        drive: the mean weight at the start: what all inputs at once would raise the membrane
            potential to, in thresholds.
        spread: the standard deviation of the weights at the start: that of the same potential.
        floor: where U rises slower than this, in thresholds per τ, the gradient is cut to what it
            would be at this slope.
        dtype: of the weights, and of the times that come out.

    Raises:
        ArgumentError: if a size, a constant or the threshold is not positive.

    References: see `surgrad/kernels/first_spike/README.md` for the closed forms.
    """

    model: ClassVar[Model]
    peak: ClassVar[float]
    spiking: ClassVar[bool] = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        tau: float = 10e-3,
        threshold: float = 1.0,
        drive: float = 2.0,
        spread: float = 0.5,
        floor: float = 1e-3,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        numbers = {"in_features": in_features, "out_features": out_features, "tau": tau}
        numbers |= {"threshold": threshold, "drive": drive, "spread": spread, "floor": floor}
        for name, value in numbers.items():
            if not 0 < value < math.inf:
                raise ArgumentError(
                    f"{name} of {type(self).__name__}", got=value, expected="a positive number"
                )
        self.in_features, self.out_features = in_features, out_features
        self.tau, self.theta, self.drive, self.spread = tau, threshold, drive, spread
        self.floor = floor
        self.weight = nn.Parameter(torch.empty(self._shape(), dtype=dtype))
        self.reset(in_features)

    def _shape(self) -> tuple[int, ...]:
        return self.out_features, self.in_features

    def reset(self, spikes: float, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew.

        Args:
            spikes: how many of the inputs spike in a sample.
            generator: for reproducible draws.
        """
        paths = max(spikes, 1.0) * self.weight[0].numel() / self.in_features
        scale = self.theta / self.peak
        mean, deviation = self.drive * scale / paths, self.spread * scale / math.sqrt(paths)
        nn.init.normal_(self.weight, mean, deviation, generator=generator)

    def threshold(self) -> Tensor:
        """ϑ."""
        return torch.tensor(self.theta)

    @property
    def dynamics(self) -> Dynamics:
        """How the neurons integrate."""
        return Dynamics(self.model, self.tau, self.theta, self.floor)

    def forward(self, times: Tensor) -> Tensor:
        """The first spikes in seconds, `(batch, out_features)`, of inputs `(batch, in_features)`.

        Raises:
            ShapeError: if the number of inputs is another.
            EventError: if a time is not a number.
        """
        return first_spike(self._arrivals(times), self.weight.flatten(1), self.dynamics)

    @abstractmethod
    def kernel(self, s: Tensor) -> Tensor:
        """κ at `s`, the time since the input in units of τ, where that is positive; any shape."""

    def potential(self, times: Tensor, at: Tensor) -> Tensor:
        """U as if no neuron ever spiked, `(steps, batch, out_features)`.

        Args:
            times: of the inputs in seconds, `(batch, in_features)`.
            at: where to look, in seconds, `(steps,)`.
        """
        since = (at[:, None, None] - self._arrivals(times)) / self.tau
        response = self.kernel(since.clamp(min=0)).where(since > 0, 0.0)
        return response.to(self.weight) @ self.weight.flatten(1).t()

    def _arrivals(self, times: Tensor) -> Tensor:
        """When each synapse gets its spike, `(batch, synapses of a neuron)`."""
        return times

    def extra_repr(self) -> str:
        """What `repr` shows."""
        return f"{self.in_features}, {self.out_features}, tau={self.tau:g}"


class NonLeaky(SpikeTimeLayer):
    r"""Neurons that do not leak, behind exponential synapses.

    .. math:: \kappa(t) = 1 - e^{-t/\tau}, \qquad
        z_i = \frac{\sum_{j \in C} w_{ij} z_j}{\sum_{j \in C} w_{ij} - \vartheta},
        \quad z = e^{t/\tau}

    where `C` are the inputs before the output.

    Example:
        >>> layer = NonLeaky(2, 1, tau=1.0, dtype=torch.float64)
        >>> _ = layer.weight.data.fill_(1.0)
        >>> layer(torch.zeros(1, 2, dtype=torch.float64)).item()  # z = 2 / (2 - 1)
        0.6931471805599453

    References: H. Mostafa, IEEE TNNLS 29 (2018), arXiv 1606.08165, eqs. 5 to 12.
    """

    model = "nonleaky"
    peak = 1.0

    def kernel(self, s: Tensor) -> Tensor:
        """See `SpikeTimeLayer.kernel`."""
        return -torch.expm1(-s)


class LIFDouble(SpikeTimeLayer):
    r"""Current-based LIF neurons with a membrane twice as slow as the synapse.

    .. math:: \kappa(t) = e^{-t/2\tau} - e^{-t/\tau}

    `tau` is τ_syn. The spike time is a root of a quadratic equation in exp(-t / 2τ).

    References: J. Göltz et al., Nature Machine Intelligence 3 (2021), arXiv 1912.11443, eq. 3.
        Differs from it in that the kernel is that of τ_mem dU/dt = -U + I and
        τ_syn dI/dt = -I + τ_syn Σ w δ, with no capacitance.
    """

    model = "lif_double"
    peak = 0.25

    def kernel(self, s: Tensor) -> Tensor:
        """See `SpikeTimeLayer.kernel`."""
        return torch.exp(-s / 2) - torch.exp(-s)


class LIFEqual(SpikeTimeLayer):
    r"""Current-based LIF neurons with a membrane as fast as the synapse.

    .. math:: \kappa(t) = \frac{t}{\tau}\, e^{-t/\tau}

    The spike time is given by the Lambert function.

    References: J. Göltz et al., Nature Machine Intelligence 3 (2021), arXiv 1912.11443, eq. 2.
    """

    model = "lif_equal"
    peak = 1 / math.e

    def kernel(self, s: Tensor) -> Tensor:
        """See `SpikeTimeLayer.kernel`."""
        return s * torch.exp(-s)


class SpikeResponse(SpikeTimeLayer):
    r"""Neurons of the spike response model, with several delayed synapses a connection.

    .. math:: U_i(t) = \sum_{j, k} w^k_{ij}\, \varepsilon(t - t_j - d^k), \qquad
        \varepsilon(t) = \frac{t}{\tau}\, e^{1 - t/\tau}

    The weights are `(out_features, in_features, delays)`; the delays are fixed. SpikeProp's
    linearisation at the threshold is the implicit function theorem, and its gradient exact.

    Args:
        in_features: the number of inputs.
        out_features: the number of neurons.
        delays: `d` in seconds, one weight for each of them.
        options: see `SpikeTimeLayer`.

    Raises:
        ArgumentError: if a delay is negative or there is none, or as of `SpikeTimeLayer`.

    Example:
        >>> layer = SpikeResponse(3, 2, delays=[0.0, 1e-3], tau=5e-3)
        >>> layer.weight.shape, layer(torch.zeros(1, 3)).shape
        (torch.Size([2, 3, 2]), torch.Size([1, 2]))

    References: S. M. Bohte, J. N. Kok, H. La Poutré, Neurocomputing 48 (2002), eqs. 2 to 12;
        there 16 delays of 1 to 16 ms.
    """

    # by a factor e the kernel of `LIFEqual`, which is put into the threshold
    model = "lif_equal"
    peak = 1.0

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        delays: Sequence[float] = (0.0,),
        **options: Unpack[LayerOptions],
    ) -> None:
        if not delays or not all(0 <= delay < math.inf for delay in delays):
            raise ArgumentError(
                "delays of SpikeResponse", got=list(delays), expected="seconds, zero or more"
            )
        self._delays = tuple(delays)
        super().__init__(in_features, out_features, **options)
        self.delays: Tensor
        self.register_buffer("delays", torch.tensor(delays, dtype=torch.float64), persistent=False)

    def _shape(self) -> tuple[int, ...]:
        return self.out_features, self.in_features, len(self._delays)

    @property
    def dynamics(self) -> Dynamics:
        """How the neurons integrate."""
        return Dynamics(self.model, self.tau, self.theta / math.e, self.floor)

    def kernel(self, s: Tensor) -> Tensor:
        """See `SpikeTimeLayer.kernel`."""
        return s * torch.exp(1 - s)

    def _arrivals(self, times: Tensor) -> Tensor:
        return (times[:, :, None] + self.delays.to(times)).flatten(1)


LAYERS: dict[str, type[SpikeTimeLayer]] = {
    "nonleaky": NonLeaky,
    "lif_double": LIFDouble,
    "lif_equal": LIFEqual,
    "spike_response": SpikeResponse,
}
"""Every spike-time layer by kind."""
