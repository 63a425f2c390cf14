"""spikingjelly: layers in its multi-step mode."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from benchmarks.contenders.in_torch import TorchContender
from benchmarks.workloads import ALPHA, BETA, TRIANGLE, Model


class Cuba(TorchContender):
    """`CUBALIFNode`; the read-out is a `NonSpikingLIFNode`."""

    def single(self) -> nn.Module:
        """The neurons."""
        return neuron.CUBALIFNode(c_decay=ALPHA, v_decay=BETA, v_threshold=1.0, v_reset=None)

    def neurons(self, shape: tuple[int, ...], recurrent: Tensor | None) -> nn.Module:
        """See `TorchContender`."""
        node = self.single()
        if recurrent is not None:
            return Stepped(node, recurrent)
        functional.set_step_mode(node, "m")
        return node

    def readout(self, size: int) -> nn.Module:
        """See `TorchContender`."""
        node = neuron.NonSpikingLIFNode(tau=1 / (1 - BETA))
        functional.set_step_mode(node, "m")
        return node

    def reset(self) -> None:
        """See `TorchContender`."""
        functional.reset_net(self.net)


class Jelly(Cuba):
    """`LIFNode`, which has its own operation on the CPU."""

    model: Model = "LIF"

    def single(self) -> nn.Module:
        """The neurons."""
        return neuron.LIFNode(
            tau=1 / (1 - BETA),
            decay_input=False,
            v_reset=None,
            detach_reset=True,
            surrogate_function=self.surrogate(),
        )

    def surrogate(self) -> nn.Module:
        """The surrogate derivative, that of the library by default."""
        return surrogate.Sigmoid()


class Triangle(Jelly):
    """With a surrogate derivative that is zero away from the threshold."""

    def surrogate(self) -> nn.Module:
        """See `Jelly`."""
        return surrogate.PiecewiseQuadratic(TRIANGLE)


class Stepped(nn.Module):
    """Neurons that know one step, over all steps; with weights onto themselves, if given."""

    def __init__(self, neurons: nn.Module, recurrent: Tensor | None = None) -> None:
        super().__init__()
        self.neurons = neurons
        self.recurrent = None
        if recurrent is not None:
            self.recurrent = nn.Linear(*recurrent.shape, bias=False)
            self.recurrent.weight = nn.Parameter(recurrent)

    def forward(self, values: Tensor) -> Tensor:
        """Time first."""
        outputs: list[Tensor] = []
        for current in values.unbind(0):
            if self.recurrent is not None and outputs:
                current = current + self.recurrent(outputs[-1])
            outputs.append(self.neurons(current))
        return torch.stack(outputs)
