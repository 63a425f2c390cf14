"""spikingjelly: layers in its multi-step mode."""

from __future__ import annotations

from spikingjelly.activation_based import functional, neuron
from torch import Tensor, nn

from benchmarks.contenders.in_torch import Stepped, TorchContender
from benchmarks.workloads import ALPHA, BETA, Model


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
            tau=1 / (1 - BETA), decay_input=False, v_reset=None, detach_reset=True
        )
