"""What a rule would need hours for is refused before it begins: one place for every study."""

from __future__ import annotations

import math

import torch

from surgrad.errors import RuleError
from surgrad.learning import RTRL, Rule
from surgrad.learning.rtrl import collapses
from surgrad.network import Sequential
from surgrad.training.assemble import make_network
from surgrad.training.layers import Network
from surgrad.training.schema import Experiment

SPEED = 1.5e7
"""Numbers of a sensitivity that one core carries through a step in a second; networks of 32 to 96
neurons have 1 to 2 · 10⁷."""

LONGEST = 3600.0
"""Seconds that a sensitivity may take."""


def refuse_hours(rule: Rule, net: Sequential, steps: int, fix: str) -> None:
    """Refuse a rule that carries a whole sensitivity for longer than `LONGEST`.

    Args:
        rule: of any kind; only `RTRL` and what derives from it can be slow in this way.
        net: on which it would run.
        steps: of all samples together, as often as each is shown.
        fix: what to do instead.

    Raises:
        RuleError: with the time that it would take.

    Example:
        >>> from torch import nn
        >>> from surgrad.neurons import LI, LIF
        >>> layers = nn.Linear(100, 100), LIF(100, recurrent=True), nn.Linear(100, 10), LI(10)
        >>> refuse_hours(RTRL(), Sequential(*layers, dt=1e-3), 60_000 * 100, "leave it out")
        Traceback (most recent call last):
        surgrad.errors.RuleError: ...
    """
    if not isinstance(rule, RTRL) or (rule.collapse and collapses(net)):
        return
    seconds = sensitivity(net) * steps / SPEED
    if seconds > LONGEST:
        raise RuleError(
            f"{type(rule).__name__} of this network",
            got=f"a sensitivity that takes some {seconds / 3600:.2g} hours to carry along",
            expected=f"at most {LONGEST / 3600:g} on one core",
            fix=fix,
        )


def sensitivity(net: Sequential) -> int:
    """The numbers of a whole sensitivity, of one sample: parameters times state.

    Example:
        >>> from torch import nn
        >>> from surgrad.neurons import LI
        >>> sensitivity(Sequential(nn.Linear(3, 2), LI(2), dt=1e-3))
        16
    """
    parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
    neurons = (stage.neuron for stage in net.stages)
    return parameters * sum(n.dynamics().order * math.prod(n.size or (1,)) for n in neurons)


def refuse_hours_of_training(experiment: Experiment) -> None:
    """Refuse an experiment whose training alone would take hours, before anything is computed.

    Args:
        experiment: whose rule is looked at.

    Raises:
        RuleError: as `refuse_hours`.
        SurgradError: if a file of the data is missing.
    """
    rule, network = experiment.rule.make(), experiment.network
    if not isinstance(rule, RTRL) or not isinstance(network, Network):
        return
    splits = experiment.data.load()
    info, epochs = splits.info, experiment.training.epochs
    with torch.random.fork_rng(devices=[]):
        net = make_network(network, info.features, info.outputs, info.dt, chance=rule.stochastic)
    steps = epochs * len(splits.train) * info.time
    refuse_hours(rule, net, steps, "take fewer neurons, samples or epochs, or leave the rule out")
