"""Back-propagation through time, whole and truncated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from surgrad.errors import ArgumentError
from surgrad.learning.base import EVERYTHING, Batch, Need, Result, Rule, evaluate, spiking_counts
from surgrad.network import Record, Sequential, State
from surgrad.objectives import Loss, Objective, as_objective


@dataclass(frozen=True)
class BPTT(Rule):
    r"""Back-propagation through time of the network with its surrogate derivative.

    The network is unrolled over all steps and differentiated; memory grows as O(NT). Of a network
    that is computed from spike to spike (`surgrad.timing.SpikeTimes`) the gradient is exact.

    Example:
        >>> from torch import nn
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> net = Sequential(nn.Linear(3, 8), LIF(8), nn.Linear(8, 2), LI(2), dt=1e-3)
        >>> batch = torch.ones(10, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = BPTT().gradients(net, batch, losses.max_over_time)
        >>> all(p.grad is not None for p in net.parameters())
        True

    References: Neftci, Mostafa & Zenke 2019, section III.
    """

    exact = "surrogate"
    exact_when = "always"

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return EVERYTHING

    def gradients(self, net: Sequential, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        record = Record("counts")
        output, _ = net.run(full.inputs, lengths=full.lengths, record=record)
        counts = spiking_counts(net, record)
        value, penalty = evaluate(net, full, objective, output, counts)
        (value + penalty).backward()
        return Result.of(value, output, counts, penalty)


@dataclass(frozen=True)
class TruncatedBPTT(Rule):
    r"""Back-propagation through time within windows of `window` steps.

    State passes from window to window, its gradient does not. Any loss will do: a first pass
    without a graph computes the output and the loss's gradient with respect to it, a second pass
    runs each window again and propagates its part. So memory grows with the window, not with time
    (but for the network's output), at the cost of one more forward pass.

    Args:
        window: the steps that the gradient reaches back, at least 1.

    Raises:
        ArgumentError: if `window` is not a positive number.

    References: Williams & Peng 1990. Differs from it in that windows do not overlap.
    """

    window: int = 50

    exact = "surrogate"
    exact_when = "the window is at least as long as the sequence"

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return EVERYTHING

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ArgumentError(
                "window of TruncatedBPTT", got=self.window, expected="1 or more steps"
            )

    def gradients(self, net: Sequential, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        buffers = [buffer.clone() for buffer in net.buffers()]
        random = torch.get_rng_state()
        with torch.no_grad():
            windows = list(self._windows(net, full))
        output = torch.cat([piece for piece, _ in windows]).requires_grad_()
        layers = zip(*(counts for _, counts in windows), strict=True)
        counts = [torch.stack(layer).sum(0).requires_grad_() for layer in layers]
        value, penalty = evaluate(net, full, objective, output, counts)
        (value + penalty).backward()
        # the second pass must repeat the first: the same noise, the same running statistics
        torch.set_rng_state(random)
        for buffer, saved in zip(net.buffers(), buffers, strict=True):
            buffer.copy_(saved)
        errors = [_gradient(output), *(_gradient(layer) for layer in counts)]
        for index, (piece, spikes) in enumerate(self._windows(net, full)):
            start = index * self.window
            error = [errors[0][start : start + self.window], *errors[1:]]
            pairs = zip([piece, *spikes], error, strict=True)
            reached = [(value, grad) for value, grad in pairs if value.requires_grad]
            if reached:
                values, grads = zip(*reached, strict=True)
                torch.autograd.backward(values, grads)
        return Result.of(value, output, counts, penalty)

    def _windows(self, net: Sequential, batch: Batch) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """The output and the spike counts of one window after the other."""
        state: State | None = None
        for start in range(0, batch.time, self.window):
            piece = batch.inputs[start : start + self.window]
            left = None if batch.lengths is None else (batch.lengths - start).clamp(0, len(piece))
            record = Record("counts")
            output, state = net.run(piece, state, lengths=left, record=record)
            state = tuple(layer.detach() for layer in state)
            yield output, spiking_counts(net, record)


def _gradient(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
