"""Unsupervised STDP on MNIST: train, read out by votes, draw what the neurons have learned.

    python tools/diehl_cook.py --seeds 0 1 2 3 4
    python tools/diehl_cook.py --samples 2000 --neurons 100

Every number lies in runs/diehl_cook/, and the receptive fields beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from surgrad.data.catalogue import DATASETS
from surgrad.data.encoders import poisson
from surgrad.events import SpikeTrain
from surgrad.files import atomic_write
from surgrad.plasticity import DiehlCook, Votes

RUNS = Path("runs/diehl_cook")
STEPS, RATE, PIECE = 100, 100.0, 1000
FIRST, LAST = 0.1, 0.005
LABELLED = 10_000


def encode(x: Tensor, generator: torch.Generator) -> SpikeTrain:
    """Poisson spikes, up to 100 Hz for 100 ms."""
    return poisson(RATE * x.flatten(1), time=STEPS, dt=1e-3, generator=generator)


def responses(net: DiehlCook, x: Tensor, generator: torch.Generator) -> Tensor:
    """Spike counts without learning."""
    return torch.cat([net(encode(part, generator)) for part in x.split(PIECE)])


def run(seed: int, neurons: int, samples: int | None, epochs: int) -> None:
    """One network, from its first weights to the test samples."""
    splits = DATASETS["mnist"].model_validate({"encoding": "constant", "time": 1}).load()
    parts = {name: (part.inputs[:, 0], part.targets) for name, part in splits._asdict().items()
             if name != "info"}  # fmt: skip
    x, y = (value[:samples] for value in parts.pop("train"))
    generator = torch.Generator().manual_seed(seed)
    net = DiehlCook(784, neurons, generator)
    start, spikes, inside = time.perf_counter(), 0.0, 0.0
    order = torch.cat([torch.randperm(len(x), generator=generator) for _ in range(epochs)])
    for number, index in enumerate(order.split(PIECE)):
        share = number * PIECE / len(order)
        train = encode(x[index], generator)
        before = time.perf_counter()
        spikes += float(net.learn(train, rate=FIRST * (LAST / FIRST) ** share).sum())
        inside += time.perf_counter() - before
    spent = time.perf_counter() - start
    # the neurons are named after training samples
    votes = Votes.of(responses(net, x[:LABELLED], generator), y[:LABELLED], 10)
    found = {"seed": seed, "seconds": spent, "kernel": inside, "spikes": spikes / len(order)}
    for part, (held, labels) in parts.items():
        counts = responses(net, held, generator)
        for weighted in (False, True):
            right = (votes.predict(counts, weighted=weighted) == labels).float().mean()
            found[f"{part}.{'weighted' if weighted else 'vote'}"] = float(right)
    RUNS.mkdir(parents=True, exist_ok=True)
    name = f"{neurons}-{samples or 'all'}-{seed}"
    atomic_write(RUNS / f"{name}.json", json.dumps(found))
    draw(net, RUNS / f"{name}.png")


def draw(net: DiehlCook, path: Path) -> None:
    """The weights of each neuron as a picture of the input."""
    from PIL import Image

    side = int(net.weight.shape[1] ** 0.5)
    fields = net.weight.T[: side * side].view(side, side, 28, 28)
    picture = (fields / fields.amax((2, 3), keepdim=True)).permute(0, 2, 1, 3)
    shades = 255 - 255 * picture.reshape(28 * side, 28 * side)
    # sixteen shades of grey are enough for the eye
    Image.fromarray(shades.byte().numpy()).quantize(16).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Unsupervised STDP on MNIST.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--neurons", type=int, default=400)
    parser.add_argument("--samples", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    for seed in options.seeds:
        path = RUNS / f"{options.neurons}-{options.samples or 'all'}-{seed}.json"
        if not path.exists():
            run(seed, options.neurons, options.samples, options.epochs)
        found = json.loads(path.read_text())
        print("  ".join(f"{key} {value:.4g}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
