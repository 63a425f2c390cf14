"""norse: layers over whole sequences."""

from __future__ import annotations

import norse.torch as norse
import torch
from torch import Tensor, nn

from benchmarks.contenders.in_torch import Stage, TorchContender
from benchmarks.workloads import DT, TAU_MEM, TAU_SYN

INVERSE = {"tau_syn_inv": torch.tensor(1 / TAU_SYN), "tau_mem_inv": torch.tensor(1 / TAU_MEM)}


class Norse(TorchContender):
    """`LIF`, `LIFRecurrent` and `LI`, all current-based."""

    # the membrane takes up dt / tau_mem of its current in a step
    gain = TAU_MEM / DT

    def neurons(self, shape: tuple[int, ...], recurrent: Tensor | None) -> nn.Module:
        """See `TorchContender`."""
        return norse.LIF(norse.LIFParameters(**INVERSE), dt=DT)

    def readout(self, size: int) -> nn.Module:
        """See `TorchContender`."""
        return norse.LI(norse.LIParameters(**INVERSE), dt=DT)

    def recurrent_stage(self, connection: nn.Module, weight: Tensor) -> Stage:
        """A layer of norse that is connected to itself holds its input weights too."""
        layer = norse.LIFRecurrent(
            *reversed(connection.weight.shape),
            norse.LIFParameters(**INVERSE),
            input_weights=connection.weight,
            recurrent_weights=nn.Parameter(weight),
            autapses=True,
            dt=DT,
        )
        return nn.Identity(), layer
