"""Train analogue networks, convert them with each method, and print the tables of the results page.

    python tools/conversion.py train --data mnist fashion_mnist --nets mlp convnet
    python tools/conversion.py table --data mnist fashion_mnist --nets mlp convnet

Weights and rows lie in runs/conversion/; what is there is not computed again. The networks are
factories that `surgrad convert tools/conversion.py:convnet --weights FILE` takes as well.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn, optim
from torch.nn.functional import cross_entropy

from surgrad.conversion import QCFS, against_time, convert, multiplications
from surgrad.data.catalogue import DATASETS
from surgrad.files import atomic_write

RUNS = Path("runs/conversion")
EPOCHS = {"mlp": 20, "convnet": 4}
BATCH = 128
ORDER = ("percentile", "calibrated", "shift", "max")
OWN = ("qcfs", "qcfs corrected")
STEPS = (1, 2, 4, 8, 16, 32, 64)
Pair = tuple[Tensor, Tensor]


def mlp(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """784-256-256-10."""
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, 256), nn.BatchNorm1d(256), activation(), nn.Dropout(0.2)),
        *(nn.Linear(256, 256), nn.BatchNorm1d(256), activation(), nn.Dropout(0.2)),
        nn.Linear(256, 10),
    )


def convnet(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Two convolutions, the maximum behind the first and the mean behind the second."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), activation(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), activation(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 49, 128), activation(), nn.Dropout(0.3)),
        nn.Linear(128, 10),
    )


def mlp_qcfs() -> nn.Sequential:
    """The same with the activation of Bu et al."""
    return mlp(QCFS)


def convnet_qcfs() -> nn.Sequential:
    """The same with the activation of Bu et al."""
    return convnet(QCFS)


NETS = {"mlp": (mlp, mlp_qcfs), "convnet": (convnet, convnet_qcfs)}


def pictures(kind: str) -> dict[str, Pair]:
    """Pixels in [0, 1] and labels of each part; the split is that of all other results."""
    splits = DATASETS[kind].model_validate({"encoding": "constant", "time": 1}).load()
    found = {}
    for name in ("train", "validation", "test"):
        samples = getattr(splits, name)
        found[name] = samples.inputs[:, 0].unsqueeze(1), samples.targets
    return found


def batches(pair: Pair, size: int = 250) -> Iterator[Pair]:
    """In order."""
    return zip(*(part.split(size) for part in pair), strict=True)


def accuracy(net: nn.Module, pair: Pair) -> float:
    """Of the analogue network."""
    net.eval()
    with torch.no_grad():
        right = sum(int((net(x).argmax(1) == y).sum()) for x, y in batches(pair))
    return right / len(pair[1])


def fit(net: nn.Module, data: dict[str, Pair], epochs: int, peak: float, name: str) -> None:
    """Adam with one cycle; leaves the weights of the epoch best on the validation samples."""
    best, start = 0.0, time.perf_counter()
    x, y = data["train"]
    optimiser = optim.Adam(net.parameters(), 1e-3)
    steps = epochs * -(-len(y) // BATCH)
    schedule = optim.lr_scheduler.OneCycleLR(optimiser, peak, steps, cycle_momentum=False)
    kept: dict[str, Tensor] = {}
    for epoch in range(1, epochs + 1):
        net.train()
        for index in torch.randperm(len(y)).split(BATCH):
            optimiser.zero_grad()
            cross_entropy(net(x[index]), y[index]).backward()
            optimiser.step()
            schedule.step()
        found = accuracy(net, data["validation"])
        if found >= best:
            best, kept = found, {k: v.clone() for k, v in net.state_dict().items()}
        spent = time.perf_counter() - start
        print(f"{name} epoch {epoch}: {100 * found:.2f} %, {spent:.0f} s", flush=True)
    net.load_state_dict(kept)


def train(kind: str, name: str, make: Callable[[], nn.Module], seed: int, epochs: int) -> None:
    """Weights for a kind of pictures, unless they are there."""
    out = RUNS / f"{kind}-{name}-{seed}.safetensors"
    if out.exists():
        return
    torch.manual_seed(seed)
    net = make()
    fit(net, pictures(kind), epochs, 3e-3, out.stem)
    RUNS.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), out)


def table(kind: str, name: str, seed: int, limit: int | None) -> None:
    """Measure each method on the test samples, and print a row for each."""
    data = pictures(kind)
    x, y = (part[:limit] for part in data["test"])
    # the calibration sees training samples only
    seen = data["train"][0][:1024].split(128)
    for make in reversed(NETS[name]):
        net = make()
        weights = RUNS / f"{kind}-{make.__name__}-{seed}.safetensors"
        net.load_state_dict(load_file(weights))
        own = make.__name__.endswith("qcfs")
        for method in OWN if own else ORDER:
            path = RUNS / f"{kind}-{make.__name__}-{method.replace(' ', '-')}-{seed}.json"
            if not path.exists():
                start = time.perf_counter()
                correct = True if method.endswith("corrected") else None
                spiking = convert(net, seen, method=method.split()[0], correct=correct)
                points = against_time(spiking, batches((x, y), 25), STEPS)
                found = {
                    "samples": len(y),
                    "analogue": accuracy(net, (x, y)),
                    "multiplications": multiplications(net, x[:1]),
                    "points": [asdict(point) for point in points],
                    "seconds": time.perf_counter() - start,
                }
                atomic_write(path, json.dumps(found))
            show(f"{kind} {make.__name__}", method, json.loads(path.read_text()))


def show(name: str, method: str, found: dict[str, Any]) -> None:
    """One row of Markdown."""
    shown = [f"{100 * point['accuracy']:.2f}" for point in found["points"]]
    at = next(point for point in found["points"] if point["steps"] == 8)
    cost = f"{at['spikes']:.0f} | {at['operations'] / 1e3:.0f}k"
    cells = [name, method, f"{100 * found['analogue']:.2f}", *shown, cost]
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train, convert, compare.")
    parser.add_argument("action", choices=["train", "table"])
    parser.add_argument("--data", nargs="+", default=["mnist"])
    parser.add_argument("--nets", nargs="+", default=["mlp"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--limit", type=int, default=None, help="test samples in the table")
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.nets:
            for kind in options.data:
                if options.action == "table":
                    table(kind, name, seed, options.limit)
                    continue
                for make in NETS[name]:
                    train(kind, make.__name__, make, seed, EPOCHS[name])


if __name__ == "__main__":
    main()
