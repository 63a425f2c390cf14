"""Train networks of smooth spikes, and test them as they were trained and hardened into spikes.

    python tools/hardening.py annealed gated --seeds 5

The epoch is chosen by validation samples that are smooth as in training, so that nothing knows of
spikes before the test, or that are hardened too. Runs lie in runs/results/, as those of
tools/results.py; what is there is not computed again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import results
import torch

from surgrad.smoothing import Annealed, GatedLIF
from surgrad.training import checkpoint, folder
from surgrad.training.build import build
from surgrad.training.scores import evaluate


class Family(NamedTuple):
    """Networks that differ in how near to spikes they come in training.

    Attributes:
        file: the experiment.
        key: what says how near.
        values: of that.
        harden: the key of whether evaluation has spikes.
    """

    file: Path
    key: str
    values: tuple[str, ...]
    harden: str


FAMILIES = {
    "annealed": Family(
        Path("experiments/digits_annealed.toml"),
        "network.spike.final",
        ("4", "10", "25", "50", "100"),
        "network.spike.harden",
    ),
    "gated": Family(
        Path("experiments/digits_gated.toml"),
        "network.layers.0.width",
        ("1.0", "0.5", "0.2", "0.1", "0.05"),
        "network.layers.0.harden",
    ),
}


def accuracies(run: Path) -> tuple[float, float]:
    """Of the test samples, smooth and with spikes, by the weights that a run kept."""
    built = build(folder.read(run))
    checkpoint.load_weights(run / checkpoint.WEIGHTS, built.net)
    size = len(built.splits.test)
    found = []
    for harden in (False, True):
        for module in built.net.modules():
            if isinstance(module, Annealed | GatedLIF):
                module.harden = harden
        scores = evaluate(built.net, built.splits.test, built.objective, built.splits.info, size)
        found.append(scores.accuracy or 0.0)
    return found[0], found[1]


def row(family: Family, value: str, seeds: int) -> str:
    """Four columns: both accuracies, of the epoch chosen smooth and of that chosen with spikes."""
    cells = []
    for harden in ("false", "true"):
        changes = {family.key: value, family.harden: harden}
        found = []
        for seed in range(seeds):
            results.run(family.file, seed, changes, 1)
            found.append(accuracies(results.folder(family.file, seed, changes)))
        cells += [results.spread(list(column)) for column in zip(*found, strict=True)]
    return f"| {value} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Smooth networks before and after hardening.")
    parser.add_argument("families", nargs="+", choices=FAMILIES)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.families:
        family = FAMILIES[name]
        heads = ("smooth", "with spikes", "smooth", "with spikes")
        print(f"| {family.key} | " + " | ".join(heads) + " |\n|---|---|---|---|---|")
        for value in family.values:
            print(row(family, value, options.seeds), flush=True)


if __name__ == "__main__":
    main()
