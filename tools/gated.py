"""Digits by gated synapses of several widths, tested with spikes and with the gate they had.

    python tools/gated.py --seeds 5

Runs lie in runs/results/, as those of tools/results.py; what is there is not computed again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import results
import torch

from surgrad.smoothing import GatedLIF
from surgrad.training import checkpoint, folder
from surgrad.training.build import build
from surgrad.training.scores import evaluate

FILE = Path("experiments/digits_gated.toml")
WIDTHS = ("1.0", "0.5", "0.2", "0.1", "0.05")


def accuracies(run: Path) -> tuple[float, float]:
    """Of the test samples, with spikes and with the gate, by the weights that a run kept."""
    built = build(folder.read(run))
    checkpoint.load_weights(run / checkpoint.WEIGHTS, built.net)
    size = len(built.splits.test)
    found = []
    for harden in (True, False):
        for neuron in built.net.neurons:
            if isinstance(neuron, GatedLIF):
                neuron.harden = harden
        scores = evaluate(built.net, built.splits.test, built.objective, built.splits.info, size)
        found.append(scores.accuracy or 0.0)
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Gated synapses of several widths.")
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    print("| width | with spikes | with the gate |\n|---|---|---|")
    for width in WIDTHS:
        found = []
        for seed in range(seeds):
            results.run(FILE, seed, "network.layers.0.width", width, 1)
            found.append(accuracies(results.folder(FILE, seed, width)))
        cells = [results.spread(list(column)) for column in zip(*found, strict=True)]
        print(f"| {width} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
