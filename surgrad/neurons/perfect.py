"""Perfect integrators, which forget nothing: what networks of analogue units are converted to."""

from __future__ import annotations

from typing import Unpack

from surgrad.errors import ArgumentError
from surgrad.neurons.base import Neuron, NeuronOptions, Size, SpikingNeuron, SpikingOptions
from surgrad.neurons.parameters import Bounded
from surgrad.tableau import Tableau


class Integrator(Neuron):
    r"""Perfect integrator, the read-out of a converted network: the sum of all that arrived.

    .. math:: U[n] = U[n-1] + i[n-d]

    Args:
        size: the number of units.
        options: see `NeuronOptions`.

    Example:
        >>> import torch
        >>> out, _ = Integrator(1, dt=1e-3, delay=0)(torch.full((3, 1, 1), 0.5))
        >>> out.flatten()
        tensor([0.5000, 1.0000, 1.5000])
    """

    def __init__(self, size: Size = None, **options: Unpack[NeuronOptions]) -> None:
        super().__init__(size, {}, options)
        self._check_names(options)

    def tableau(self) -> Tableau:
        """`A = [[1]]`, `b = (1)`."""
        return self._linear(((1.0,),), (1.0,))


class IFOptions(SpikingOptions, total=False):
    """The further keyword arguments of `IF`.

    Attributes:
        start: where the membrane potential begins, as a share of the threshold, in [0, 1).
    """

    start: float


class IF(SpikingNeuron):
    r"""Integrate-and-fire without a leak: its rate is its mean current over the threshold.

    .. math::
        U[n] = U[n-1] + i[n-d] - \vartheta S[n-1], \qquad
        S[n] = \Theta(U[n] - (1 - u_0)\, \vartheta)

    After `T` steps of the constant current `I` it has fired
    :math:`\lceil I T / \vartheta + u_0 \rceil - 1` times (if that is between 0 and `T`): with
    `start=0.5` that is rounded to the nearest, with 0 it is rounded down. The potential is
    measured from where it begins, which makes a start at :math:`u_0 \vartheta` a threshold that
    is lower by as much, while a spike still takes :math:`\vartheta`.

    Args:
        size: the number of neurons.
        options: see `SpikingOptions` and `IFOptions`.

    Example:
        >>> import torch
        >>> spikes, _ = IF(1, start=0.5, delay=0, dt=1e-3)(torch.full((8, 1, 1), 0.375))
        >>> spikes.flatten()
        tensor([0., 1., 0., 0., 1., 0., 1., 0.])

    References: Rueckauer et al. 2017, for the reset by subtraction; Deng & Gu 2021 and Bu
    et al. 2022 for the start at half the threshold.
    """

    threshold: Bounded

    def __init__(self, size: Size = None, **options: Unpack[IFOptions]) -> None:
        self.start = options.get("start", 0.0)
        if not 0 <= self.start < 1:
            raise ArgumentError("start of IF", got=self.start, expected="a share in [0, 1)")
        super().__init__(size, {}, options)

    def tableau(self) -> Tableau:
        """`A = [[1]]`, `b = (1)`, `θ = (1 - u_0) ϑ`."""
        own = self._spiking(((1.0,),), (1.0,))
        return own._replace(theta=own.theta * (1.0 - self.start)) if self.start else own
