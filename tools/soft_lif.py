"""Train with soft-LIF rates, run LIF neurons, and print the table of the results page.

    python tools/soft_lif.py --seeds 0 1 2 3 4

Rows lie in runs/soft_lif/; what is there is not computed again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from conversion import Pair, accuracy, batches, fit, pictures
from torch import nn

from surgrad.conversion.rates import SoftLIF, to_lif
from surgrad.files import atomic_write

RUNS = Path("runs/soft_lif")
EPOCHS = 10
TIMES = (25, 50, 100, 200)
"""Milliseconds after which the answer is read, from the mean of the last half of them."""


def mlp() -> nn.Sequential:
    """784-256-256-10."""
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, 256), SoftLIF(noise=0.1), nn.Dropout(0.2)),
        *(nn.Linear(256, 256), SoftLIF(noise=0.1), nn.Dropout(0.2)),
        nn.Linear(256, 10),
    )


def start(net: nn.Sequential) -> None:
    """Weights that take a current of either sign a threshold away from the threshold."""
    for module in net:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 2.0 / module.in_features**0.5)
            nn.init.constant_(module.bias, 0.5 if module.out_features > 10 else 0.0)


def train(data: dict[str, Pair], seed: int) -> nn.Sequential:
    """A network for the pictures."""
    torch.manual_seed(seed)
    net = mlp()
    start(net)
    fit(net, data, EPOCHS, 2e-3, f"seed {seed}")
    return net


def spiking(net: nn.Sequential, pair: Pair) -> list[float]:
    """The accuracy of LIF neurons at each time."""
    lif, right = to_lif(net), [0] * len(TIMES)
    with torch.no_grad():
        for x, y in batches(pair):
            output, _ = lif.run(x.expand(max(TIMES), *x.shape))
            for place, time in enumerate(TIMES):
                answer = output[time // 2 : time].mean(0).argmax(1)
                right[place] += int((answer == y).sum())
    return [count / len(pair[1]) for count in right]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train with soft-LIF rates, run LIF neurons.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    data = pictures("mnist")
    for seed in parser.parse_args().seeds:
        path = RUNS / f"mnist-{seed}.json"
        if not path.exists():
            net = train(data, seed)
            found = [accuracy(net, data["test"]), *spiking(net, data["test"])]
            RUNS.mkdir(parents=True, exist_ok=True)
            atomic_write(path, json.dumps(found))
        cells = [f"{100 * value:.2f}" for value in json.loads(path.read_text())]
        print("| " + " | ".join([f"{seed}", *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
