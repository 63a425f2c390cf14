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
HIDDEN, STEPS, EPOCHS, BATCH, RATE = 150, 24, 30, 25, 0.2
CHAINS = 8
"""Runs whose label spikes are added: one alone stays with the first label that it falls into."""


def probabilities(samples: Samples) -> Tensor:
    """Pixels and labels, as the visible neurons get them."""
    pixels = torch.as_tensor(samples.inputs).flatten(1)
    labels = torch.as_tensor(samples.targets)
    marks = torch.nn.functional.one_hot(labels, 10).float().repeat_interleave(COPIES, 1)
    return torch.cat([pixels, marks], 1)


def by_spikes(net: SpikingRBM, samples: Samples, generator: torch.Generator) -> float:
    """The label whose neurons are on most of the time, with the pixels clamped."""
    known = torch.arange(len(net.visible)) < 64
    data = (probabilities(samples) * known).repeat(CHAINS, 1)
    on = net.complete(data, known, generator)[:, 64:]
    answer = on.view(CHAINS, len(samples), 10, COPIES).sum((0, 3)).argmax(1)
    return float((answer == torch.as_tensor(samples.targets)).float().mean())


def by_energy(net: SpikingRBM, samples: Samples) -> float:
    """The label of the least free energy."""
    data, marks = probabilities(samples), torch.eye(10).repeat_interleave(COPIES, 1)
    energies = []
    for mark in marks:
        data[:, 64:] = mark
        energies.append(net.free_energy(data))
    answer = torch.stack(energies, 1).argmin(1)
    return float((answer == torch.as_tensor(samples.targets)).float().mean())


def run(seed: int) -> tuple[float, float]:
    """Accuracy on the test samples after the last epoch, by spikes and by the free energy."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    splits = Digits(encoding="constant", time=1).load()
    data = probabilities(splits.train)
    net = SpikingRBM(data.shape[1], HIDDEN, steps=STEPS)
    optimiser = optim.SGD(net.parameters(), RATE, momentum=0.5, weight_decay=1e-3)
    for epoch in range(1, EPOCHS + 1):
        for index in torch.randperm(len(data), generator=generator).split(BATCH):
            optimiser.zero_grad()
            net.gradients(data[index], generator)
            optimiser.step()
        if epoch % 10 == 0:
            print(f"seed {seed} epoch {epoch}: {by_energy(net, splits.validation):.4f}", flush=True)
    return by_spikes(net, splits.test, generator), by_energy(net, splits.test)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="A Boltzmann machine of spiking neurons on digits."
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    found = [run(seed) for seed in parser.parse_args().seeds]
    for name, values in zip(("spikes", "free energy"), zip(*found, strict=True), strict=True):
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: {100 * statistics.mean(values):.2f} ± {100 * deviation:.2f} %")


if __name__ == "__main__":
    main()
