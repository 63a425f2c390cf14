"""Low-passed spikes as the signal that is differentiated: spikes take away what comes in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surgrad.errors import RuleError
from surgrad.learning.base import Batch, Need
from surgrad.learning.forward import ForwardRule, Setting, Signal
from surgrad.learning.forward.cells import Cell, Fire, spike_of
from surgrad.learning.forward.feedback import through_layers
from surgrad.network import Sequential, Stage
from surgrad.neurons import NonlinearNeuron, SpikingNeuron
from surgrad.tableau import Tableau


@dataclass(frozen=True)
class LowPass(ForwardRule):
    r"""Back-propagation on low-passed spike trains, a rate code without rates.

    The membrane is what comes in less what the neuron's own spikes have taken away,

    .. math:: v_i[n] = \sum_k W_{ik} x_k[n] - a_i[n], \qquad
        x_k = \varepsilon * S_k, \qquad a_i = \eta * S_i,

    with the post-synaptic potential ε and the response η of the membrane to the reset, both from
    the tableau. Beside the two terms the membrane itself is small and jumps about; it is taken for
    noise. So a neuron that fires is linear, :math:`a \approx W x`, and one that does not is
    nothing:

    .. math:: \frac{\partial a_i}{\partial W_{ik}} = x_k, \qquad
        \delta^l_i[n] = \frac{[i \text{ has fired}]}{\sum_{m \le n} \eta_i[m]}
        \sum_{m \le n} \varepsilon^{l+1}[m]\, \sum_j W^{l+1}_{ji} \delta^{l+1}_j[n], \qquad
        \frac{dE}{dW^l_{ik}} \approx \sum_n \delta^l_i[n]\, x_k[n]

    There is no surrogate derivative, no derivative of a rate, and memory does not grow with time.
    The sums turn the signal that a layer is about into that which the next one gets of it: `a`
    over that of η is the rate so far.

    Args:
        normalise: instead of these sums, the factors of a layer's neurons that have fired have a
            mean of one, and in each sample a layer's errors are larger by :math:`\sqrt{M / m}`,
            where `m` of its `M` neurons have fired: no layer's errors fade.

    Example:
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> layers = torch.nn.Linear(3, 8), LIF(8), torch.nn.Linear(8, 2), LI(2)
        >>> net = Sequential(*layers, dt=1e-3)
        >>> batch = torch.ones(40, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = LowPass().gradients(net, batch, losses.mean_over_time)
        >>> silent = result.counts[0].sum(0) == 0
        >>> bool((net[0].weight.grad[silent] == 0).all())  # no credit without a spike
        True

    References: J. H. Lee, T. Delbruck & M. Pfeiffer, Frontiers in Neuroscience 10 (2016), section
    2 on the transfer function, its derivatives and error normalisation. Theirs are LIF neurons,
    for which :math:`\sum \varepsilon / \sum \eta = 1 / \vartheta`, thresholds are learned, layers
    inhibit themselves laterally, and the loss is about counts at the end of a sample.
    """

    normalise: bool = False

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return frozenset({"other layers", "weight transport"})

    def check(self, on: Setting) -> None:
        """Refuse neurons whose spikes take away nothing, or an amount that depends on the rest."""
        for cell in on.cells:
            neuron = cell.stage.neuron
            if not isinstance(neuron, SpikingNeuron):
                continue
            learnable = [name for name, constant in neuron.constants.items() if constant.learn]
            linear = not isinstance(neuron, NonlinearNeuron)
            if not linear or neuron.reset != "subtract" or learnable:
                got = f"reset = {neuron.reset!r}" if linear else "no tableau"
                raise RuleError(
                    f"{type(neuron).__name__} of {cell.stage.name} under LowPass",
                    got=f"learnable {', '.join(learnable)}" if learnable else got,
                    expected="a linear neuron whose spikes subtract from its membrane, and whose "
                    "weights alone are learned",
                    fix="take reset = 'subtract' without learn, or use BPTT or EProp",
                )

    def fire(self, stage: Stage, net: Sequential, batch: Batch) -> Fire | None:
        """See `ForwardRule.fire`: its slope is one over the sum of η once a neuron has fired."""
        neuron = stage.neuron
        if not isinstance(neuron, SpikingNeuron) or isinstance(neuron, NonlinearNeuron):
            return None
        spike, taken = spike_of(stage), taken_away(neuron.tableau(), batch.time)
        fired: list[Tensor] = []

        def fire(v: Tensor, n: int) -> tuple[Tensor, Tensor]:
            s = spike(v).detach()
            so_far = s > 0 if n == 0 else fired.pop() | (s > 0)
            fired[:] = [so_far]
            return s, so_far.to(v) / taken[n].to(v)

        return fire

    def signal(self, on: Setting) -> Signal:
        """See `ForwardRule.signal`."""
        cells, steps = on.cells, on.batch.time
        kernels = [cell.tableau.kernel(steps).reshape(steps, -1) for cell in cells]
        heard = [kernel.mean(1).cumsum(0).tolist() for kernel in kernels]

        def gain(i: int, n: int) -> float:
            return 1.0 if self.normalise else heard[i][n]

        return through_layers(cells, gain, self._factor)

    def _factor(self, cell: Cell, slope: Tensor) -> Tensor:
        if not self.normalise or not cell.spiking:
            return slope
        # a share of the neurons has fired; where none has, all is zero
        active = (slope > 0).to(slope)
        scale = slope.sum() / active.sum().clamp(min=1)
        share = active.flatten(1).mean(1).clamp(min=1e-12)
        return slope / scale.clamp(min=1e-30) / share.sqrt().view(-1, *(1,) * (slope.dim() - 1))


def taken_away(tableau: Tableau, steps: int) -> Tensor:
    r"""The sums of η: what a spike has taken from the membrane after so many steps.

    Args:
        tableau: of a neuron that a spike subtracts from.
        steps: how many.

    Returns:
        `(steps, *broadcast features)`.

    Example:
        >>> from surgrad.neurons import LIF
        >>> tableau = LIF(tau_mem=20e-3, threshold=2.0, dt=1e-3).tableau()
        >>> taken_away(tableau, 3) / tableau.kernel(3).cumsum(0)
        tensor([2., 2., 2.], dtype=torch.float64)
    """
    with torch.no_grad():
        return -tableau._replace(b=tableau.r).kernel(steps).cumsum(0)
