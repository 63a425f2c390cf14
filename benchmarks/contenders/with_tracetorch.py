"""tracetorch: layers that know one step, inside one loop over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from tracetorch import snn
from tracetorch.functional import round_ste

from benchmarks.contenders.base import UnsupportedError
from benchmarks.contenders.in_torch import TorchContender
from benchmarks.workloads import ALPHA, BETA


class TraceTorch(TorchContender):
    """`SLIB` and `LI` with constants that are not learned."""

    # its synapse takes up 1 - α of the current
    gain = 1 / (1 - ALPHA)

    def neurons(self, shape: tuple[int, ...], recurrent: Tensor | None) -> nn.Module:
        """See `TorchContender`."""
        if recurrent is not None:
            raise UnsupportedError("tracetorch connects each neuron to itself only")
        names = ("alpha", "beta", "threshold", "bias")
        layer = snn.SLIB(
            shape[0],
            alpha=ALPHA,
            beta=BETA,
            dim=-len(shape),
            quant_fn=round_ste(),
            **{f"{name}_rank": 0 for name in names},
            **{f"learn_{name}": False for name in names},
        )
        layer.TTcompile()
        return layer

    def readout(self, size: int) -> nn.Module:
        """See `TorchContender`."""
        layer = snn.LI(size, beta=BETA, beta_rank=0, learn_beta=False)
        layer.TTcompile()
        return layer

    def reset(self) -> None:
        """See `TorchContender`."""
        for _, neurons in self.stages:
            neurons.zero_states()

    def output(self, values: Tensor) -> Tensor:
        """See `TorchContender`."""
        kept = []
        for step in values.unbind(0):
            for connection, neurons in self.stages:
                step = neurons(connection(step))
            kept.append(step)
        return torch.stack(kept)
