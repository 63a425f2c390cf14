"""Gradients of spike times, beside other libraries that have them: verified, then timed in turn.

    python -m benchmarks.first_spikes
    python -m benchmarks.first_spikes --python jax=JAX/bin/python torch=TORCH/bin/python

Two layers of current-based LIF neurons with τ_mem = 2 τ_syn, from input spikes to output spikes, a
loss that is linear in the times of the first output spikes, and the gradients of all weights.
Neurons spike once ("once"), or as often as they reach the threshold, reset to zero ("often").
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.child import Child, RefusedError
from benchmarks.first_spikes_worker import CONTENDERS
from surgrad.timing.eventprop import Neurons, spike_times

# seconds
TAU_SYN, WINDOW, END = 5e-3, 30e-3, 60e-3
# relative to the largest; peers compute in single precision, some on a grid
TIMES, GRADIENTS = 1e-3, 2e-2
WARM_UP = 2
# seconds of a step that is not repeated
LONG = 10.0
# to wait for one, compilation included
PATIENCE = 120.0


class Net(NamedTuple):
    """What is timed: units, samples in a batch, input spikes of a sample, batches of an epoch."""

    sizes: tuple[int, int, int]
    batch: int
    spikes: int
    batches: int


NETS = {
    "yin_yang": Net((5, 120, 3), 50, 5, 100),
    "mnist": Net((784, 350, 10), 32, 150, 1688),
}


def draw(net: Net) -> dict[str, Any]:
    """Input spikes, weights that keep about every second neuron alive, and the loss."""
    generator = np.random.default_rng(0)
    inputs, hidden, outputs = net.sizes
    times = np.full((net.batch, inputs), np.inf)
    for row in times:
        chosen = generator.permutation(inputs)[: net.spikes]
        row[chosen] = generator.uniform(0.5e-3, WINDOW, net.spikes)
    # the response to one spike of weight one peaks at 1 / 4
    first = generator.normal(6 / net.spikes, 6 / net.spikes**0.5 / 2, (inputs, hidden))
    second = generator.normal(12 / hidden, 6 / hidden**0.5, (hidden, outputs))
    return {"times": times, "first": first, "second": second, "tau": TAU_SYN, "end": END,
            "price": generator.normal(0, 1, (net.batch, outputs)),
            "spikes": most(times, first)}  # fmt: skip


def most(times: np.ndarray, weights: np.ndarray) -> int:
    """The spikes of the hidden layer in the liveliest sample: some peers reserve room for them."""
    neurons = Neurons(2 * TAU_SYN, TAU_SYN, 1.0, END)
    given = torch.from_numpy(times)[..., None]
    found = spike_times(given, torch.from_numpy(weights).t().contiguous(), neurons)
    return int(found.isfinite().sum((1, 2)).max())


def run(
    net: Net,
    mode: str,
    pythons: dict[str, str],
    rounds: int,
    without: tuple[str, ...] = (),
    threads: int = 1,
) -> list[str]:
    """Rows of the table: milliseconds of a step, against the first contender."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "data.npz"
        np.savez(file, **draw(net))
        live, truth, rows, medians = {}, None, [], {}
        for name, entry in CONTENDERS.items():
            if mode not in entry.modes or name in without:
                continue
            python = pythons.get(entry.family, sys.executable)
            words = ("benchmarks.first_spikes_worker", name, str(file), mode)
            try:
                child = stack.enter_context(Child(python, threads, PATIENCE, *words))
                found = dict(np.load(child.ask("step", out=str(folder / "found.npz"))["out"]))
                truth = truth or found
                why = differs(found, truth)
                if why:
                    raise RefusedError("failed", why)
                live[name] = child
            except RefusedError as error:
                rows.append(f"| {name} | {error} | | |")
        medians = {name: statistics.median(taken) for name, taken in timed(live, rounds).items()}
        best = next(iter(medians.values()))
        for name, median in medians.items():
            epoch = median * net.batches
            rows.append(f"| {name} | {1e3 * median:.2f} | {median / best:.1f} | {epoch:.2f} |")
    return rows


def timed(live: dict[str, Child], rounds: int) -> dict[str, list[float]]:
    """Seconds of the steps of each, in turn; whose step is long makes only one."""
    seconds = {name: [] for name in live}
    for turn in range(WARM_UP + rounds):
        for name, child in live.items():
            if seconds[name] and seconds[name][-1] > LONG:
                continue
            taken = child.ask("time")["seconds"]
            if turn >= WARM_UP or taken > LONG:
                seconds[name].append(taken)
    return seconds


def differs(found: dict[str, Any], truth: dict[str, Any]) -> str:
    """What of the times and gradients is not those of the first contender; empty if nothing."""
    for name, bound in (("times", TIMES), ("first", GRADIENTS), ("second", GRADIENTS)):
        a, b = (np.nan_to_num(part[name], posinf=2 * END) for part in (found, truth))
        # a spike that one has and the other has not: allow for one in a hundred
        off = np.abs(a - b) > bound * np.abs(b).max()
        if name == "times" and off.mean() > 0.01:
            return f"{off.mean():.0%} of the output spikes lie elsewhere"
        cosine = float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))
        if name != "times" and not cosine > 1 - bound:
            return f"the gradient of the {name} weights has a cosine of {cosine:.3f}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Time gradients of spike times beside peers.")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=[*NETS])
    parser.add_argument("--modes", nargs="+", choices=("once", "often"), default=["once", "often"])
    parser.add_argument("--python", nargs="+", default=[], metavar="FAMILY=INTERPRETER")
    parser.add_argument("--without", nargs="+", choices=CONTENDERS, default=[])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    pythons = dict(text.split("=", 1) for text in options.python)
    for name in options.nets:
        for mode in options.modes:
            sizes = "-".join(map(str, NETS[name].sizes))
            print(f"\n{name}, {sizes}, batch {NETS[name].batch}, neurons spike {mode}\n")
            print("| library | ms a step | times | s an epoch |\n|---|---|---|---|")
            how = (pythons, options.rounds, tuple(options.without), options.threads)
            print("\n".join(run(NETS[name], mode, *how)), flush=True)


if __name__ == "__main__":
    main()
