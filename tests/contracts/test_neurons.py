"""Every neuron keeps what all neurons promise, and the battery sees a broken one by its claim."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import pytest
import torch

from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState
from surgrad.neurons import LIF, NEURONS, QIF, CuBaLIF
from surgrad.tableau import decay
from surgrad.testing import check_neuron
from tests.kinds import BY_STEP, BY_TABLEAU, READ_OUTS, SPIKING

CASES = [
    *itertools.product(BY_TABLEAU, ["subtract", "zero"], [False, True], [0, 1]),
    *(
        (name, "none", recurrent, int(recurrent))
        for name in BY_TABLEAU
        for recurrent in (False, True)
    ),
    # every pair of these, for they take longer
    *(
        (name, reset, recurrent, (place + recurrent) % 2)
        for name in BY_STEP
        for place, reset in enumerate(SPIKING[name].resets)
        for recurrent in (False, True)
    ),
]


def make(name: str, **options: Any):
    kind: Any = NEURONS[name]
    return kind(3, per_neuron=tuple(kind(3).constants), **options)


@pytest.mark.parametrize(("name", "reset", "recurrent", "delay"), CASES)
def test_every_spiking_neuron_passes(name, reset, recurrent, delay):
    check_neuron(lambda: make(name, reset=reset, recurrent=recurrent, delay=delay))


@pytest.mark.parametrize("name", READ_OUTS)
@pytest.mark.parametrize("delay", [0, 1])
def test_every_read_out_passes(name, delay):
    check_neuron(make(name, delay=delay))


@pytest.mark.parametrize("kind", [CuBaLIF, QIF])
def test_refractory_neurons_and_shapes_pass(kind):
    check_neuron(kind(refractory=2e-3, learn=("tau_mem",), dt=2e-3))
    check_neuron(kind((3, 1, 2), per_neuron=("threshold",)))
    check_neuron(kind)


def test_what_is_given_is_left_as_it_is():
    neuron = CuBaLIF(3, recurrent=True)
    before, source = copy.deepcopy(neuron.state_dict()), torch.get_rng_state()
    check_neuron(neuron)
    check_neuron(lambda: CuBaLIF(3, recurrent=True))
    assert (neuron.dt, neuron.spike, neuron.detach_reset) == (None, None, True)
    assert not list(neuron.tau_mem.parameters())
    after = neuron.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before | after)
    assert torch.equal(torch.get_rng_state(), source)


def scaled(scan, factor):
    return scan._replace(output=scan.output * factor)


class Dicing(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current + 0 * torch.rand(()), state, lengths=lengths)


class Gambling(LIF):
    def tableau(self):
        random.random()
        return super().tableau()


class Narrow(LIF):
    def run(self, current, state=None, *, lengths=None):
        scan = super().run(current, state, lengths=lengths)
        return scan._replace(output=scan.output[..., :1])


class Haunted(LIF):
    kept: NeuronState | None = None

    def run(self, current, state=None, *, lengths=None):
        scan = super().run(current, self.kept if state is None else state, lengths=lengths)
        self.kept = scan.state.detach()
        return scan


class Forgetful(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current, None, lengths=lengths)


class Prophetic(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current - current.mean(0), state, lengths=lengths)


class Greedy(LIF):
    def run(self, current, state=None, *, lengths=None):
        scan = super().run(current, state, lengths=lengths)
        if state is not None:
            state.x.zero_()
        return scan


class Ranking(LIF):
    def run(self, current, state=None, *, lengths=None):
        rank = torch.arange(current.shape[1]).view(-1, 1)
        return super().run(current + 0.1 * rank, state, lengths=lengths)


class Sociable(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current - current.mean(1, keepdim=True), state, lengths=lengths)


class Endless(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current, state)


class Loud(LIF):
    def run(self, current, state=None, *, lengths=None):
        scan = super().run(current, state, lengths=lengths)
        if lengths is None:
            return scan
        padded = torch.arange(len(current)).view(-1, 1, 1) >= lengths.view(-1, 1)
        return scan._replace(output=scan.output + padded)


class Decaying(LIF):
    def run(self, current, state=None, *, lengths=None):
        if lengths is None:
            return super().run(current, state)
        valid = torch.arange(len(current)).view(-1, 1, 1) < lengths.view(-1, 1)
        scan = super().run(current * valid, state)
        return scaled(scan, valid)


class Graded(LIF):
    def run(self, current, state=None, *, lengths=None):
        return scaled(super().run(current, state, lengths=lengths), 2.0)


class Tireless(LIF):
    """Says that it is refractory, and is not."""

    def layer(self):
        return super().layer()._replace(refractory=0)


class Restless(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current + 0.3, state, lengths=lengths)


class Slimmed(LIF):
    gain = 1.0

    def __init__(self, size=None, **options):
        super().__init__(size, dt=1e-3, **options)
        self.gain = 1.5

    def run(self, current, state=None, *, lengths=None):
        return super().run(self.gain * current, state, lengths=lengths)

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key != "gain"}


class Sealed(LIF):
    def __init__(self, size=None, **options):
        super().__init__(size, **options)
        self.gain = lambda: 1.0


class Stubborn(LIF):
    def load_state_dict(self, state_dict, *args, **options):
        return super().load_state_dict({}, strict=False)


class Rounding(LIF):
    def run(self, current, state=None, *, lengths=None):
        scan = super().run(current, state, lengths=lengths)
        return scan._replace(output=scan.output.float())


class Homebound(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current + torch.zeros(current.shape), state, lengths=lengths)


class Numb(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run(current.detach(), state, lengths=lengths)


class Dull(LIF):
    def run(self, current, state=None, *, lengths=None):
        return super().run((current + current.detach()) / 2, state, lengths=lengths)


class Rootless(LIF):
    def run(self, current, state=None, *, lengths=None):
        start = None if state is None else state._replace(x=state.x.detach())
        return super().run(current, start, lengths=lengths)


class Fixed(LIF):
    def tableau(self):
        return self._spiking(((decay(self.step, self.tau_mem().detach()),),), (1.0,))


class Hasty(QIF):
    """Its own backward pass is wrong by a hundred-thousandth."""

    def advance(self, x, drive, s):
        (u,) = super().advance(x, drive, s)
        return [u + 1e-5 * (u - u.detach())]


def on_kernels(current):
    return engine.obstacle(None, current) is None


class Otherwise(LIF):
    def driven(self, current, state, lengths, shown):
        outcome = super().driven(current, state, lengths, shown)
        if not on_kernels(current):
            return outcome
        return outcome._replace(scan=scaled(outcome.scan, 1.001))


class Backwards(LIF):
    def driven(self, current, state, lengths, shown):
        if on_kernels(current):
            current = 1.001 * current - 0.001 * current.detach()
        return super().driven(current, state, lengths, shown)


BROKEN = [
    (Dicing, {}, "draws no random numbers"),
    (Gambling, {}, "draws no random numbers"),
    (Narrow, {}, "its output is shaped as the current"),
    (Haunted, {}, "leaves nothing behind"),
    (Greedy, {}, "a state that is given is left as it is"),
    (Forgetful, {}, "in pieces, with the state handed on"),
    (Prophetic, {}, "in pieces, with the state handed on"),
    (Ranking, {}, "a permutation of the batch permutes the output"),
    (Sociable, {}, "a sample alone does what it does in a batch"),
    (Endless, {}, "what stands in the padding does not matter"),
    (Loud, {}, "the output is zero in the padding"),
    (Decaying, {}, "a padded sample ends as it does without its padding"),
    (Graded, {}, "a spike is 1 where v > 0"),
    (Tireless, {"refractory": 3e-3}, "a spike is 1 where v > 0 and it is not refractory"),
    (Restless, {}, "there are no spikes at rest"),
    (Slimmed, {}, "a copy does the same"),
    (Sealed, {}, "it pickles"),
    (Stubborn, {}, "one that loads its state_dict does the same"),
    (Rounding, {}, r"in torch\.float64 its output and state are so too"),
    (Homebound, {}, "on the device of the current"),
    (Numb, {}, "the current has a gradient"),
    (Dull, {}, "the gradient of the current is that of central differences"),
    (Rootless, {}, r"the gradient of state\.x is that of central differences"),
    (Fixed, {}, r"the gradient of tau_mem\.raw is that of central differences"),
    (Hasty, {}, "is that of central differences"),
    (Otherwise, {}, "the kernels have the output of the definition"),
    (Backwards, {}, "the kernels have the definition's gradient of the current"),
]


@pytest.mark.parametrize(("kind", "options", "claim"), BROKEN)
def test_the_battery_sees_what_is_broken(kind, options, claim):
    with pytest.raises(AssertionError, match=f"neuron {kind.__name__}: .*{claim}"):
        check_neuron(kind(3, **options))


def test_a_current_under_which_nothing_happens_is_refused():
    with pytest.raises(AssertionError, match=r"under a current of 0\.001; see drive"):
        check_neuron(LIF(3), drive=1e-3)
    check_neuron(LIF(3, threshold=50.0), drive=40.0)
