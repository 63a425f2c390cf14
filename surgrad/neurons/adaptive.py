"""Adaptive neurons: a second state component that remembers their own spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from surgrad.neurons.base import Size, SpikingNeuron, SpikingOptions
from surgrad.neurons.parameters import Bounded, Value
from surgrad.tableau import Entry, Tableau, decay

# in units of the threshold, per spike or per unit of the membrane potential
STRENGTH_BOUNDS = (1e-4, 1e2)


class _Adaptive(SpikingNeuron):
    """The state `(U, a)`: a membrane with its reset, and what adapts, whose spikes have gradients.

    Args:
        size: as in `SpikingNeuron`.
        constants: the time constants in seconds.
        strengths: the other parameters.
        options: see `SpikingOptions`.
    """

    def __init__(
        self,
        size: Size,
        constants: Mapping[str, Value],
        strengths: Mapping[str, Value],
        options: SpikingOptions,
    ) -> None:
        bounds = dict.fromkeys(strengths, STRENGTH_BOUNDS) | dict(options.get("bounds", {}))
        super().__init__(size, {**constants, **strengths}, {**options, "bounds": bounds})

    def _adapting(
        self,
        A: tuple[tuple[Entry, ...], ...],
        b: tuple[Entry, ...],
        c: tuple[Entry, ...],
        jump: Entry,
    ) -> Tableau:
        """A tableau of membrane and adaptation, where a spike adds `jump` to the latter."""
        theta = self.threshold()
        return Tableau(
            A,
            b,
            r=(-theta if self.reset == "subtract" else 0.0, jump),
            c=c,
            theta=theta,
            delay=self.delay,
            zeroed=(self.reset == "zero", False),
            detached=(self.detach_reset, False),
        )


class ALIF(_Adaptive):
    r"""Leaky integrate-and-fire with a threshold that rises with every spike and recovers slowly.

    .. math::
        U[n] = \beta U[n-1] + i[n-d] - \vartheta S[n-1], \quad
        a[n] = \rho\, a[n-1] + S[n-1], \quad
        S[n] = \Theta(U[n] - \vartheta - \beta_a a[n])

    with :math:`\beta = e^{-\Delta t/\tau_\mathrm{mem}}`,
    :math:`\rho = e^{-\Delta t/\tau_\mathrm{adapt}}`. The slow threshold is a
    memory over seconds. `detach_reset` concerns the reset, not the adaptation, whose gradient is
    what carries credit over these times.

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant in seconds.
        tau_adapt: time constant of the threshold in seconds.
        adaptation: :math:`\beta_a`, by how much a spike raises the threshold.
        options: see `SpikingOptions`.

    Example:
        >>> import torch
        >>> neuron = ALIF(1, adaptation=0.5, dt=1e-3)
        >>> neuron(torch.full((9, 1, 1), 1.2))[0].flatten()
        tensor([0., 1., 0., 1., 1., 1., 0., 1., 1.])

    References: Bellec et al. 2018 (LSNN) and 2020, methods. The reset takes ϑ, not the raised
    threshold, as in the second.
    """

    tau_mem: Bounded
    tau_adapt: Bounded
    adaptation: Bounded
    threshold: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        tau_mem: Value = 20e-3,
        tau_adapt: Value = 200e-3,
        adaptation: Value = 0.1,
        **options: Unpack[SpikingOptions],
    ) -> None:
        constants = {"tau_mem": tau_mem, "tau_adapt": tau_adapt}
        super().__init__(size, constants, {"adaptation": adaptation}, options)

    def tableau(self) -> Tableau:
        """`x = (U, a)`, `A = [[β, 0], [0, ρ]]`, `b = (1, 0)`, `r = (-ϑ, 1)`, `c = (1, -β_a)`."""
        beta, rho = decay(self.step, self.tau_mem()), decay(self.step, self.tau_adapt())
        A = ((beta, 0.0), (0.0, rho))
        return self._adapting(A, (1.0, 0.0), (1.0, -self.adaptation()), 1.0)


class AdLIF(_Adaptive):
    r"""Leaky integrate-and-fire with a current that follows the membrane and its spikes.

    .. math::
        U[n] = \beta U[n-1] - (1-\beta) w[n-1] + i[n-d] - \vartheta S[n-1], \quad
        w[n] = \rho\, w[n-1] + (1-\rho) a\, U[n-1] + b\, S[n-1]

    The continuous model is :math:`\tau_\mathrm{mem} \dot U = -U - w + R I`,
    :math:`\tau_\mathrm{adapt} \dot w = -w + a U` with a jump of `b` at a spike; each equation is
    solved exactly with the other variable held over the step.

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant in seconds.
        tau_adapt: time constant of the adaptation in seconds.
        coupling: `a`, how strongly the membrane drives the adaptation; positive.
        jump: `b`, what a spike adds to it.
        options: see `SpikingOptions`.

    Example:
        >>> import torch
        >>> neuron = AdLIF(1, jump=1.0, dt=1e-3)
        >>> spikes, _ = neuron(torch.full((400, 1, 1), 0.25))
        >>> int(spikes[:100].sum()), int(spikes[300:].sum())  # it tires
        (7, 3)

    References: Bittar & Garner 2022 (adLIF). There `w` of the same step acts on the membrane,
    the input has the factor `1 - β` (here it is in the weights, as for the other neurons), and
    `a` may be negative.
    """

    tau_mem: Bounded
    tau_adapt: Bounded
    coupling: Bounded
    jump: Bounded
    threshold: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        tau_mem: Value = 20e-3,
        tau_adapt: Value = 100e-3,
        coupling: Value = 0.5,
        jump: Value = 0.5,
        **options: Unpack[SpikingOptions],
    ) -> None:
        constants = {"tau_mem": tau_mem, "tau_adapt": tau_adapt}
        super().__init__(size, constants, {"coupling": coupling, "jump": jump}, options)

    def tableau(self) -> Tableau:
        """`x = (U, w)`, `A = [[β, β-1], [(1-ρ) a, ρ]]`, `b = (1, 0)`, `r = (-ϑ, b)`."""
        beta, rho = decay(self.step, self.tau_mem()), decay(self.step, self.tau_adapt())
        A = ((beta, beta - 1), ((1 - rho) * self.coupling(), rho))
        return self._adapting(A, (1.0, 0.0), (1.0, 0.0), self.jump())


class SymplecticAdLIF(AdLIF):
    r"""As `AdLIF`, but the adaptation follows the membrane of its own step, before the reset.

    .. math::
        w[n] = \rho\, w[n-1] + (1-\rho) a\, \hat U[n] + b\, S[n-1], \qquad
        \hat U[n] = \beta U[n-1] - (1-\beta) w[n-1] + i[n-d]

    The symplectic step keeps oscillations of the two variables stable where the plain one lets
    them grow.

    Example:
        >>> import torch
        >>> options = {"tau_mem": 20e-3, "tau_adapt": 20e-3, "coupling": 60.0, "reset": "none"}
        >>> pulse = torch.zeros(2000, 1, 1)
        >>> pulse[0] = 0.1
        >>> plain, kind = (
        ...     float(neuron(1, dt=1e-3, threshold=999.0, **options)(pulse)[1].x[0].abs().max())
        ...     for neuron in (AdLIF, SymplecticAdLIF)
        ... )
        >>> plain > 1e3, kind < 1.0
        (True, True)

    References: Baronig et al. 2024. There the membrane has been reset before it is followed.
    """

    def tableau(self) -> Tableau:
        """`A[1] = ((1-ρ) a β, ρ - (1-ρ) a (1-β))`, `b = (1, (1-ρ) a)`, the rest as `AdLIF`."""
        beta, rho = decay(self.step, self.tau_mem()), decay(self.step, self.tau_adapt())
        follow = (1 - rho) * self.coupling()
        A = ((beta, beta - 1), (follow * beta, rho - follow * (1 - beta)))
        return self._adapting(A, (1.0, follow), (1.0, 0.0), self.jump())
