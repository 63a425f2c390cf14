"""snntorch, as its tutorials use it: all layers inside one loop over time."""

from __future__ import annotations

from itertools import count

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from benchmarks.contenders.in_torch import TorchContender
from benchmarks.workloads import ALPHA, BETA


class SNNTorch(TorchContender):
    """`Synaptic` and `RSynaptic`; the read-out is a `Leaky` that does not reset."""

    def neurons(self, shape: tuple[int, ...], recurrent: Tensor | None) -> nn.Module:
        """See `TorchContender`."""
        options = {"alpha": ALPHA, "beta": BETA, "spike_grad": surrogate.fast_sigmoid()}
        if recurrent is None:
            return snntorch.Synaptic(**options)
        layer = snntorch.RSynaptic(linear_features=shape[0], **options)
        layer.recurrent = nn.Linear(*recurrent.shape, bias=False)
        layer.recurrent.weight = nn.Parameter(recurrent)
        return layer

    def readout(self, size: int) -> nn.Module:
        """See `TorchContender`."""
        return snntorch.Leaky(BETA, reset_mechanism="none")

    def output(self, values: Tensor) -> Tensor:
        """The membrane potential of the read-out, or the spikes where there is none."""
        states = [_rest(neurons) for _, neurons in self.stages]
        kept = []
        place = 0 if self.work.kind == "neurons" else -1
        for step in values.unbind(0):
            for i, (connection, neurons) in zip(count(), self.stages, strict=False):
                spikes, *after = neurons(connection(step), *states[i])
                recurrent = isinstance(neurons, snntorch.RSynaptic)
                states[i] = (spikes, *after) if recurrent else after
                step = spikes
            kept.append((step, *states[-1])[place])
        return torch.stack(kept)


def _rest(neurons: nn.Module) -> list[Tensor]:
    if isinstance(neurons, snntorch.RSynaptic):
        return list(neurons.reset_mem())
    found = neurons.reset_mem()
    return list(found) if isinstance(found, tuple) else [found]
