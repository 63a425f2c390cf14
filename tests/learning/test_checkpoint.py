"""Checkpointed time: the gradient of the whole sequence, and memory that grows as its root."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from surgrad import kernels
from surgrad.errors import ArgumentError, RuleError
from surgrad.events import SpikeTrain
from surgrad.learning import BPTT
from surgrad.learning.windows import best_window
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.objectives import Objective, RateBound, losses
from surgrad.spikes import SigmoidEscape, Stochastic


def network(recurrent=True, **options):
    torch.manual_seed(0)
    hidden = CuBaLIF(9, recurrent=recurrent, learn=("tau_mem",), **options)
    return Sequential(nn.Linear(6, 9), hidden, nn.Linear(9, 3), LI(3), dt=1e-3, input_rate=10.0)


def batch(time=45, samples=4):
    generator = torch.Generator().manual_seed(1)
    spikes = (torch.rand(time, samples, 6, generator=generator) < 0.2).float()
    lengths = torch.tensor([time, 7, 0, 23])
    spikes *= torch.arange(time)[:, None, None] < lengths[None, :, None]
    return SpikeTrain.from_dense(spikes, lengths=lengths), torch.tensor([0, 2, 1, 1])


OBJECTIVE = Objective(losses.mean_over_time, (RateBound(lower=60.0, strength=1e-3),))


def gradients(rule, net, given):
    net.zero_grad()
    found = rule.gradients(net, given, OBJECTIVE)
    return found, {name: p.grad.clone() for name, p in net.named_parameters()}


@pytest.mark.parametrize("window", [1, 7, 45, 100])
@pytest.mark.parametrize("definition", [True, False])
def test_the_gradient_is_that_of_the_whole_sequence(window, definition):
    net, given = network(), batch()
    if definition:
        with kernels.reference():
            whole, true = gradients(BPTT(checkpoint="never"), net, given)
            pieces, mine = gradients(BPTT(checkpoint=window), net, given)
    else:
        whole, true = gradients(BPTT(checkpoint="never"), net, given)
        pieces, mine = gradients(BPTT(checkpoint=window), net, given)
    assert whole.counts[0].sum() > 10
    assert torch.equal(whole.counts[0], pieces.counts[0])
    torch.testing.assert_close(whole.output, pieces.output)
    for name, gradient in true.items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(
            mine[name], gradient, rtol=1e-4, atol=1e-6 * gradient.abs().max()
        )


def test_dropout_is_drawn_once():
    torch.manual_seed(0)
    net = Sequential(nn.Linear(6, 20), nn.Dropout(0.5), CuBaLIF(20), nn.Linear(20, 3), LI(3),
                     dt=1e-3, input_rate=80.0)  # fmt: skip
    inputs, targets = batch()
    weight = net[0].weight
    torch.manual_seed(3)
    found = BPTT(checkpoint=10).gradients(net, (inputs, targets), losses.mean_over_time)
    mine = weight.grad.clone()
    # the same windows, and so the same noise, with a graph that keeps everything
    torch.manual_seed(3)
    net.zero_grad()
    state, outputs = None, []
    for start in range(0, 45, 10):
        left = (inputs.lengths - start).clamp(0, min(10, 45 - start))
        piece, state = net(inputs[start : start + 10], state, lengths=left)
        outputs.append(piece)
    value = losses.mean_over_time(torch.cat(outputs), targets, inputs.lengths)
    value.backward()
    torch.testing.assert_close(found.loss, value.detach())
    assert mine.abs().max() > 0
    torch.testing.assert_close(mine, weight.grad)


def test_a_window_that_cannot_be_repeated_is_refused():
    given = batch()
    noisy = network(recurrent=False, spike=Stochastic(SigmoidEscape(5.0), torch.Generator()))
    with pytest.raises(RuleError, match="same result twice"):
        BPTT(checkpoint=5).gradients(noisy, given, losses.mean_over_time)
    with pytest.raises(ArgumentError, match="number of steps"):
        BPTT(checkpoint=0)


def test_the_window_grows_as_the_root_of_time():
    net = network()
    assert best_window(net, 40_000) == pytest.approx(2 * best_window(net, 10_000), abs=1)
    assert best_window(net, 600) == 128


SCRIPT = """
    import resource, torch
    from torch import nn
    torch.set_num_threads(1)
    from surgrad import SpikeTrain, Sequential, CuBaLIF, LI, BPTT, losses
    net = Sequential(nn.Linear(20, 256), CuBaLIF(256), nn.Linear(256, 4), LI(4), dt=1e-3)
    def run(time):
        spikes = SpikeTrain.from_dense((torch.rand(time, 64, 20) < 0.02).float())
        given = spikes, torch.zeros(64).long()
        BPTT(checkpoint={how}).gradients(net, given, losses.sum_over_time)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(50)
    before = peak()
    run(6400)
    print(peak() - before)
"""


@pytest.mark.slow
def test_memory_of_a_long_sequence():
    def growth(how):
        script = textwrap.dedent(SCRIPT).format(how=repr(how))
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert growth("auto") < 0.7 * growth("never")
