"""Neurons of two variables: a membrane with an upstroke, and what recovers behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Unpack

import torch
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.neurons.base import Size, SpikingOptions
from surgrad.neurons.nonlinear import NonlinearNeuron, parabola
from surgrad.neurons.parameters import Bounded, Value
from surgrad.tableau import decay

Pattern = Literal["regular_spiking", "intrinsically_bursting", "chattering", "fast_spiking"]

PATTERNS: dict[str, dict[str, float]] = {
    "regular_spiking": {"tau_recovery": 50e-3, "coupling": 200.0, "after": 5e-3, "jump": 8.0},
    "intrinsically_bursting": {
        "tau_recovery": 50e-3,
        "coupling": 200.0,
        "after": 15e-3,
        "jump": 4.0,
    },
    "chattering": {"tau_recovery": 50e-3, "coupling": 200.0, "after": 20e-3, "jump": 2.0},
    "fast_spiking": {"tau_recovery": 10e-3, "coupling": 200.0, "after": 5e-3, "jump": 2.0},
}
"""The constants of `Izhikevich` by the pattern in which it fires: figure 2 of the paper."""

# of the quadratic polynomial of the paper in volts and seconds: 0.04 v² + 5 v + 140
SQUARE, SLOPE, CONSTANT = 4e4, 5e3, 140.0
# beyond which the polynomial has no rest that is stable: with it the membrane's own leak is gone
COUPLING_BOUNDS = (1e-3, 259.9)
VOLT_BOUNDS, JUMP_BOUNDS = (1e-5, 0.2), (1e-3, 1e2)
# of what adapts, in hundredths of the leak's conductance and up
SHARE_BOUNDS = (1e-4, 1e2)


class Izhikevich(NonlinearNeuron):
    r"""Izhikevich's neuron: cortical firing patterns from four constants.

    .. math::
        \dot v = 0.04 v^2 + 5 v + 140 - u + I, \qquad \dot u = a\,(b v - u), \qquad
        v \ge 30: \; v \leftarrow c, \; u \leftarrow u + d

    in mV and ms. Here all is in SI units and measured from rest, so that the state zero is rest,
    and the membrane potential `U` in heights of a spike, 100 mV: from the rest of all patterns at
    -70 mV to the peak at 30 mV, where `threshold` is 1. The polynomial becomes that of `QIF`,

    .. math:: \dot U = \lambda\, U (U / U_c - 1) - R + \text{input}, \qquad
        \tau_u \dot R = b\, U - R

    with :math:`\lambda = \sqrt{(5 - b)^2 - 22.4} - b`, for :math:`b = 0.2` 600 Hz, and
    :math:`U_c = \lambda / 4`, 15 mV. The bracket, and each variable in the other's equation, is
    held over a step. A current of `I` of the paper is an input of `I dt / 100` in each step, `dt`
    in ms.

    Args:
        size: the number of neurons.
        pattern: whose constants are taken for those left out: "regular_spiking",
            "intrinsically_bursting", "chattering", "fast_spiking".
        tau_recovery: `1 / a` in seconds.
        coupling: `b` in hertz, below 260, where rest ends.
        after: where a spike leaves the membrane, `c` above rest, in volts.
        jump: `d`, by which a spike changes the recovery, in volts a second.
        options: see `SpikingOptions`. `detach_reset` concerns the membrane, not the jump.

    Example:
        >>> fast = Izhikevich(1, pattern="fast_spiking", dt=0.5e-3)
        >>> spikes, _ = fast(torch.full((400, 1, 1), 10 * 0.5 / 100))
        >>> int(spikes.sum())
        25

    References: E. M. Izhikevich, IEEE Transactions on Neural Networks 14 (2003), eqs. 1 to 3 and
    figure 2.
    """

    components = 2

    tau_recovery: Bounded
    coupling: Bounded
    after: Bounded
    jump: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        pattern: Pattern = "regular_spiking",
        tau_recovery: Value | None = None,
        coupling: Value | None = None,
        after: Value | None = None,
        jump: Value | None = None,
        **options: Unpack[SpikingOptions],
    ) -> None:
        given = {"tau_recovery": tau_recovery, "coupling": coupling, "after": after, "jump": jump}
        constants = from_preset("pattern of Izhikevich", PATTERNS, pattern, given)
        own = {"coupling": COUPLING_BOUNDS, "after": VOLT_BOUNDS, "jump": JUMP_BOUNDS}
        bounds = own | dict(options.get("bounds", {}))
        super().__init__(size, constants, {**options, "bounds": bounds})

    def advance(self, x: list[Tensor], drive: Tensor, s: Tensor) -> list[Tensor]:
        """See `NonlinearNeuron.advance`."""
        u = self._after_reset(x[0], s, (self.after() / HEIGHT).to(x[0]))
        recovery = x[1] + (self.jump() / HEIGHT).to(u) * s
        rate, rho = self._rate().to(u), decay(self.step, self.tau_recovery()).to(u)
        grown = parabola(u, rate, self.onset().to(u), self.step)
        followed = rho * recovery + (1 - rho) * self.coupling().to(u) * u
        return [grown - self.step * recovery + drive, followed]

    def onset(self) -> Tensor:
        """See `NonlinearNeuron.onset`."""
        return self._rate() / (SQUARE * HEIGHT)

    def _rate(self) -> Tensor:
        """With which the membrane alone goes back to rest, in hertz."""
        b = self.coupling()
        return ((SLOPE - b).square() - 4 * SQUARE * CONSTANT).sqrt() - b


HEIGHT = 0.1
"""Volts from the rest of `Izhikevich` to the peak of its spikes."""


class AdEx(NonlinearNeuron):
    r"""Adaptive exponential integrate-and-fire: a sharp upstroke, and adaptation.

    .. math::
        C \dot V = -g_L (V - E_L) + g_L \Delta_T\, e^{(V - V_T) / \Delta_T} - w + I, \qquad
        \tau_w \dot w = a (V - E_L) - w

    and at :math:`V_\mathrm{peak}` a spike sets :math:`V \leftarrow E_L`,
    :math:`w \leftarrow w + b`. Here the membrane potential `U` is measured from rest in heights of
    a spike, :math:`V_\mathrm{peak} - E_L = 90.6` mV, so that `threshold` is 1, and `w` in units of
    the potential that it pulls the membrane down by, :math:`w / g_L`.

    .. math::
        U[n] = \beta U + (1 - \beta) (\Delta_T\, e^{\min(10,\, (U - U_T) / \Delta_T)} - w) + i[n-d],
        \qquad w[n] = \rho w + (1 - \rho)\, a U

    from the state after the reset: each equation is solved exactly with the rest held. The
    exponential goes on beyond ten :math:`\Delta_T` as it is there, at 5 V/ms, which the peak is
    reached from in 10 µs: no overflow, and no difference that a step could see.

    Args:
        size: the number of neurons.
        tau_mem: membrane time constant :math:`C / g_L` in seconds.
        tau_adapt: :math:`\tau_w` in seconds.
        rise: :math:`V_T - E_L`, where the upstroke begins, in volts.
        sharpness: :math:`\Delta_T` in volts.
        coupling: :math:`a / g_L`.
        jump: :math:`b / g_L`, what a spike adds to the adaptation, in volts.
        options: see `SpikingOptions`. `detach_reset` concerns the membrane, not the jump.

    Example:
        >>> neuron = AdEx(1, dt=0.5e-3)
        >>> spikes, _ = neuron(torch.full((600, 1, 1), 0.025))
        >>> int(spikes[:200].sum()), int(spikes[200:400].sum()), int(spikes[400:].sum())
        (7, 5, 5)

    References: R. Brette & W. Gerstner, J. Neurophysiol. 94 (2005), eqs. 2 and 3 and table 1 for
    the constants: :math:`C` = 281 pF, :math:`g_L` = 30 nS, :math:`E_L` = -70.6 mV, :math:`V_T` =
    -50.4 mV, :math:`\Delta_T` = 2 mV, :math:`\tau_w` = 144 ms, `a` = 4 nS, `b` = 80.5 pA, with
    the peak at 20 mV. Differs from it in that synapses are currents.
    """

    components = 2

    tau_mem: Bounded
    tau_adapt: Bounded
    rise: Bounded
    sharpness: Bounded
    coupling: Bounded
    jump: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        tau_mem: Value = 281e-12 / 30e-9,
        tau_adapt: Value = 144e-3,
        rise: Value = 20.2e-3,
        sharpness: Value = 2e-3,
        coupling: Value = 4.0 / 30.0,
        jump: Value = 80.5e-12 / 30e-9,
        **options: Unpack[SpikingOptions],
    ) -> None:
        constants = {
            "tau_mem": tau_mem,
            "tau_adapt": tau_adapt,
            "rise": rise,
            "sharpness": sharpness,
            "coupling": coupling,
            "jump": jump,
        }
        own = dict.fromkeys(("rise", "sharpness", "jump"), VOLT_BOUNDS)
        bounds = own | {"coupling": SHARE_BOUNDS} | dict(options.get("bounds", {}))
        super().__init__(size, constants, {**options, "bounds": bounds})

    def advance(self, x: list[Tensor], drive: Tensor, s: Tensor) -> list[Tensor]:
        """See `NonlinearNeuron.advance`."""
        u = self._after_reset(x[0], s)
        w = x[1] + (self.jump() / PEAK).to(u) * s
        beta = decay(self.step, self.tau_mem()).to(u)
        rho = decay(self.step, self.tau_adapt()).to(u)
        sharpness = (self.sharpness() / PEAK).to(u)
        above = (u - self.onset().to(u)) / sharpness
        upstroke = sharpness * torch.exp(above.clamp(max=STEEPEST))
        followed = rho * w + (1 - rho) * self.coupling().to(u) * u
        return [beta * u + (1 - beta) * (upstroke - w) + drive, followed]

    def onset(self) -> Tensor:
        """See `NonlinearNeuron.onset`."""
        return self.rise() / PEAK


PEAK = 90.6e-3
"""Volts from the rest of `AdEx` to where its spikes are cut."""

STEEPEST = 10.0
"""The exponent beyond which the upstroke of `AdEx` does not steepen."""


def from_preset(
    name: str,
    presets: Mapping[str, Mapping[str, float]],
    chosen: str,
    given: Mapping[str, Value | None],
) -> dict[str, Value]:
    """The constants that are given, and those of a preset for the others.

    Args:
        name: of the preset's argument, for errors.
        presets: all there are.
        chosen: one of them.
        given: None where the preset's constant is taken.

    Raises:
        ArgumentError: if there is no such preset.
    """
    if chosen not in presets:
        raise ArgumentError(name, got=repr(chosen), expected="one of " + ", ".join(presets))
    return {key: presets[chosen][key] if value is None else value for key, value in given.items()}
