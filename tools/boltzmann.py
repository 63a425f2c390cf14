"""Digits by a Boltzmann machine of spiking neurons: trained, its labels filled in, and scored.

python tools/boltzmann.py --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import statistics

import torch
from torch import Tensor, optim

from surgrad.data.base import Samples
from surgrad.data.digits import Digits
from surgrad.smoothing import SpikingRBM

COPIES = 4
"""Visible neurons for each label."""
HIDDEN, STEPS, EPOCHS, BATCH, RATE = 200, 32, 30, 50, 1e-2


def probabilities(samples: Samples) -> Tensor:
    """Pixels and labels, as the visible neurons get them."""
    pixels = torch.as_tensor(samples.inputs).flatten(1)
    labels = torch.as_tensor(samples.targets)
    marks = torch.nn.functional.one_hot(labels, 10).float().repeat_interleave(COPIES, 1)
    return torch.cat([pixels, marks], 1)


def accuracy(net: SpikingRBM, samples: Samples, generator: torch.Generator) -> float:
    """The label whose neurons are on most of the time, with the pixels clamped."""
    known = torch.arange(len(net.visible)) < 64
    on = net.complete(probabilities(samples) * known, known, generator)[:, 64:]
    answer = on.view(-1, 10, COPIES).sum(2).argmax(1)
    return float((answer == samples.targets).float().mean())


def run(seed: int) -> tuple[float, float]:
    """Accuracy on the validation and the test samples after the last epoch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    splits = Digits(encoding="constant", time=1).load()
    data = probabilities(splits.train)
    net = SpikingRBM(data.shape[1], HIDDEN, steps=STEPS)
    optimiser = optim.Adam(net.parameters(), RATE)
    batches = -(-len(data) // BATCH)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(data), generator=generator).split(BATCH):
            optimiser.zero_grad()
            net.gradients(data[index], generator)
            optimiser.step()
            schedule.step()
    scores = [accuracy(net, part, generator) for part in (splits.validation, splits.test)]
    print(f"seed {seed}: validation {scores[0]:.4f}, test {scores[1]:.4f}", flush=True)
    return scores[0], scores[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="A Boltzmann machine of spiking neurons on digits."
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    found = [run(seed) for seed in parser.parse_args().seeds]
    for name, values in zip(("validation", "test"), zip(*found, strict=True), strict=True):
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: {100 * statistics.mean(values):.2f} ± {100 * deviation:.2f} %")


if __name__ == "__main__":
    main()
