"""A neuron of ion channels, whose spikes are smooth by themselves."""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

import torch
from torch import Tensor

from surgrad.neurons.base import Reset, Size, SpikingOptions
from surgrad.neurons.nonlinear import NonlinearNeuron
from surgrad.neurons.parameters import Bounded, Value
from surgrad.neurons.planar import from_preset
from surgrad.spikes import Soft
from surgrad.surrogates import sigmoid

Excitability = Literal["class_1", "class_2"]

EXCITABILITY: dict[str, dict[str, float]] = {
    "class_1": {"tau_mem": 10e-3, "tau_recovery": 15e-3, "calcium": 2.0, "potassium": 4.0},
    "class_2": {"tau_mem": 10e-3, "tau_recovery": 25e-3, "calcium": 2.2, "potassium": 4.0},
}
"""The constants of `MorrisLecar` by the way in which it begins to fire."""

# mV: where half of the potassium channels are open, and over how much they open
_OPENING = {"class_1": (12.0, 17.4), "class_2": (2.0, 30.0)}
# mV: the same of the calcium channels
_CALCIUM = (-1.2, 18.0)
# mV: the reversal potentials of calcium, potassium and the leak
_REVERSAL = (120.0, -84.0, -60.0)
HEIGHT = 60.0
"""Millivolts from the leak's reversal potential to 0 mV."""
RELEASE = 5.0
"""Millivolts over which a membrane that rises begins to release."""
SHARE_BOUNDS = (1e-2, 1e2)


class MorrisLecar(NonlinearNeuron):
    r"""Morris and Lecar's neuron: calcium lifts the membrane, potassium brings it down again.

    .. math::
        C \dot V = -g_L (V - V_L) - g_\mathrm{Ca} m_\infty(V) (V - V_\mathrm{Ca})
        - g_K w (V - V_K) + I, \qquad \dot w = \phi \cosh \tfrac{V - V_3}{2 V_4}\, (w_\infty(V) - w)

    with :math:`m_\infty = \frac{1}{2} (1 + \tanh \frac{V - V_1}{V_2})` and :math:`w_\infty` alike
    with :math:`V_3, V_4`. There is no threshold and no reset: a spike is a trajectory that comes
    back by itself. What others get of it is what its terminals release,

    .. math:: S = \sigma\big( (V - V_T) / K_p \big), \qquad V_T = 0, \quad K_p = 5\,\mathrm{mV},

    a smooth pulse of some milliseconds. So the network has a true gradient, which `BPTT` computes
    without a surrogate. Its "counts" are the sum of releases over steps.

    The membrane potential `U` is measured from :math:`V_L` in units of the 60 mV to zero, so
    that `threshold` is :math:`V_T`. In a step each conductance is held and the linear equation
    that remains is solved exactly, so that no step leaves the range of reversal potentials but by
    what arrives. The state zero is half a millivolt off the neuron's rest.

    Args:
        size: the number of neurons.
        excitability: "class_1", which begins to fire as slowly as one likes, or "class_2", which
            begins at a rate; its constants are taken for those left out.
        tau_mem: :math:`C / g_L` in seconds.
        tau_recovery: :math:`1 / \phi` in seconds.
        calcium: :math:`g_\mathrm{Ca} / g_L`.
        potassium: :math:`g_K / g_L`.
        options: see `SpikingOptions`; the reset is "none", the spike function that of the release.

    Example:
        >>> neuron = MorrisLecar(1, dt=0.5e-3)
        >>> pulses, _ = neuron(torch.full((400, 1, 1), 0.5 * 45 / 20 / 60))
        >>> int(((pulses[1:] > 0.5) & (pulses[:-1] <= 0.5)).sum())
        2

    References: C. Morris & H. Lecar, Biophysical Journal 35 (1981), eq. 9; the constants
    are those of J. Rinzel & G. B. Ermentrout, in: Methods in Neuronal Modeling (1989), appendix A:
    C = 20 µF/cm², conductances 4 or 4.4, 8, 2 mS/cm². Release as in A. Destexhe, Z. Mainen & T.
    Sejnowski, Neural Computation 6 (1994), there with :math:`V_T` = 2 mV.
    """

    components = 2
    resets: ClassVar[tuple[Reset, ...]] = ("none",)

    tau_mem: Bounded
    tau_recovery: Bounded
    calcium: Bounded
    potassium: Bounded

    def __init__(
        self,
        size: Size = None,
        *,
        excitability: Excitability = "class_1",
        tau_mem: Value | None = None,
        tau_recovery: Value | None = None,
        calcium: Value | None = None,
        potassium: Value | None = None,
        **options: Unpack[SpikingOptions],
    ) -> None:
        given = {
            "tau_mem": tau_mem,
            "tau_recovery": tau_recovery,
            "calcium": calcium,
            "potassium": potassium,
        }
        name = "excitability of MorrisLecar"
        constants = from_preset(name, EXCITABILITY, excitability, given)
        own = {"calcium": SHARE_BOUNDS, "potassium": SHARE_BOUNDS}
        bounds = own | dict(options.get("bounds", {}))
        super().__init__(size, constants, {**options, "bounds": bounds})
        self.opening = _OPENING[excitability]
        if self.spike is None:
            self.spike = Soft(sigmoid(HEIGHT / RELEASE))

    def advance(self, x: list[Tensor], drive: Tensor, s: Tensor) -> list[Tensor]:
        """See `NonlinearNeuron.advance`; the last spikes have done nothing."""
        u, w = x
        v = _REVERSAL[2] + HEIGHT * u
        calcium = self.calcium().to(u) * _open(v, *_CALCIUM)
        potassium = self.potassium().to(u) * w
        total = 1 + calcium + potassium
        lift, fall = (_in_heights(potential) for potential in _REVERSAL[:2])
        goal = (calcium * lift + potassium * fall) / total
        held = torch.exp(-self.step / self.tau_mem().to(u) * total)
        middle, width = self.opening
        # far from the middle a step is over at once, however far
        speed = torch.cosh(((v - middle) / (2 * width)).clamp(-20, 20))
        rho = torch.exp(-self.step / self.tau_recovery().to(u) * speed)
        goes_to = _open(v, middle, width)
        return [goal + (u - goal) * held + drive, goes_to + (w - goes_to) * rho]

    def onset(self) -> Tensor:
        """See `NonlinearNeuron.onset`: half of the way to zero, where calcium takes over."""
        return self.threshold() / 2


def _open(v: Tensor, middle: float, width: float) -> Tensor:
    """The share of channels that are open in the long run."""
    return 0.5 * (1 + torch.tanh((v - middle) / width))


def _in_heights(potential: float) -> float:
    return (potential - _REVERSAL[2]) / HEIGHT
