"""Train analogue networks, convert them with each method, and print the tables of the results page.

    python tools/conversion.py train --data mnist fashion_mnist --nets mlp convnet --seeds 0 1 2
    python tools/conversion.py table --data mnist fashion_mnist --nets mlp convnet --seeds 0 1 2

Weights and rows lie in runs/conversion/; what is there is not computed again. The networks are
factories that `surgrad convert tools/conversion.py:convnet --weights FILE` takes as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
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
        nn.Conv2d(1, 16, 5, stride=2, padding=2),
        # the maximum first, which is the same and less to do
        *(nn.BatchNorm2d(16), nn.MaxPool2d(2), activation()),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), activation(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 9, 128), activation(), nn.Dropout(0.3)),
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
    # convolutions are a third faster so
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
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
    net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
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


def table(kind: str, name: str, seeds: list[int], limit: int | None, steps: list[int]) -> None:
    """Measure each method on the test samples, and print a row for each."""
    data = pictures(kind)
    pair = data["test"][0][:limit], data["test"][1][:limit]
    for make in reversed(NETS[name]):
        for method in OWN if make.__name__.endswith("qcfs") else ORDER:
            found = [measured(kind, make, method, seed, data, pair, steps) for seed in seeds]
            show(f"{kind} {make.__name__}", method, found, steps)


def measured(
    kind: str,
    make: Callable[[], nn.Module],
    method: str,
    seed: int,
    data: dict[str, Pair],
    pair: Pair,
    steps: list[int],
) -> dict[str, Any]:
    """What one network and method do; what is there for the same samples and steps is taken."""
    stem = f"{kind}-{make.__name__}"
    path = RUNS / f"{stem}-{method.replace(' ', '-')}-{seed}.json"
    if path.exists():
        found = json.loads(path.read_text())
        known = {point["steps"] for point in found["points"]}
        if found["samples"] == len(pair[1]) and known >= set(steps):
            return found
    start, net = time.perf_counter(), make()
    net.load_state_dict(load_file(RUNS / f"{stem}-{seed}.safetensors"))
    # the calibration sees training samples only
    seen = data["train"][0][:1024].split(128)
    correct = True if method.endswith("corrected") else None
    spiking = convert(net, seen, method=method.split()[0], correct=correct)
    points = against_time(spiking, batches(pair, 100), steps)
    found = {
        "samples": len(pair[1]),
        "analogue": accuracy(net, pair),
        "multiplications": multiplications(net, pair[0][:1]),
        "points": [asdict(point) for point in points],
        "seconds": time.perf_counter() - start,
    }
    atomic_write(path, json.dumps(found))
    return found


def show(name: str, method: str, found: list[dict[str, Any]], steps: list[int]) -> None:
    """One row of Markdown, the mean over the networks and their standard deviation."""
    at = [{point["steps"]: point for point in one["points"]} for one in found]
    cells = [name, method, spread([one["analogue"] for one in found])]
    cells += [spread([points[step]["accuracy"] for points in at]) for step in steps]
    if 8 in steps:
        spikes, operations = (
            statistics.mean(points[8][key] for points in at) for key in ("spikes", "operations")
        )
        cells += [f"{spikes:.0f}", f"{operations / 1e3:.0f}k"]
    print("| " + " | ".join(cells) + " |", flush=True)


def spread(values: list[float]) -> str:
    """Mean ± standard deviation in percent."""
    mean = f"{100 * statistics.mean(values):.2f}"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


def main() -> None:
    parser = argparse.ArgumentParser(description="Train, convert, compare.")
    parser.add_argument("action", choices=["train", "table"])
    parser.add_argument("--data", nargs="+", default=["mnist"])
    parser.add_argument("--nets", nargs="+", default=["mlp"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--limit", type=int, default=None, help="test samples in the table")
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS, help="of the table")
    options = parser.parse_args()
    for name in options.nets:
        for kind in options.data:
            if options.action == "table":
                table(kind, name, options.seeds, options.limit, list(options.steps))
                continue
            for seed in options.seeds:
                for make in NETS[name]:
                    train(kind, make.__name__, make, seed, EPOCHS[name])


if __name__ == "__main__":
    main()
