"""A time loop that somebody would write by hand in torch, as it is and with a compiled step."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmarks.contenders.in_torch import TorchContender
from benchmarks.contenders.own import Engine, against_the_definition
from benchmarks.workloads import ALPHA, BETA, Data, Workload

SCALE = 25.0


class Spike(torch.autograd.Function):
    """A step forward, the fast sigmoid's derivative backward."""

    @staticmethod
    def forward(ctx, v: Tensor) -> Tensor:
        """Heaviside."""
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> Tensor:
        """1 / (1 + k |v|)²."""
        (v,) = ctx.saved_tensors
        return grads[0] / (1 + SCALE * v.abs()).square()


def advance(current: Tensor, i: Tensor, u: Tensor, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One step of the paper's neuron: the current that arrived one step ago acts."""
    u = BETA * u + i - s.detach()
    i = ALPHA * i + current
    return i, u, Spike.apply(u - 1)


class Neurons(nn.Module):
    """The loop over time."""

    def __init__(self, step, recurrent: Tensor | None) -> None:
        super().__init__()
        self.step = step
        self.recurrent = None if recurrent is None else nn.Parameter(recurrent)

    def forward(self, values: Tensor) -> Tensor:
        """Spikes."""
        i = u = s = arriving = torch.zeros_like(values[0])
        kept = []
        for current in values.unbind(0):
            if self.recurrent is not None:
                arriving = arriving + s @ self.recurrent.T
            i, u, s = self.step(arriving, i, u, s)
            kept.append(s)
            arriving = current
        return torch.stack(kept)


class Integrators(nn.Module):
    """A leaky read-out."""

    def forward(self, values: Tensor) -> Tensor:
        """Membrane potentials."""
        u = torch.zeros_like(values[0])
        kept = [u]
        for current in values[:-1].unbind(0):
            u = BETA * u + current
            kept.append(u)
        return torch.stack(kept)


class Loop(TorchContender):
    """Linear maps over all steps at once, then a loop."""

    advance: ClassVar = staticmethod(advance)

    def __init__(self, work: Workload, data: Data) -> None:
        self.data = data
        super().__init__(work, data)

    def neurons(self, shape: tuple[int, ...], recurrent: Tensor | None) -> nn.Module:
        """See `TorchContender`."""
        return Neurons(self.advance, recurrent)

    def readout(self, size: int) -> nn.Module:
        """See `TorchContender`."""
        return Integrators()

    def agreement(self) -> tuple[dict[str, float], dict[str, float]]:
        """See `against_the_definition`."""
        return against_the_definition(self.gradients(), Engine.surrogate, self.work, self.data)


class Compiled(Loop):
    """The same loop with a step that `torch.compile` has fused, where there is a compiler."""

    note = ""

    def __init__(self, work: Workload, data: Data) -> None:
        self.advance = torch.compile(advance, dynamic=False)
        super().__init__(work, data)
        try:
            self.step()
        except Exception as error:
            self.note = f"not compiled: {type(error).__name__}"
            self.advance = advance
            super().__init__(work, data)
