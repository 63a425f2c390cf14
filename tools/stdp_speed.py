"""Time of a simulated second of the Diehl & Cook network while it learns, here and in BindsNET.

    python tools/stdp_speed.py
    python tools/stdp_speed.py --bindsnet FOLDER

FOLDER is an unpacked wheel of BindsNET; of it only the network and its learning rules are imported,
so that its data sets and their dependencies need not be there. Both get the same Poisson spikes
of MNIST digits, one thread, 400 neurons, steps of 1 ms.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import types
from pathlib import Path

import torch
from diehl_cook import encode

from surgrad.data.catalogue import DATASETS
from surgrad.events import SpikeTrain
from surgrad.plasticity import DiehlCook

NEURONS = 400


def own(spikes: SpikeTrain) -> tuple[float, float]:
    """Seconds, and spikes of a sample."""
    net = DiehlCook(784, NEURONS, torch.Generator().manual_seed(0))
    net.learn(spikes.select(torch.arange(2)), rate=0.05)
    start = time.perf_counter()
    counts = net.learn(spikes, rate=0.05)
    return time.perf_counter() - start, float(counts.sum()) / spikes.batch


def bindsnet(folder: Path, spikes: SpikeTrain) -> tuple[float, float]:
    """The same for `DiehlAndCook2015v2`."""
    package = types.ModuleType("bindsnet")
    package.__path__ = [str(folder / "bindsnet")]
    sys.modules["bindsnet"] = package
    # the models import in a circle that opens here
    importlib.import_module("bindsnet.network")
    from bindsnet.models import DiehlAndCook2015v2  # type: ignore[import-not-found]
    from bindsnet.network.monitors import Monitor  # type: ignore[import-not-found]

    torch.manual_seed(0)
    net = DiehlAndCook2015v2(n_inpt=784, n_neurons=NEURONS, dt=1.0)
    monitor = Monitor(net.layers["Y"], state_vars=("s",), time=spikes.time)
    net.add_monitor(monitor, name="Y")
    dense, total, start = spikes.to_dense().bool(), 0.0, 0.0
    for index in range(-2, spikes.batch):
        if index == 0:
            start = time.perf_counter()
        net.run(inputs={"X": dense[:, [max(index, 0)]]}, time=spikes.time)
        total += float(monitor.get("s").sum()) if index >= 0 else 0.0
        net.reset_state_variables()
    return time.perf_counter() - start, total / spikes.batch


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a simulated second.")
    parser.add_argument("--bindsnet", type=Path, default=None)
    parser.add_argument("--samples", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    values = DATASETS["mnist"].model_validate({"encoding": "constant", "time": 1}).load()
    x = torch.as_tensor(values.train.inputs)[: options.samples, 0]
    draw = torch.Generator().manual_seed(0)
    spikes = encode(x, draw)
    simulated = spikes.batch * spikes.time * 1e-3
    runs = {"surgrad": lambda: own(spikes)}
    if options.bindsnet is not None:
        folder = options.bindsnet
        runs["bindsnet"] = lambda: bindsnet(folder, spikes)
    for name, run in runs.items():
        seconds, fired = min(run() for _ in range(3))
        print(f"{name}: {1e3 * seconds / simulated:.1f} ms a simulated second, {fired:.1f} spikes")


if __name__ == "__main__":
    main()
