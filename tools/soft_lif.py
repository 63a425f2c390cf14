"""Train with soft-LIF rates, run LIF neurons, and print the table of the results page.

    python tools/soft_lif.py --seeds 0 1 2 3 4

Rows lie in runs/soft_lif/; what is there is not computed again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from conversion import accuracy, batches, pictures
from torch import Tensor, nn, optim
from torch.nn.functional import cross_entropy

from surgrad.conversion.rates import SoftLIF, to_lif
from surgrad.files import atomic_write

RUNS = Path("runs/soft_lif")
EPOCHS, BATCH = 10, 128
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


def train(data: dict[str, Any], seed: int) -> nn.Sequential:
    """Adam with one cycle; the epoch that is best on the validation samples is kept."""
    torch.manual_seed(seed)
    net, best, kept = mlp(), 0.0, {}
    start(net)
    x, y = data["train"]
    optimiser = optim.Adam(net.parameters(), 1e-3)
    steps = EPOCHS * -(-len(y) // BATCH)
    schedule = optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps, cycle_momentum=False)
    for epoch in range(1, EPOCHS + 1):
        net.train()
        for index in torch.randperm(len(y)).split(BATCH):
            optimiser.zero_grad()
            cross_entropy(net(x[index]), y[index]).backward()
            optimiser.step()
            schedule.step()
        found = accuracy(net, data["validation"])
        if found >= best:
            best, kept = found, {k: v.clone() for k, v in net.state_dict().items()}
        print(f"seed {seed} epoch {epoch}: {100 * found:.2f} %", flush=True)
    net.load_state_dict(kept)
    return net


def spiking(net: nn.Sequential, pair: tuple[Tensor, Tensor]) -> list[float]:
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
