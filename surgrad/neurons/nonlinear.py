"""Neurons that are not linear below threshold: a pure elementwise step, no tableau."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple, Unpack

import torch
from torch import Tensor
from torch.func import jvp, vmap

from surgrad.errors import RuleError
from surgrad.kernels.scan import NeuronState, Scan, rest, scan
from surgrad.neurons.base import DEFAULT, Size, SpikingNeuron, SpikingOptions
from surgrad.neurons.parameters import Bounded, Value
from surgrad.tableau import Entry, Tableau, steps_of

SHARE_BOUNDS = (1e-4, 10.0)


class Jacobian(NamedTuple):
    """How the next state of each neuron changes with what it is made from.

    Attributes:
        state: K rows of K entries, with the state.
        drive: K entries, with the drive.
        spikes: K entries, with the neuron's own last spikes, zero where these are detached.
    """

    state: list[list[Tensor]]
    drive: list[Tensor]
    spikes: list[Tensor]


class Steps(NamedTuple):
    """The dynamics of such a neuron; see `surgrad.kernels.scan.reference.Dynamics`.

    Attributes:
        onward: the state one time step later, elementwise.
        order: the number of state components.
        delay: the steps after which an input acts.
        theta: the threshold.
    """

    onward: Callable[[list[Tensor], Tensor, Tensor], list[Tensor]]
    order: int
    delay: int
    theta: Tensor

    def to(self, like: Tensor) -> Steps:
        """With the threshold in the dtype and on the device of `like`."""
        return self._replace(theta=self.theta.to(like))

    def advance(self, x: list[Tensor], i: Tensor, s: Tensor, /) -> list[Tensor]:
        """See `NonlinearNeuron.advance`."""
        return self.onward(x, i, s)

    def membrane(self, x: list[Tensor]) -> Tensor:
        """The membrane potential, the first component of the state."""
        return x[0]

    def jacobian(self, x: list[Tensor], drive: Tensor, s: Tensor) -> Jacobian:
        """What `advance` does to small changes, in forward mode: neurons do not mix, so that
        one tangent of ones for each argument has the derivatives of all of them.

        Args:
            x: the state components, each `(batch, *features)`.
            drive: what arrives.
            s: the neurons' own last spikes.
        """
        around = (*x, drive, s)
        count = len(around)
        basis = [
            torch.stack([torch.full_like(part, float(i == j)) for i in range(count)])
            for j, part in enumerate(around)
        ]

        def push(*tangents: Tensor) -> tuple[Tensor, ...]:
            return forward_mode(
                lambda *at: tuple(self.onward(list(at[:-2]), at[-2], at[-1])), around, tangents
            )

        columns = vmap(push)(*basis)
        rows = [list(part.unbind(0)) for part in columns]
        return Jacobian(
            [row[: self.order] for row in rows],
            [row[-2] for row in rows],
            [row[-1] for row in rows],
        )


def forward_mode(
    function: Callable[..., tuple[Tensor, ...]],
    at: tuple[Tensor, ...],
    tangents: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """The tangents of what a function returns."""
    with warnings.catch_warnings():
        # PyTorch's forward mode uses what PyTorch deprecates
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        return jvp(function, at, tangents)[1]


class NonlinearNeuron(SpikingNeuron):
    """A layer of spiking neurons that are given by `advance`, a step; the state zero is their rest.

    They run on the reference path, a loop over time in torch. Rules that go forward in time take
    the derivatives of a step from forward mode; those that need a tableau refuse. A subclass
    writes `advance` and `onset`, and says how many `components` its state has.
    """

    components = 1

    @abstractmethod
    def advance(self, x: list[Tensor], drive: Tensor, s: Tensor) -> list[Tensor]:
        """The state one time step later, elementwise; the membrane potential comes first.

        Args:
            x: the state components, each `(batch, *features)`.
            drive: the jump of the membrane potential that arrives in this step.
            s: the neurons' own last spikes.
        """

    @abstractmethod
    def onset(self) -> Tensor:
        """The membrane potential from which a neuron goes on to spike by itself."""

    def dynamics(self) -> Steps:
        """See `Neuron.dynamics`."""
        return Steps(self.advance, self.components, self.delay, self.threshold())

    def linearised(self) -> Tableau:
        """The neuron at rest as a linear system whose threshold is the onset of a spike."""
        with torch.no_grad():
            shapes = [constant().shape for constant in self.constants.values()]
            zero = self.threshold().new_zeros(torch.broadcast_shapes(*shapes))
            at_rest = self.dynamics().jacobian([zero] * self.components, zero, zero)
            still = (False,) * self.components
            nothing: tuple[Entry, ...] = (0.0,) * self.components
            return Tableau(
                A=tuple(tuple(row) for row in at_rest.state),
                b=tuple(at_rest.drive),
                r=nothing,
                c=(1.0, *nothing[1:]),
                theta=self.onset(),
                delay=self.delay,
                zeroed=still,
                detached=still,
            )

    def tableau(self) -> Tableau:
        """There is none.

        Raises:
            RuleError: always; what asks for it needs linear dynamics below threshold.
        """
        raise RuleError(
            f"tableau of {type(self).__name__}",
            got="a neuron that is not linear below threshold",
            expected="a tableau, from which kernels and adjoints are made",
            fix="use BPTT, EProp or another rule that runs without one, or a neuron with a tableau "
            "such as AdLIF",
        )

    def run(
        self, current: Tensor, state: NeuronState | None = None, *, lengths: Tensor | None = None
    ) -> Scan:
        """See `Neuron.run`."""
        self._check(current, lengths)
        steps = self.dynamics()
        return scan(
            steps,
            self.spike or DEFAULT,
            current,
            rest(steps, current.new_zeros(current.shape[1:])) if state is None else state,
            recurrent=None if self.recurrent is None else self.recurrent.weight,
            lengths=lengths,
            refractory=steps_of(self.refractory, self.step) if self.refractory else 0,
        )

    def _after_reset(self, u: Tensor, s: Tensor, to: Tensor | float = 0.0) -> Tensor:
        """The membrane potential after the last spikes; its upstroke is cut at the threshold.

        Args:
            u: the membrane potential before.
            s: the last spikes.
            to: where a spike at the threshold leaves the membrane.
        """
        theta = self.threshold().to(u)
        s = s.detach() if self.detach_reset else s
        u = torch.minimum(u, theta)
        if self.reset == "subtract":
            return u - (theta - to) * s
        return u * (1 - s) + to * s if self.reset == "zero" else u


def parabola(u: Tensor, rate: Tensor, critical: Tensor, step: float) -> Tensor:
    r"""One step of :math:`\dot u = \mathrm{rate}\; u\, (u / u_c - 1)`, its bracket held.

    However far below rest a membrane is, a step brings it back towards rest and not beyond, as
    one of Euler's does.

    Args:
        u: the membrane potential.
        rate: with which it goes back to rest, in hertz.
        critical: the potential beyond which it runs away.
        step: in seconds.
    """
    return u * torch.exp(step * rate * (u / critical - 1))


class QIF(NonlinearNeuron):
    r"""Quadratic integrate-and-fire: the normal form of a neuron that begins to fire slowly.

    .. math:: \tau_\mathrm{mem} \dot U = U\,(U / U_c - 1) + \text{input}

    Below the critical potential :math:`U_c` the membrane returns to rest, above it the membrane
    runs away; at the threshold its upstroke is cut and it is reset. In a step the bracket is held,
    and an input is a jump of the membrane potential, as in `LIF`. Under the constant input `I` per
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
        rate, critical = (1 / self.tau_mem()).to(u), self.critical().to(u)
        return [parabola(u, rate, critical, self.step) + drive]

    def onset(self) -> Tensor:
        """See `NonlinearNeuron.onset`."""
        return self.critical()
