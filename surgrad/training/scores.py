"""How good a network is on some samples: loss, accuracy, firing rates, confusion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from surgrad.data.base import Info, Samples
from surgrad.data.loader import loader
from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch, spiking_counts
from surgrad.network import Network, Record
from surgrad.objectives import Objective, predict


@dataclass(frozen=True)
class Scores:
    """The result of a pass through samples.

    Attributes:
        loss: the mean over samples (over labelled steps where each step has a label).
        accuracy: the share of right classes, None where the targets are no classes.
        rates: the mean rate of each spiking layer in hertz.
        confusion: how often each class (row) was taken for each (column); empty without classes.
    """

    loss: float
    accuracy: float | None
    rates: list[float]
    confusion: list[list[int]]

    def brief(self) -> dict[str, float]:
        """Loss and, where there is one, accuracy."""
        found = {"loss": self.loss}
        return found if self.accuracy is None else found | {"accuracy": self.accuracy}


class Tally:
    """Sums over batches, on whatever device they are.

    Args:
        objective: its loss says what the network's answer is.
        info: of the data.
        dt: the width of a step in seconds.
    """

    def __init__(self, objective: Objective, info: Info, dt: float) -> None:
        self.objective, self.info, self.dt = objective, info, dt
        self.loss, self.weight, self.steps = 0.0, 0, 0
        classes = info.classes or 0
        self.confusion = torch.zeros(classes, classes, dtype=torch.long)
        self.spikes: list[float] = []

    def add(self, batch: Batch, loss: Tensor, output: Tensor, counts: list[Tensor]) -> None:
        """Count a batch, with its mean loss, the network's output and the spikes of its layers."""
        weight = output.shape[1]
        if self.info.classes is not None:
            truth = torch.as_tensor(batch.targets)
            answer = predict(self.objective, output, batch.lengths, truth)
            labelled = truth >= 0
            if truth.dim() > 1:
                steps = torch.arange(len(truth), device=truth.device)
                labelled &= steps[:, None] < batch.valid
            weight = int(labelled.sum())
            pairs = truth[labelled] * self.info.classes + answer[labelled]
            found = torch.bincount(pairs.cpu(), minlength=self.confusion.numel())
            self.confusion += found.view_as(self.confusion)
        self.loss += float(loss) * weight
        self.weight += weight
        self.steps += int(batch.valid.sum())
        sums = [float(layer.sum()) / layer[0].numel() for layer in counts]
        self.spikes = [a + b for a, b in zip(self.spikes or [0.0] * len(sums), sums, strict=True)]

    def scores(self) -> Scores:
        """What has come together so far."""
        total = int(self.confusion.sum())
        seconds = self.steps * self.dt
        return Scores(
            loss=self.loss / max(self.weight, 1),
            accuracy=int(self.confusion.trace()) / max(total, 1) if self.info.classes else None,
            rates=[spikes / seconds if seconds else 0.0 for spikes in self.spikes],
            confusion=self.confusion.tolist(),
        )


def evaluate(
    net: Network, samples: Samples, objective: Objective, info: Info, batch_size: int
) -> Scores:
    """Run the network over samples, without gradients and in evaluation mode.

    Args:
        net: the network, on any device.
        samples: each is used once.
        objective: the loss, and how an output is read.
        info: of the data set.
        batch_size: how many at a time.
    """
    tally = Tally(objective, info, net.dt)
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    with torch.no_grad():
        for one in loader(samples, batch_size):
            batch, record = on(one, device), Record("counts")
            output, _ = net.run(batch.inputs, lengths=batch.lengths, record=record)
            loss = objective.data(output, batch.targets, batch.lengths)
            tally.add(batch, loss, output, spiking_counts(net, record))
    net.train(was_training)
    return tally.scores()


def on(batch: Iterable[Any], device: torch.device) -> Batch:
    """A batch on a device, with its lengths where there are any."""
    parts: tuple[Any, ...] = tuple(part if part is None else part.to(device) for part in batch)
    moved = Batch(*parts)
    if moved.lengths is None and isinstance(moved.inputs, SpikeTrain):
        return moved._replace(lengths=moved.inputs.lengths)
    return moved
