"""Neurons that are not linear below threshold: a pure elementwise step, no tableau."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple, Unpack

import torch
from torch import Tensor

from surgrad.errors import RuleError
from surgrad.kernels.scan import NeuronState, Scan, rest, scan
from surgrad.neurons.base import Size, SpikingNeuron, SpikingOptions
from surgrad.neurons.parameters import Bounded, Value
from surgrad.spikes import Surrogate
from surgrad.tableau import Tableau, steps_of

SHARE_BOUNDS = (1e-4, 10.0)


class _Steps(NamedTuple):
    """See `surgrad.kernels.scan.reference.Dynamics`."""

    onward: Callable[[list[Tensor], Tensor, Tensor], list[Tensor]]
    order: int
    delay: int
    theta: Tensor
    detached: bool

    def to(self, like: Tensor) -> _Steps:
        return self._replace(theta=self.theta.to(like))

    def advance(self, x: list[Tensor], i: Tensor, s: Tensor, /) -> list[Tensor]:
        return self.onward(x, i, s.detach() if self.detached else s)

    def membrane(self, x: list[Tensor]) -> Tensor:
        return x[0]


class NonlinearNeuron(SpikingNeuron):
    """A layer of spiking neurons that are given by `advance`, a step; the state zero is their rest.

    They run on the reference path, a loop over time in torch, under `BPTT` and `TruncatedBPTT`.
    A subclass writes `advance` and `linearised`, and says how many `components` its state has.
    """

    components = 1

    @abstractmethod
    def advance(self, x: list[Tensor], drive: Tensor, s: Tensor) -> list[Tensor]:
        """The state one time step later, elementwise; the membrane potential comes first.

        Args:
            x: the state components, each `(batch, *features)`.
            drive: the jump of the membrane potential that arrives in this step.
            s: the neurons' own last spikes, without a graph where the reset is detached.
        """

    @abstractmethod
    def linearised(self) -> Tableau:
        """The neuron linearised at rest: what initialisation knows of it."""

    def tableau(self) -> Tableau:
        """There is none.

        Raises:
            RuleError: always; the rules that ask for it need linear dynamics below threshold.
        """
        raise RuleError(
            f"tableau of {type(self).__name__}",
            got="a neuron that is not linear below threshold",
            expected="a tableau, from which kernels, traces and adjoints are made",
            fix="use BPTT or TruncatedBPTT, or a neuron with a tableau such as AdLIF",
        )

    def run(
        self, current: Tensor, state: NeuronState | None = None, *, lengths: Tensor | None = None
    ) -> Scan:
        """See `Neuron.run`."""
        self._check(current, lengths)
        steps = _Steps(
            self.advance, self.components, self.delay, self.threshold(), self.detach_reset
        )
        return scan(
            steps,
            self.spike or Surrogate(),
            current,
            rest(steps, current.new_zeros(current.shape[1:])) if state is None else state,
            recurrent=None if self.recurrent is None else self.recurrent.weight,
            lengths=lengths,
            refractory=steps_of(self.refractory, self.step) if self.refractory else 0,
        )

    def _after_reset(self, u: Tensor, s: Tensor) -> Tensor:
        """The membrane potential, whose upstroke is cut at the threshold, after the last spikes."""
        theta = self.threshold().to(u)
        u = torch.minimum(u, theta)
        if self.reset == "subtract":
            return u - theta * s
        return u * (1 - s) if self.reset == "zero" else u


class QIF(NonlinearNeuron):
    r"""Quadratic integrate-and-fire: the normal form of a neuron that begins to fire slowly.

    .. math:: \tau_\mathrm{mem} \dot U = U\,(U / U_c - 1) + \text{input}

    Below the critical potential :math:`U_c` the membrane returns to rest, above it the membrane
    runs away; at the threshold its upstroke is cut and it is reset. A step is one of Euler's, and
    an input a jump of the membrane potential, as in `LIF`. Under the constant input `I` per
    :math:`\tau_\mathrm{mem}`, with :math:`a = I / U_c - 1/4` and :math:`y = U / U_c - 1/2`, it
    fires with the period :math:`\tau_\mathrm{mem} a^{-1/2} [\arctan(y / \sqrt a)]` between reset
    and threshold, whose rate is :math:`\sqrt a / \pi \tau_\mathrm{mem}` for a wide range.

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant at rest, in seconds.
        critical: the potential beyond which the membrane runs away, `U_c`.
        options: see `SpikingOptions`.

    Example:
        >>> spikes, _ = QIF(1, tau_mem=10e-3, dt=1e-3)(torch.full((6, 1, 1), 0.3))
        >>> spikes.flatten()
        tensor([0., 0., 0., 0., 1., 0.])

    References: B. Ermentrout & N. Kopell, SIAM J. Appl. Math. 46 (1986); here with rest at zero.
    """

    tau_mem: Bounded
    critical: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        tau_mem: Value = 20e-3,
        critical: Value = 0.5,
        **options: Unpack[SpikingOptions],
    ) -> None:
        bounds = {"critical": SHARE_BOUNDS} | dict(options.get("bounds", {}))
        constants = {"tau_mem": tau_mem, "critical": critical}
        super().__init__(size, constants, {**options, "bounds": bounds})

    def advance(self, x: list[Tensor], drive: Tensor, s: Tensor) -> list[Tensor]:
        """See `NonlinearNeuron.advance`."""
        u = self._after_reset(x[0], s)
        gain = (self.step / self.tau_mem()).to(u)
        return [u + gain * u * (u / self.critical().to(u) - 1) + drive]

    def linearised(self) -> Tableau:
        """A leaky integrator."""
        return self._spiking(((1 - self.step / self.tau_mem(),),), (1.0,))
