"""Back-propagation through time, whole and truncated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from surgrad.errors import ArgumentError, RuleError
from surgrad.learning.base import (
    EVERYTHING,
    Batch,
    Need,
    Result,
    Rule,
    evaluate,
    spiking_counts,
    stepped,
)
from surgrad.learning.windows import (
    LONG,
    best_window,
    checkpointed,
    repeatable,
    run_window,
    windows,
)
from surgrad.network import Network, Record, Sequential, State
from surgrad.objectives import Loss, Objective, as_objective


@dataclass(frozen=True)
class BPTT(Rule):
    r"""Back-propagation through time of the network with its surrogate derivative.

    The network is unrolled over all steps and differentiated, whose memory grows as O(NT). A
    checkpointed sequence keeps the states at the start of each window and computes its steps again
    on the way back: the same gradient, memory that grows as O(N √T), and the time of one more
    forward pass. (The network's output and a dense input are kept whole.) Of a network
    that is computed from spike to spike (`surgrad.timing.SpikeTimes`) the gradient is exact.

    Args:
        checkpoint: the steps of a window, or "auto": none up to 500 steps, and beyond them the
            window that needs the least memory, if the network can be run twice with the same
            result; or "never".

    Raises:
        ArgumentError: if `checkpoint` is none of these.
        RuleError: if a window is given, and the network has stochastic neurons or layers with
            running statistics in training.

    Example:
        >>> from torch import nn
        >>> from surgrad.neurons import LI, LIF
        >>> from surgrad.objectives import losses
        >>> net = Sequential(nn.Linear(3, 8), LIF(8), nn.Linear(8, 2), LI(2), dt=1e-3)
        >>> batch = torch.ones(10, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> result = BPTT().gradients(net, batch, losses.max_over_time)
        >>> all(p.grad is not None for p in net.parameters())
        True

    References: Neftci, Mostafa & Zenke 2019, section III; Chen et al. 2016 for the windows.
    """

    checkpoint: int | Literal["auto", "never"] = "auto"

    exact = "surrogate"
    exact_when = "always"

    @property
    def needs(self) -> frozenset[Need]:
        """See `Rule.needs`."""
        return EVERYTHING

    def __post_init__(self) -> None:
        if self.checkpoint not in ("auto", "never"):
            _positive("checkpoint of BPTT", self.checkpoint, 'a number of steps, "auto" or "never"')

    def _window(self, net: Network, time: int) -> int | None:
        """The steps of a window, or None where all steps are kept."""
        if self.checkpoint == "never" or (self.checkpoint == "auto" and time <= LONG):
            return None
        if self.checkpoint == "auto":
            return best_window(net, time) if repeatable(net) else None
        if not repeatable(net):
            raise RuleError(
                "checkpoint of BPTT",
                got="a network that does not give the same result twice",
                expected="one without stochastic neurons, and without running statistics while "
                "it trains",
                fix='write checkpoint = "never"',
            )
        return int(self.checkpoint)

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        window = self._window(net, full.time)
        if window is None:
            record = Record("counts")
            output, _ = net.run(full.inputs, lengths=full.lengths, record=record)
            counts = spiking_counts(net, record)
        else:
            output, counts = checkpointed(net, full, window)
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

    Example:
        >>> from torch import nn
        >>> from surgrad.neurons import LI
        >>> from surgrad.objectives import losses
        >>> net = Sequential(nn.Linear(3, 2), LI(2), dt=1e-3)
        >>> batch = torch.ones(10, 4, 3), torch.zeros(4, dtype=torch.long)
        >>> _ = TruncatedBPTT(window=10).gradients(net, batch, losses.max_over_time)
        >>> found = net[0].weight.grad.clone()
        >>> net.zero_grad()
        >>> _ = BPTT().gradients(net, batch, losses.max_over_time)
        >>> torch.allclose(found, net[0].weight.grad)  # the window holds the whole sequence
        True

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
        _positive("window of TruncatedBPTT", self.window, "1 or more steps")

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        net = stepped(net, self)
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        buffers = [buffer.clone() for buffer in net.buffers()]
        random = torch.get_rng_state()
        with torch.no_grad():
            seen = list(self._windows(net, full))
        output = torch.cat([piece for piece, _ in seen]).requires_grad_()
        layers = zip(*(counts for _, counts in seen), strict=True)
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
        for piece, left in windows(batch, self.window):
            output, counts, state = run_window(net, piece, state, left)
            state = tuple(layer.detach() for layer in state)
            yield output, counts


def _positive(name: str, value: object, expected: str) -> None:
    if not isinstance(value, int) or value < 1:
        raise ArgumentError(name, got=repr(value), expected=expected)


def _gradient(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
