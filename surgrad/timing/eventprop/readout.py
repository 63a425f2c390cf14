"""A read-out without a threshold: its potential at any time, over time, and where it is highest."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from surgrad.kernels import blocks
from surgrad.kernels.compiled import Kernel
from surgrad.timing.eventprop.crossing import response, summit


def kappa(h: Tensor, tau_mem: float, tau_syn: float) -> Tensor:
    r"""The potential a time `h` after a unit input, zero before it; see `crossing`.

    Args:
        h: in seconds, of any shape; may be infinite.
        tau_mem: of the membrane, in seconds.
        tau_syn: of the synapse, in seconds.
    """
    # no derivative passes through what lies before the input
    after = h > 0
    s = torch.where(after & h.isfinite(), h, torch.ones_like(h))
    rate = 1 / tau_syn - 1 / tau_mem
    grown = torch.expm1(s * rate) / (s * rate) if rate else torch.ones_like(s)
    value = s / tau_mem * torch.exp(-s / tau_syn) * grown
    if rate:
        # for a synapse so much faster that the growth overflows
        slow = (torch.exp(-s / tau_mem) - torch.exp(-s / tau_syn)) * (tau_syn / (tau_mem - tau_syn))
        value = torch.where(s * rate > 500, slow, value)
    return torch.where(after & h.isfinite(), value, 0.0)


@Kernel
def highest(order, first, last, constants, times, which, width, weights, best, at, owner):
    """Find when each potential is highest up to the end, from the first event to the last.

    Takes:
        order: see `Kernel`.
        first, last: the samples.
        constants: τ_m, τ_s, the end.
        times, which, width, weights: as in `forward.feed_forward`.
        best, at: `(batch, neurons)`, filled with the potential and the time.
        owner: the input spike whose arrival that is, or -1.
    """
    tau_m, tau_s, until = constants
    arrivals = times.shape[2]
    for b in range(first, last):
        for n in range(weights.shape[0]):
            row = 0 if times.shape[1] == 1 else n
            v, i, t = 0.0, 0.0, 0.0
            top, place, whose = 0.0, 0.0, -1
            for e in range(arrivals + 1):
                arrival = times[b, row, e] if e < arrivals else math.inf
                stop = min(arrival, until)
                if i > v and i > 0:
                    h = summit(v, i, tau_m, tau_s)
                    if h < stop - t:
                        decay, _, kap = response(h, tau_m, tau_s)
                        if v * decay + i * kap > top:
                            top, place, whose = v * decay + i * kap, t + h, -1
                if stop == math.inf:
                    break
                decay, current, kap = response(stop - t, tau_m, tau_s)
                v, i = v * decay + i * kap, i * current
                t = stop
                if v > top:
                    top, place, whose = v, t, -1
                    if arrival <= until:
                        whose = which[b, row, e]
                if arrival > until or e == arrivals:
                    break
                i += weights[n, which[b, row, e] // width]
            best[b, n], at[b, n], owner[b, n] = top, place, whose


class Readout:
    r"""The potential of neurons that do not spike, as a function of their inputs.

    .. math:: U_k(t) = \sum_{j} w_{kj} \sum_{t_j} \kappa(t - t_j - d_{kj})

    Args:
        times: of the input spikes in seconds, `(batch, inputs, spikes)`, infinite where there is
            none.
        weight: `(neurons, inputs)`.
        tau_mem: of the membrane, in seconds.
        tau_syn: of the synapse, in seconds.
        delay: of each synapse in seconds, `(neurons, inputs)`.

    Example:
        >>> times = torch.tensor([[[0.0]]], dtype=torch.float64)
        >>> weight = torch.ones(1, 1, dtype=torch.float64)
        >>> Readout(times, weight, 1.0, 1.0).maximum(9.0).item()  # t exp(-t) is highest at t = 1
        0.36787944117144233
    """

    def __init__(
        self,
        times: Tensor,
        weight: Tensor,
        tau_mem: float,
        tau_syn: float,
        delay: Tensor | None = None,
    ) -> None:
        self.times, self.weight, self.delay = times, weight, delay
        self.tau_mem, self.tau_syn = tau_mem, tau_syn

    @property
    def _arrivals(self) -> Tensor:
        """`(batch, neurons or 1, inputs, spikes)`."""
        arriving = self.times[:, None]
        return arriving if self.delay is None else arriving + self.delay[None, :, :, None]

    def _sum(self, response: Tensor) -> Tensor:
        """Weighted over inputs: `(batch, neurons or 1, inputs)` to `(batch, neurons)`."""
        return (response * self.weight).sum(-1)

    def at(self, time: Tensor) -> Tensor:
        """The potential at a time for each sample and neuron, `(batch, neurons)`, in seconds."""
        since = time[:, :, None, None] - self._arrivals
        return self._sum(kappa(since, self.tau_mem, self.tau_syn).sum(-1))

    def integral(self, until: float) -> Tensor:
        r"""The integral of the potential from 0 to `until`, `(batch, neurons)`.

        .. math:: \int_0^T U_k = \sum w\, \big(\tau_s (1 - e^{-h/\tau_s}) - \tau_m \kappa(h)\big)_+,
            \quad h = T - t_j - d_{kj}
        """
        left = (until - self._arrivals).clamp(min=0)
        charge = -self.tau_syn * torch.expm1(-left / self.tau_syn)
        stored = self.tau_mem * kappa(left, self.tau_mem, self.tau_syn)
        return self._sum((charge - stored).sum(-1))

    def maximum(self, until: float = math.inf) -> Tensor:
        """The highest potential between 0 and `until`, `(batch, neurons)`.

        At a smooth maximum the time of it adds nothing to the derivative; at one that the arrival
        of an inhibitory spike ends, it moves with that spike.
        """
        arrivals = self._arrivals.flatten(2)
        times, which = arrivals.detach().double().sort(dim=2, stable=True)
        shape = (len(self.times), len(self.weight))
        best, at = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))
        owner = torch.zeros(shape, dtype=torch.int64)
        constants, width = (self.tau_mem, self.tau_syn, until), self.times.shape[2]
        weights = self.weight.detach().double().contiguous()
        arrays = [t.numpy() for t in (weights, best, at, owner)]
        ordered = times.numpy(), which.numpy(), width

        def work(_: int, first: int, last: int) -> None:
            highest((), first, last, constants, *ordered, *arrays)

        blocks.run(blocks.bounds(len(self.times)), work)
        mine = arrivals.expand(-1, len(self.weight), -1)
        moving = mine.gather(2, owner.clamp(min=0)[:, :, None])[:, :, 0]
        return self.at(torch.where(owner >= 0, moving, at.to(arrivals)))
