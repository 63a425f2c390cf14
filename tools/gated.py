"""Digits by gated synapses of several widths, tested with spikes: the table of the results page.

    python tools/gated.py --seeds 0 1 2

Rows lie in runs/gated/; what is there is not computed again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import torch
from torch import nn, optim

from surgrad.data.base import Splits
from surgrad.data.digits import Digits
from surgrad.data.loader import loader
from surgrad.files import atomic_write
from surgrad.learning import BPTT
from surgrad.liveness import initialise
from surgrad.network import Sequential
from surgrad.neurons import LI
from surgrad.objectives import losses
from surgrad.smoothing import GatedLIF

RUNS = Path("runs/gated")
WIDTHS = (1.0, 0.5, 0.2, 0.1, 0.05)
EPOCHS, BATCH = 20, 64


def accuracy(net: Sequential, splits: Splits, part: str, *, spikes: bool) -> float:
    """With spikes, or with the gate as it was trained."""
    batch = getattr(splits, part).__getitems__(range(len(getattr(splits, part))))
    net.train(not spikes)
    with torch.no_grad():
        output, _ = net(batch[0])
    return float((losses.mean_over_time.predict(output) == batch[1]).float().mean())


def run(width: float, seed: int) -> dict[str, float]:
    """Accuracy on the test samples with gates and with spikes, of the epoch best with spikes."""
    torch.manual_seed(seed)
    splits = Digits(kind="digits").load()
    hidden = GatedLIF(64, tau_mem=20e-3, width=width, detach_reset=False)
    net = Sequential(nn.Linear(64, 64), hidden, nn.Linear(64, 10), LI(10), dt=splits.info.dt)
    initialise(net, splits.train.__getitems__(range(256))[0])
    optimiser = optim.Adam(net.parameters(), 3e-3)
    best, kept = 0.0, {}
    for _ in range(EPOCHS):
        net.train()
        for batch in loader(splits.train, BATCH, shuffle=True):
            optimiser.zero_grad()
            BPTT().gradients(net, batch, losses.mean_over_time)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
        found = accuracy(net, splits, "validation", spikes=True)
        if found >= best:
            best, kept = found, {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(kept)
    names = {"gated": False, "spikes": True}
    return {k: accuracy(net, splits, "test", spikes=v) for k, v in names.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Gated synapses of several widths.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    seeds = parser.parse_args().seeds
    print("| width | with the gate | with spikes |\n|---|---|---|")
    for width in WIDTHS:
        found = []
        for seed in seeds:
            path = RUNS / f"digits-{width:g}-{seed}.json"
            if not path.exists():
                result = run(width, seed)
                RUNS.mkdir(parents=True, exist_ok=True)
                atomic_write(path, json.dumps(result))
            found.append(json.loads(path.read_text()))
        cells = [spread([100 * one[key] for one in found]) for key in ("gated", "spikes")]
        print(f"| {width:g} | " + " | ".join(cells) + " |", flush=True)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2f} ± {deviation:.2f}"


if __name__ == "__main__":
    main()
