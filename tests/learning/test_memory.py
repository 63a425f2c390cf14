"""Memory: what the online rules keep does not grow with time."""

from itertools import accumulate

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from surgrad import kernels
from surgrad.events import SpikeTrain
from surgrad.learning import BPTT, DECOLLE, ERBP, OTTT, RTRL, EProp, SuperSpike
from surgrad.learning.forward.chunks import STEPS
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.objectives import losses
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid

UNITS = 24


def most_bytes(call):
    """The most bytes that torch has allocated and not yet freed during a call."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        call()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    assert events
    return max(accumulate(e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())))


def peak(rule, time, loss, units=UNITS):
    torch.manual_seed(0)
    net = Sequential(
        nn.Linear(UNITS, units), CuBaLIF(units), nn.Linear(units, 2), LI(2),
        dt=1e-3, spike=Surrogate(fast_sigmoid(10)),
    )  # fmt: skip
    inputs = torch.rand(time, 8, UNITS, generator=torch.Generator().manual_seed(1)) < 0.1
    batch = SpikeTrain.from_dense(inputs.float()), torch.zeros(8, dtype=torch.long)
    return most_bytes(lambda: rule.gradients(net, batch, loss))


# two numbers a sample and step: the output; and its errors, and the copies that a loss makes
OUTPUT = 8 * 2 * 4


@pytest.mark.parametrize(
    "rule",
    [
        EProp(online=True), EProp(), OTTT(), SuperSpike(online=True), DECOLLE(), ERBP(),
    ],
    ids=lambda rule: type(rule).__name__,
)  # fmt: skip
def test_memory_does_not_grow_with_time(rule):
    # both are longer than a chunk, up to which it does grow
    short, long = (peak(rule, time, losses.every_step) for time in (2 * STEPS, 4 * STEPS))
    assert (long - short) / (2 * STEPS) < 5 * OUTPUT


def test_memory_does_not_grow_step_by_step():
    with kernels.reference():
        short, long = (peak(ERBP(), time, losses.every_step) for time in (40, 120))
    assert (long - short) / 80 < 12 * OUTPUT


@pytest.mark.slow
def test_real_time_recurrent_learning_too():
    short, long = (
        peak(RTRL(chunk=64, collapse=False), time, losses.every_step, units=6) for time in (8, 24)
    )
    # the inputs of up to 32 steps are dense at a time
    dense = 8 * UNITS * 4
    assert (long - short) / 16 < 2 * dense + 12 * OUTPUT
    # of which there is next to nothing beside the sensitivities
    assert long < 1.1 * short


def test_the_measure_sees_back_propagation_grow():
    short, long = (peak(BPTT(), time, losses.every_step) for time in (40, 120))
    # at least potentials and spikes of every neuron
    assert (long - short) / 80 > 1.5 * 8 * UNITS * 4 > 12 * OUTPUT
