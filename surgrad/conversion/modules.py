"""The few modules that a converted network has besides ordinary ones and neurons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surgrad.errors import RuleError
from surgrad.kernels.scan import NeuronState, Scan
from surgrad.neurons import Neuron
from surgrad.tableau import Tableau


class Gain(nn.Module):
    """A constant factor where there are no weights to take it.

    Args:
        factor: what values are multiplied with.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(float(factor)))
        self.factor: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """The product."""
        return x * self.factor

    def extra_repr(self) -> str:
        """For `print(net)`."""
        return f"{float(self.factor):.4g}"


class Parallel(nn.Module):
    """Several ways side by side, along the channels: how a residual connection runs in sequence.

    Args:
        ways: a module for each way.
        sizes: the channels of the input that each way gets; None gives all to each.
        add: whether the results are added; else they are joined along the channels.

    Example:
        >>> both = Parallel([nn.Identity(), Gain(10)], sizes=(1, 2))
        >>> both(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[ 1., 20., 30.]])
    """

    def __init__(
        self, ways: Sequence[nn.Module], *, sizes: tuple[int, ...] | None = None, add: bool = False
    ) -> None:
        super().__init__()
        self.ways, self.sizes, self.add = nn.ModuleList(ways), sizes, add

    def forward(self, x: Tensor) -> Tensor:
        """The results of all ways."""
        parts = [x] * len(self.ways) if self.sizes is None else x.split(self.sizes, dim=1)
        found = [way(part) for way, part in zip(self.ways, parts, strict=True)]
        return torch.stack(found).sum(0) if self.add else torch.cat(found, dim=1)

    def extra_repr(self) -> str:
        """For `print(net)`."""
        return f"sizes={self.sizes}, add={self.add}"


class MaxGate(Neuron):
    r"""Max pooling of spike trains: a spike passes if it raises the largest count.

    .. math:: S[n] = \max_j N_j[n] - \max_j N_j[n-1], \qquad N_j[n] = \sum_{m \le n} S_j[m]

    At every step the spikes that have passed are as many as those of the most active input.

    Args:
        pool: `nn.MaxPool2d` or `nn.MaxPool1d`, with its kernel, stride and padding.

    Example:
        >>> gate, spikes = MaxGate(nn.MaxPool1d(2)), torch.tensor([[1.0, 0], [0, 1], [0, 1]])
        >>> gate(spikes.view(3, 1, 1, 2))[0].flatten()
        tensor([1., 0., 1.])

    Differs from: Rueckauer et al. 2017 (spiking max pooling), where the input with the highest
    estimate of its rate so far is let through, so that the count may lag behind the maximum.
    """

    spiking = True

    def __init__(self, pool: nn.Module) -> None:
        super().__init__(None, {}, {"delay": 0})
        self.pool = pool

    def tableau(self) -> Tableau:
        """There is none.

        Raises:
            RuleError: always; rules that follow traces cannot pass.
        """
        raise RuleError(
            "max pooling of spikes",
            got="a rule or an initialisation that needs a linear neuron",
            expected="BPTT, or a network with average pooling",
        )

    def run(
        self, current: Tensor, state: NeuronState | None = None, *, lengths: Tensor | None = None
    ) -> Scan:
        """See `Neuron.run`; spikes end with the neurons before, whatever the lengths."""
        counts = torch.zeros_like(current[0]) if state is None else state.x[0]
        before, passed, peaks = self._largest(counts), [], []
        # a step at a time, which stays in the processor's cache
        for spikes in current.unbind(0):
            counts = counts + spikes
            peaks.append(self._largest(counts))
            passed.append(peaks[-1] - before)
            before = peaks[-1]
        still = torch.zeros_like(before)
        after = NeuronState(counts[None], passed[-1], still, still)
        return Scan(torch.stack(passed), torch.stack(peaks), after)

    def _largest(self, counts: Tensor) -> Tensor:
        """The pooled counts; where no gradient needs one winner, by axes, ten times as fast."""
        pool: Any = self.pool
        axes = 1 if isinstance(pool, nn.MaxPool1d) else 2
        options = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        kernel, stride, padding, dilation = (_each(option, axes) for option in options)
        if torch.is_grad_enabled() or pool.ceil_mode or max(dilation) > 1:
            return pool(counts)
        # counts are nowhere below the zeros of the padding
        counts = F.pad(counts, [side for size in padding[::-1] for side in (size, size)])
        for axis in range(axes):
            windows = counts.unfold(axis - axes, kernel[axis], stride[axis])
            counts = reduce(torch.maximum, windows.unbind(-1))
        return counts


def _each(option: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (option,) * axes if isinstance(option, int) else option
