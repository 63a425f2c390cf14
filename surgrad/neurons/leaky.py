"""Leaky neurons: the integrator, and integrate-and-fire with three kinds of synapse."""

from __future__ import annotations

import math
from typing import Unpack

from surgrad.neurons.base import Neuron, NeuronOptions, Size, SpikingNeuron, SpikingOptions
from surgrad.neurons.parameters import Bounded, Value
from surgrad.tableau import Tableau, decay


class LI(Neuron):
    r"""Leaky integrator, the usual read-out: a membrane without a threshold.

    .. math:: U[n] = \beta U[n-1] + i[n-d], \qquad \beta = e^{-\Delta t / \tau_\mathrm{mem}}

    Args:
        size: the number of units.
        tau_mem: membrane time constant in seconds.
        options: see `NeuronOptions`.

    Example:
        >>> import torch
        >>> out, _ = LI(1, tau_mem=20e-3, dt=1e-3, delay=0)(torch.ones(2, 1, 1))
        >>> out.flatten()
        tensor([1.0000, 1.9512])
    """

    tau_mem: Bounded

    def __init__(
        self, size: Size = None, *, tau_mem: Value = 20e-3, **options: Unpack[NeuronOptions]
    ) -> None:
        super().__init__(size, {"tau_mem": tau_mem}, options)
        self._check_names(options)

    def tableau(self) -> Tableau:
        """`A = [[β]]`, `b = (1)`."""
        return self._linear(((decay(self.step, self.tau_mem()),),), (1.0,))


class CuBaLI(Neuron):
    r"""Leaky integrator behind an exponential synapse: the read-out of the authors' tutorials.

    .. math:: I[n] = \alpha I[n-1] + i[n-1], \qquad U[n] = \beta U[n-1] + I[n-1]

    Args:
        size: the number of units.
        tau_mem: membrane time constant in seconds.
        tau_syn: synaptic time constant in seconds.
        options: see `NeuronOptions`.

    Example:
        >>> import torch
        >>> pulse = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]).view(5, 1, 1)
        >>> out, _ = CuBaLI(1, tau_mem=20e-3, tau_syn=10e-3, dt=1e-3)(pulse)
        >>> out.flatten()
        tensor([0.0000, 0.0000, 1.0000, 1.8561, 2.5843])

    References: https://github.com/surrogate-gradient-learning/spytorch, tutorial 1.
    """

    tau_mem: Bounded
    tau_syn: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        tau_mem: Value = 20e-3,
        tau_syn: Value = 10e-3,
        **options: Unpack[NeuronOptions],
    ) -> None:
        super().__init__(size, {"tau_mem": tau_mem, "tau_syn": tau_syn}, options)
        self._check_names(options)

    def tableau(self) -> Tableau:
        """As `CuBaLIF`, without the spikes."""
        return self._linear(*_current_based(self))


class LIF(SpikingNeuron):
    r"""Leaky integrate-and-fire, each input a jump of the membrane potential.

    .. math::
        U[n] = \beta U[n-1] + i[n-d] - \vartheta S[n-1], \qquad S[n] = \Theta(U[n] - \vartheta)

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant in seconds.
        options: see `SpikingOptions`.

    Example:
        >>> import torch
        >>> spikes, _ = LIF(1, tau_mem=20e-3, dt=1e-3)(torch.full((4, 1, 1), 0.6))
        >>> spikes.flatten()
        tensor([0., 0., 1., 0.])

    Differs from: snntorch `Leaky` and norse, where an input acts in its own step (`delay=0`).
    """

    tau_mem: Bounded
    threshold: Bounded

    def __init__(
        self, size: Size = None, *, tau_mem: Value = 20e-3, **options: Unpack[SpikingOptions]
    ) -> None:
        super().__init__(size, {"tau_mem": tau_mem}, options)

    def tableau(self) -> Tableau:
        """`A = [[β]]`, `b = (1)`."""
        return self._spiking(((decay(self.step, self.tau_mem()),),), (1.0,))


class _BehindSynapses(SpikingNeuron):
    """Integrate-and-fire neurons with a time constant of the membrane and one of the synapses."""

    tau_mem: Bounded
    tau_syn: Bounded
    threshold: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        tau_mem: Value = 20e-3,
        tau_syn: Value = 10e-3,
        **options: Unpack[SpikingOptions],
    ) -> None:
        super().__init__(size, {"tau_mem": tau_mem, "tau_syn": tau_syn}, options)


class CuBaLIF(_BehindSynapses):
    r"""The paper's neuron: leaky integrate-and-fire with a current-based exponential synapse.

    .. math::
        I[n+1] = \alpha I[n] + i[n], \qquad U[n+1] = \beta U[n] + I[n] - \vartheta S[n]

    with :math:`\alpha = e^{-\Delta t/\tau_\mathrm{syn}}`,
    :math:`\beta = e^{-\Delta t/\tau_\mathrm{mem}}` and, where the layer is recurrent,
    `i[n] = W S_in[n] + V S[n]`. With `delay=0` an input acts on the current and the membrane in
    its own step: `A = [[α, 0], [α, β]]`, `b = (1, 1)`.

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant in seconds.
        tau_syn: synaptic time constant in seconds.
        options: see `SpikingOptions`.

    Example:
        >>> import torch
        >>> spikes, state = CuBaLIF(1, tau_mem=20e-3, tau_syn=10e-3, dt=1e-3)(torch.ones(4, 1, 1))
        >>> spikes.flatten()
        tensor([0., 0., 0., 1.])

    References: Neftci, Mostafa & Zenke 2019, section II, in natural units (U_rest = 0, R = 1).
    """

    def tableau(self) -> Tableau:
        """`x = (I, U)`, `A = [[α, 0], [1, β]]`, `b = (1, 0)`, `r = (0, -ϑ)`, `c = (0, 1)`."""
        return self._spiking(*_current_based(self))


class AlphaLIF(_BehindSynapses):
    r"""Leaky integrate-and-fire with an alpha synapse: a current that rises before it decays.

    .. math::
        R[n+1] = \alpha R[n] + i[n], \quad
        I[n+1] = \alpha I[n] + e \tfrac{\Delta t}{\tau_\mathrm{syn}} \alpha R[n], \quad
        U[n+1] = \beta U[n] + I[n] - \vartheta S[n]

    so that a spike through a unit weight makes the current :math:`\frac{t}{\tau} e^{1 - t/\tau}`,
    whose peak is one, after :math:`\tau_\mathrm{syn}`.

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant in seconds.
        tau_syn: synaptic time constant in seconds, of the rise and the decay.
        options: see `SpikingOptions`.

    Example:
        >>> import torch
        >>> pulse = torch.zeros(12, 1, 1)
        >>> pulse[0] = 1.0
        >>> _, state = AlphaLIF(1, tau_syn=10e-3, dt=1e-3)(pulse)
        >>> round(float(state.x[1]), 3)  # the current, one synaptic time constant later
        1.0

    References: Gerstner, Kistler, Naud & Paninski 2014, section 3.1.
    """

    def tableau(self) -> Tableau:
        """`x = (R, I, U)`; with `delay=0` the membrane follows the current of its own step."""
        alpha = decay(self.step, self.tau_syn())
        beta = decay(self.step, self.tau_mem())
        rise = math.e * self.step / self.tau_syn() * alpha
        membrane = (0.0, 1.0, beta) if self.delay else (rise, alpha, beta)
        return self._spiking(((alpha, 0.0, 0.0), (rise, alpha, 0.0), membrane), (1.0, 0.0, 0.0))


def _current_based(neuron: CuBaLI | CuBaLIF):
    alpha = decay(neuron.step, neuron.tau_syn())
    beta = decay(neuron.step, neuron.tau_mem())
    if neuron.delay:
        return ((alpha, 0.0), (1.0, beta)), (1.0, 0.0)
    return ((alpha, 0.0), (alpha, beta)), (1.0, 1.0)
