"""What every neuron promises."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from surgrad.kernels.scan import NeuronState, Scan
from surgrad.neurons import Neuron, SpikingNeuron
from surgrad.tableau import steps_of
from surgrad.testing.gradients import gradients, kernel_runs
from surgrad.testing.subject import BATCH, SOFT, SPIKE, STEPS, Subject, parts, same

LENGTHS = (9, 1, 0, 5, 8)


def check_neuron(neuron: Neuron | Callable[[], Neuron], *, drive: float | None = None) -> None:
    r"""Check what every neuron promises, on a few steps of noise in float64.

    A run draws no random numbers and leaves nothing behind; its output has the shape of the
    current; in pieces, with the state handed on, it is the run at once. The samples of a batch
    do not meet, and what stands in the padding does not matter. With `Surrogate` there is a spike
    exactly where the membrane potential is above the threshold and the neuron not refractory, and
    none at rest. With `Soft`, and the reset in the gradient, the gradients of the current, the
    initial state and all parameters, its constants among them, are those of central differences.
    Copies and pickles do the same, in the precision and on the device of the current. Where it
    runs on the kernels, they do what the plain definition does, gradients included.

    Args:
        neuron: a neuron of the package or your own, which is left as it is, or what makes one.
            Without a `dt` it is given 1 ms.
        drive: the size of the current per step; it must make the neuron spike now and then. None
            is for 0.6 times the potential at which `linearised` says that it spikes.

    Raises:
        AssertionError: with the first claim that does not hold.

    Example:
        >>> from surgrad.neurons import CuBaLIF
        >>> check_neuron(CuBaLIF(3, recurrent=True))
        >>> class Forgetful(CuBaLIF):
        ...     def run(self, current, state=None, *, lengths=None):
        ...         return super().run(current, None, lengths=lengths)
        >>> check_neuron(Forgetful)
        Traceback (most recent call last):
        AssertionError: neuron Forgetful: in pieces, with the state handed on, it is the run at once
    """
    subject = Subject(neuron, drive)
    claims = (_randomness, _pieces, _batch, _padding, _spikes, _copies, gradients, kernel_runs)
    for battery in claims:
        battery(subject)


def _randomness(subject: Subject) -> None:
    neuron, current = subject.neuron(), subject.current()

    def sources() -> tuple[object, ...]:
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()

    before = sources()
    scan = neuron.run(current)
    subject.hold(sources() == before, "a run draws no random numbers")
    shape = current.shape
    subject.hold(scan.output.shape == shape == scan.v.shape, "its output is shaped as the current")
    again = neuron.run(current)
    subject.hold(same(parts(again), parts(scan)), "a run leaves nothing behind in the neuron")


def _pieces(subject: Subject) -> None:
    claim = "in pieces, with the state handed on, it is the run at once"
    for seed in (0, 1):
        neuron, current = subject.neuron(SOFT if seed else SPIKE), subject.current(seed)
        begin = subject.begun(seed, soft=seed == 1)
        kept = NeuronState(*(part.clone() for part in begin))
        with torch.no_grad():
            whole = neuron.run(current, begin)
            subject.hold(same(begin, kept), "a state that is given is left as it is")
            state, found = begin, []
            for start, stop in ((0, 1), (1, 6), (6, STEPS)):
                found.append(neuron.run(current[start:stop], state))
                state = found[-1].state
        output, v = (torch.cat([getattr(scan, key) for scan in found]) for key in ("output", "v"))
        subject.hold(same((output, v, *state), parts(whole)), claim)


def _batch(subject: Subject) -> None:
    neuron, current = subject.neuron(), subject.current()
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        scan, moved = neuron.run(current), neuron.run(current[:, order])
        alone = neuron.run(current[:, 3:4])
    permuted = _samples(scan, order)
    subject.hold(same(parts(moved), permuted), "a permutation of the batch permutes the output")
    one = _samples(scan, torch.tensor([3]))
    subject.hold(same(parts(alone), one), "a sample alone does what it does in a batch")


def _samples(scan: Scan, index: Tensor) -> list[Tensor]:
    """The parts of a run that belong to some of its samples."""
    output, v, x, *rest_of = parts(scan)
    return [*(part[:, index] for part in (output, v, x)), *(part[index] for part in rest_of)]


def _padding(subject: Subject) -> None:
    neuron, current, lengths = subject.neuron(), subject.current(), torch.tensor(LENGTHS)
    padded = (torch.arange(STEPS)[:, None] >= lengths).view(
        STEPS, BATCH, *[1] * len(subject.features)
    )
    loud = current.where(~padded, 1e3 * subject.drive)
    with torch.no_grad():
        scan, other = neuron.run(current, lengths=lengths), neuron.run(loud, lengths=lengths)
        alone = neuron.run(current[: LENGTHS[3], 3:4])
    subject.hold(same(parts(other), parts(scan)), "what stands in the padding does not matter")
    silent = (scan.output * padded == 0).all()
    subject.hold(silent, "the output is zero in the padding")
    found = [scan.output[: LENGTHS[3], 3:4], *_samples(scan, torch.tensor([3]))[2:]]
    ends = same(found, [alone.output, *alone.state])
    subject.hold(ends, "a padded sample ends as it does without its padding")


def _spikes(subject: Subject) -> None:
    neuron, current = subject.neuron(), subject.current()
    if not isinstance(neuron, SpikingNeuron):
        return
    with torch.no_grad():
        scan, quiet = neuron.run(current), neuron.run(torch.zeros_like(current))
        above = scan.v - neuron.dynamics().theta > 0
    held = steps_of(neuron.refractory, neuron.step) if neuron.refractory else 0
    expected: list[Tensor] = []
    for n, fires in enumerate(above):
        for earlier in expected[max(0, n - held) : n]:
            fires = fires & ~earlier
        expected.append(fires)
    exact = torch.equal(scan.output.double(), torch.stack(expected).double())
    subject.hold(exact, "a spike is 1 where v > 0 and it is not refractory, and else 0")
    some = 0 < scan.output.mean() < 1
    subject.hold(some, f"it spikes now and then under a current of {subject.drive:g}; see drive")
    subject.hold((quiet.output == 0).all(), "there are no spikes at rest")


def _copies(subject: Subject) -> None:
    neuron, loaded, current = subject.neuron(), subject.neuron(), subject.current()
    _copied(subject, subject.original, subject.given, "a copy")
    if _importable(type(neuron)):
        _copied(subject, neuron, _pickled(subject, neuron), "a pickle")
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.mul_(0.5)
        loaded.load_state_dict(neuron.state_dict())
        _copied(subject, neuron, loaded, "one that loads its state_dict")
        for dtype in (torch.float32, torch.float64):
            moved = parts(copy.deepcopy(neuron).to(dtype).run(current.to(dtype)))
            kept = all(part.dtype == dtype for part in moved)
            subject.hold(kept, f"in {dtype} its output and state are so too")
    _elsewhere(subject, neuron)


def _copied(subject: Subject, neuron: Neuron, twin: Neuron, name: str) -> None:
    if neuron.dt is None:
        return
    # not that of any parameter: constants are kept in float64
    weights = (p.dtype for key, p in neuron.named_parameters() if not key.endswith("raw"))
    current = subject.current().to(next(weights, torch.float64))
    with torch.no_grad():
        expected, found = neuron.run(current), twin.run(current)
    subject.hold(same(parts(found), parts(expected)), f"{name} does the same")


def _importable(kind: type) -> bool:
    """Whether a pickle can name the class: not that of a function, or of a page that is run."""
    try:
        pickle.dumps(kind)
    except (pickle.PicklingError, AttributeError):
        return False
    return True


def _pickled(subject: Subject, neuron: Neuron) -> Neuron:
    try:
        return pickle.loads(pickle.dumps(neuron))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(f"{subject.name}: it pickles ({error})") from error


def _elsewhere(subject: Subject, neuron: Neuron) -> None:
    """On a device without numbers, which every machine has."""
    try:
        with torch.no_grad():
            moved = copy.deepcopy(neuron).to("meta").run(subject.current()[:2].to("meta"))
        kept = all(part.device.type == "meta" for part in parts(moved))
    except RuntimeError as error:
        # a neuron that looks at its numbers cannot be examined there
        kept = "item()" in str(error)
    subject.hold(kept, "its output and state are on the device of the current")
