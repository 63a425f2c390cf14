"""sinabs: layers over whole sequences, batch first."""

from __future__ import annotations

from sinabs import layers
from sinabs.activation import SingleSpike
from torch import Tensor, nn

from benchmarks.contenders.in_torch import TorchContender
from benchmarks.workloads import ALPHA, DT, TAU_MEM, TAU_SYN


class Sinabs(TorchContender):
    """`LIF` with a synapse, `LIFRecurrent` and `ExpLeak`."""

    time_axis = 1
    # an input decays once before it acts
    gain = 1 / ALPHA

    def neurons(self, shape: tuple[int, ...], recurrent: Tensor | None) -> nn.Module:
        """See `TorchContender`."""
        options = {
            "tau_mem": TAU_MEM / DT,
            "tau_syn": TAU_SYN / DT,
            "spike_fn": SingleSpike,
            "norm_input": False,
        }
        if recurrent is None:
            return layers.LIF(**options)
        connection = nn.Linear(*recurrent.shape, bias=False)
        connection.weight = nn.Parameter(recurrent)
        return layers.LIFRecurrent(rec_connect=connection, **options)

    def readout(self, size: int) -> nn.Module:
        """See `TorchContender`."""
        return layers.ExpLeak(TAU_MEM / DT)

    def reset(self) -> None:
        """See `TorchContender`."""
        for _, neurons in self.stages:
            neurons.reset_states()
