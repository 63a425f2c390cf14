"""Layers of spike times in sequence, for the rules and the training loop of all networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor

from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.kernels.first_spike.op import SpikeTimeWarning
from surgrad.network import Network, Record, State
from surgrad.timing.layers import SpikeTimeLayer


def first_times(spikes: SpikeTrain | Tensor, dt: float) -> Tensor:
    """When each unit spikes first, float64 seconds `(batch, units)`; infinite if it never does.

    Args:
        spikes: a spike train, or spikes `(time, batch, *features)`; a spike in step n is at `n dt`.
        dt: the width of a step in seconds.

    Example:
        >>> spikes = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]]])
        >>> first_times(spikes, 1e-3)
        tensor([[0.0010,    inf]], dtype=torch.float64)
    """
    train = spikes if isinstance(spikes, SpikeTrain) else SpikeTrain.from_dense(spikes)
    step, unit, sample = train.events()
    times = torch.full((train.batch * train.units,), torch.inf, dtype=torch.float64)
    times = times.to(train.device)
    times.scatter_reduce_(0, sample * train.units + unit, step.double() * dt, "amin")
    return times.view(train.batch, train.units)


class SpikeTimes(Network):
    """A network whose neurons spike once, at times that are computed and not stepped to.

    Its output is one step, the spike times in seconds, which losses on first spikes take. With
    `BPTT` the gradient is exact.

    Args:
        layers: `NonLeaky`, `LIFDouble`, `LIFEqual`, `SpikeResponse`, in any combination.
        dt: the width of the steps that the input comes in, in seconds.

    Raises:
        ArgumentError: if there are no layers, or one does not fit the next.

    Example:
        >>> from surgrad.timing.layers import NonLeaky
        >>> net = SpikeTimes(NonLeaky(5, 20), NonLeaky(20, 3))
        >>> net(torch.zeros(7, 5)).shape
        torch.Size([7, 3])
    """

    def __init__(self, *layers: SpikeTimeLayer, dt: float = 1e-3) -> None:
        super().__init__()
        if not layers:
            raise ArgumentError("SpikeTimes", got="no layers", expected="at least one")
        for before, after in pairwise(layers):
            if before.out_features != after.in_features:
                raise ArgumentError(
                    f"in_features of {after}", got=after.in_features, expected=before.out_features
                )
        for index, layer in enumerate(layers):
            self.add_module(str(index), layer)
        self._dt = dt

    @property
    def dt(self) -> float:
        """The width of the steps that the input comes in, in seconds."""
        return self._dt

    @property
    def neurons(self) -> list[SpikeTimeLayer]:
        """The layers, in order."""
        return cast("list[SpikeTimeLayer]", list(self.children()))

    @property
    def weights(self) -> list[Tensor]:
        """The weights onto each layer."""
        return [layer.weight for layer in self.neurons]

    @property
    def names(self) -> list[str]:
        """See `Network.names`."""
        return [*(f"hidden {index + 1}" for index in range(len(self.neurons) - 1)), "read-out"]

    def forward(
        self,
        inputs: SpikeTrain | Tensor,
        *,
        lengths: Tensor | None = None,
        record: Record | None = None,
    ) -> Tensor:
        """The first spikes of the last layer in seconds, `(batch, neurons)`.

        Args:
            inputs: spike times in seconds, `(batch, units)`, or spikes in steps as for `run`.
            lengths: of the samples; a time needs none.
            record: what to keep of each layer; of spike times it has the counts only.

        Raises:
            ShapeError: if the number of units is not that of the first layer.
            EventError: if a time is not a number.
        """
        stepped = isinstance(inputs, SpikeTrain) or inputs.dim() > 2
        times = first_times(inputs, self.dt) if stepped else cast(Tensor, inputs)
        grid = torch.arange(inputs.shape[0], device=times.device) * self.dt if stepped else None
        return self._layers(times, record, grid)

    def run(
        self,
        inputs: SpikeTrain | Tensor,
        state: State | None = None,
        *,
        lengths: Tensor | None = None,
        record: Record | None = None,
    ) -> tuple[Tensor, tuple[()]]:
        """As `Network.run`: of spikes in steps, the output times as one step.

        Args:
            inputs: spikes `(time, batch, *features)`, of which the first of each unit counts.
            state: there is none.
            lengths: of the samples; a time needs none.
            record: what to keep of each layer, put on the steps of the input.

        Returns:
            the spike times in seconds, `(1, batch, neurons)`, and no state.
        """
        return self(inputs, lengths=lengths, record=record).unsqueeze(0), ()

    def initialise(
        self, inputs: SpikeTrain | Tensor, generator: torch.Generator | None = None
    ) -> None:
        """Draw all weights anew, each layer for the spikes that it really gets.

        Args:
            inputs: a batch of real input.
            generator: for reproducible draws.

        Raises:
            ArgumentError: if the input has no spikes at all.
        """
        times = first_times(inputs, self.dt)
        if not torch.isfinite(times).any():
            raise ArgumentError(
                "input to initialise with", got="no spike at all", expected="a batch of real input"
            )
        with torch.no_grad():
            for layer in self.neurons:
                layer.reset(float(torch.isfinite(times).sum(1).double().mean()), generator)
                times = layer(times.to(layer.weight.dtype))

    def _layers(self, times: Tensor, record: Record | None, grid: Tensor | None) -> Tensor:
        if times.dim() != 2:
            raise ShapeError(
                "spike times", got=f"shape {tuple(times.shape)}", expected="(batch, units)"
            )
        self._warn(times, "input")
        for name, layer in zip(self.names, self.neurons, strict=True):
            given = times.to(layer.weight.dtype)
            times = layer(given)
            self._warn(times, name)
            if record is not None:
                record.layers.append(dict(self._kept(record, layer, given, times, grid)))
        return times

    @staticmethod
    def _warn(times: Tensor, name: str) -> None:
        if times.numel() and not torch.isfinite(times.detach()).any():
            warnings.warn(
                f"{name}: no spike in a whole batch, so nothing behind it learns; raise the drive "
                "of the layer or its regulariser's strength",
                SpikeTimeWarning,
                stacklevel=4,
            )

    def _kept(
        self,
        record: Record,
        layer: SpikeTimeLayer,
        given: Tensor,
        times: Tensor,
        grid: Tensor | None,
    ) -> Iterator[tuple[str, Tensor]]:
        if "counts" in record.fields:
            yield "counts", torch.isfinite(times.detach()).float()
        if grid is None or not {"s", "v"} & set(record.fields):
            return
        early = grid[:, None, None] - times.detach()
        if "s" in record.fields:
            yield "s", ((early > -self.dt) & (early <= 0)).to(times)
        if "v" in record.fields:
            yield "v", layer.potential(given, grid).detach().where(early < 0, 0.0)
