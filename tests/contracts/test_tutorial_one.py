"""The authors' first tutorial: what the surrogate is for, in one comparison."""

import math

import pytest
import torch
from torch import nn

from surgrad.data.random_patterns import RandomPatterns
from surgrad.learning import BPTT
from surgrad.network import Sequential
from surgrad.neurons import CuBaLI, CuBaLIF
from surgrad.objectives import losses, predict
from surgrad.spikes import Surrogate
from surgrad.surrogates import SurrogateDerivative, fast_sigmoid

# what the derivative of the step function really is, almost everywhere
NOTHING = SurrogateDerivative(
    "nothing",
    lambda v, k: torch.zeros_like(v),
    lambda v, k: torch.zeros_like(v),
    lambda k: 0.0,
    lambda k: 0.0,
    "the derivative of the Heaviside step",
    1.0,
)


def memorised(derivative, steps=250):
    """The share of 256 random patterns that a network with four hidden neurons has memorised."""
    torch.manual_seed(0)
    inputs, labels = RandomPatterns().load().train.__getitems__(list(range(256)))
    constants = {"tau_mem": 10e-3, "tau_syn": 5e-3}
    net = Sequential(
        nn.Linear(100, 4, bias=False),
        CuBaLIF(4, reset="zero", **constants),
        nn.Linear(4, 2, bias=False),
        CuBaLI(2, **constants),
        dt=1e-3,
        spike=Surrogate(derivative),
        input_rate=None,
    )
    for index, fan_in in ((0, 100), (2, 4)):
        # the tutorial's own weights
        nn.init.normal_(net[index].weight, std=7 * (1 - math.exp(-0.1)) / fan_in**0.5)
    optimiser, rule = torch.optim.Adam(net.parameters(), 1e-2), BPTT()
    for _ in range(steps):
        optimiser.zero_grad()
        rule.gradients(net, (inputs, labels), losses.max_over_time)
        optimiser.step()
    with torch.no_grad():
        found = predict(losses.max_over_time, net(inputs)[0])
    return float((found == labels).float().mean())


@pytest.mark.slow
def test_a_surrogate_solves_what_the_true_gradient_leaves_at_chance():
    # the tutorial prints 0.859 with the surrogate and 0.512 without, after 1000 steps
    assert memorised(fast_sigmoid(100)) >= 0.85
    assert memorised(NOTHING) <= 0.65
