"""A task that needs a reward, which comes late: R-STDP against STDP alone.

    python tools/delayed_reward.py --seeds 0 1 2 3 4

Eight Poisson patterns of 100 inputs and 100 ms, two neurons that inhibit each other, one right for
each pattern, and a reward 200 ms after the pattern.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import torch
from torch import nn

from surgrad.network import Sequential
from surgrad.neurons import LIF
from surgrad.objectives import losses, predict
from surgrad.plasticity import RSTDP, STDP
from surgrad.spikes import SigmoidEscape, Stochastic

BOUNDED: dict[str, Any] = {"bounds": "hard", "w_max": 0.3, "norm": 6.0}
RULES = {
    "RSTDP": RSTDP(a_plus=0.1, a_minus=0.0, delay=0.2, **BOUNDED),
    "STDP": STDP(a_plus=0.03, a_minus=0.01, **BOUNDED),
}
BATCHES, LAST = 40, 10


def learned(rule: STDP, seed: int) -> float:
    """The share of right actions in the last batches."""
    draw = torch.Generator().manual_seed(seed)
    patterns = (torch.rand(100, 8, 100, generator=draw) < 0.02).float()
    right = torch.arange(8) % 2
    neurons = LIF(2, tau_mem=10e-3, recurrent=True)
    inputs = nn.Linear(100, 2, bias=False)
    net = Sequential(inputs, neurons, dt=1e-3, spike=Stochastic(SigmoidEscape(20.0), draw))
    assert neurons.recurrent is not None
    with torch.no_grad():
        weight = torch.rand(2, 100, generator=draw)
        inputs.weight.copy_(6.0 * weight / weight.sum(1, keepdim=True))
        # the action that is taken suppresses the other
        neurons.recurrent.weight.copy_(-2.0 * (1 - torch.eye(2)))
    neurons.recurrent.weight.requires_grad_(False)
    optimiser = torch.optim.SGD([inputs.weight], 1.0)
    shown = torch.arange(8).repeat(4)
    hits = []
    for _ in range(BATCHES):
        optimiser.zero_grad()
        result = rule.gradients(net, (patterns[:, shown], right[shown]), losses.spike_count)
        optimiser.step()
        hits.append((predict(losses.spike_count, result.output) == right[shown]).float().mean())
    return float(torch.stack(hits[-LAST:]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="R-STDP against STDP on a delayed reward.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    for name, rule in RULES.items():
        found = [100 * learned(rule, seed) for seed in seeds]
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        print(f"{name}: {statistics.mean(found):.1f} ± {spread:.1f} % right, of {found}")


if __name__ == "__main__":
    main()
