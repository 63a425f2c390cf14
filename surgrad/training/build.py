"""From an experiment to the objects that run it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from torch import optim
from torch.optim import lr_scheduler

from surgrad.data.base import Info, Samples, Splits
from surgrad.errors import ArgumentError
from surgrad.learning import Rule
from surgrad.learning.base import Batch
from surgrad.liveness import LayerHealth, diagnose, initialise
from surgrad.network import Network
from surgrad.objectives import LOSSES, Objective
from surgrad.training import toml
from surgrad.training.assemble import make_network
from surgrad.training.rules import RULES
from surgrad.training.schema import Experiment
from surgrad.training.scores import on
from surgrad.training.timed import TimedNetwork, make_timed

_TARGETS = {
    "class": "classes",
    "step_class": "classes of steps",
    "values": "values",
    "spikes": "spike trains",
}


@dataclass(frozen=True)
class Run:
    """All that a run works with.

    Attributes:
        experiment: what it was built from.
        splits: the data.
        net: the network, initialised for the training data and on the run's device.
        rule: computes gradients.
        objective: the loss and the regularisers.
        optimiser: over all parameters of the network.
        schedule: its learning rate, a step a batch.
        order: draws the order of the training samples.
        health: of each spiking layer, before training.
        notes: what the experiment file does not say.
    """

    experiment: Experiment
    splits: Splits
    net: Network
    rule: Rule
    objective: Objective
    optimiser: optim.Optimizer
    schedule: lr_scheduler.LRScheduler
    order: torch.Generator
    health: list[LayerHealth]
    notes: list[str] = field(default_factory=list)

    @property
    def batches(self) -> int:
        """The batches of an epoch."""
        return -(-len(self.splits.train) // self.experiment.training.batch_size)


def streams(seed: int) -> tuple[int, int, int]:
    """Three independent seeds from one: for weights, the order of samples, and dropout."""
    weights, order, noise = np.random.SeedSequence(seed).generate_state(3, np.uint64)
    return int(weights), int(order), int(noise)


def build(experiment: Experiment) -> Run:
    """Load the data and make the network and everything around it.

    Weights, and time constants that have a distribution, are drawn from PyTorch's global generator,
    which is seeded for the purpose and put back afterwards.

    Args:
        experiment: what to build.

    Raises:
        SurgradError: if a file is missing, or the network does not fit the data.
    """
    device = _device(experiment)
    splits = experiment.data.load()
    weights, order, _ = streams(experiment.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights)
        info = splits.info
        rule, objective = experiment.rule.make(), make_objective(experiment, info)
        generator = torch.Generator().manual_seed(weights)
        batch = some(splits.train, experiment.training.batch_size, generator)
        net = _network(experiment, info, batch, generator, chance=rule.stochastic)
        health = diagnose(net.eval(), batch.inputs, lengths=batch.lengths)
        net.to(device)
        # whatever does not fit together says so here, before a run begins
        rule.gradients(net, on(batch, device), objective)
        net.zero_grad()
    optimiser = make_optimiser(experiment, net)
    batches = -(-len(splits.train) // experiment.training.batch_size)
    return Run(
        experiment=experiment,
        splits=splits,
        net=net,
        rule=rule,
        objective=objective,
        optimiser=optimiser,
        schedule=make_schedule(experiment, optimiser, batches),
        order=torch.Generator().manual_seed(order),
        health=health,
        notes=list(_notes(experiment, rule)),
    )


def _network(
    experiment: Experiment, info: Info, batch: Batch, generator: torch.Generator, *, chance: bool
) -> Network:
    """The network, initialised for the data."""
    spec = experiment.network
    if isinstance(spec, TimedNetwork):
        timed = make_timed(spec, prod(info.features), info.outputs, info.dt)
        timed.initialise(batch.inputs, generator)
        return timed
    net = make_network(spec, info.features, info.outputs, info.dt, chance=chance)
    initialise(net, batch.inputs, lengths=batch.lengths, xi=spec.xi, generator=generator)
    return net


def _notes(experiment: Experiment, rule: Rule) -> Iterator[str]:
    spike = experiment.network.spike_by(rule.stochastic)
    if spike is not None and spike != experiment.network.spike_by(False):
        escape = ", ".join(f"{name} = {toml.show(v)}" for name, v in spike.escape)
        yield (
            f"{experiment.rule.kind} needs neurons that spike by chance: these do, with "
            f"escape = {{ {escape} }}; set network.spike for another"
        )


def some(samples: Samples, count: int, generator: torch.Generator) -> Batch:
    """A batch of samples drawn at random."""
    if not len(samples):
        raise ArgumentError("training samples", got="none", expected="at least one")
    index = torch.randperm(len(samples), generator=generator)[:count]
    parts: tuple[Any, ...] = samples.__getitems__(index.tolist())
    return Batch(*parts)


def make_objective(experiment: Experiment, info: Info) -> Objective:
    """The loss and the regularisers.

    Raises:
        ArgumentError: if the loss is not made for the targets of the data.
    """
    loss = experiment.loss.make()
    if loss.classifies != (info.classes is not None):
        fitting = [k for k, other in LOSSES.items() if other.classifies == (not loss.classifies)]
        raise ArgumentError(
            "loss.kind",
            got=f'"{experiment.loss.kind}" for targets that are {_TARGETS[info.target]}',
            expected="one of " + ", ".join(fitting),
        )
    penalties = [regulariser.make() for regulariser in experiment.regularisers]
    return Objective(loss, penalties).at(info.dt)


def _device(experiment: Experiment) -> torch.device:
    name = experiment.training.device
    if name == "cuda" and not torch.cuda.is_available():
        raise ArgumentError(
            "training.device",
            got='"cuda"',
            expected="a CUDA device, there is none",
            fix='use "cpu"',
        )
    chance = RULES[experiment.rule.kind].stochastic
    spike = experiment.network.spike_by(chance)
    if name == "cuda" and spike is not None and spike.kind == "stochastic":
        raise ArgumentError(
            "training.device",
            got='"cuda" for spikes by chance, which are drawn on the processor',
            expected='"cpu"',
        )
    return torch.device(name)


def make_optimiser(experiment: Experiment, net: Network) -> optim.Optimizer:
    """Over all parameters; weight decay on weight matrices and kernels only."""
    spec = experiment.optimiser
    classes = {"adam": optim.Adam, "adamw": optim.AdamW, "adamax": optim.Adamax}
    classes |= {"sgd": optim.SGD, "rmsprop": optim.RMSprop}
    weights = [p for name, p in net.named_parameters() if p.dim() > 1 and not name.endswith("raw")]
    rest = [p for name, p in net.named_parameters() if p.dim() <= 1 or name.endswith("raw")]
    groups = [{"params": weights}, {"params": rest, "weight_decay": 0.0}]
    return classes[spec.kind]([group for group in groups if group["params"]], **spec.options())


def make_schedule(
    experiment: Experiment, optimiser: optim.Optimizer, batches: int
) -> lr_scheduler.LRScheduler:
    """The learning rate, stepped after every batch."""
    spec: Any = experiment.schedule
    steps, peak = experiment.training.epochs * batches, experiment.optimiser.lr
    match spec.kind:
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=spec.final * peak)
        case "step":
            return lr_scheduler.StepLR(optimiser, spec.epochs * batches, spec.factor)
        case "one_cycle" if steps > 1:
            # a warm-up of one step or less has no slope
            share = spec.warm_up if spec.warm_up * steps > 1 else 1.5 / steps
            return lr_scheduler.OneCycleLR(
                optimiser, peak, steps, pct_start=share, cycle_momentum=False
            )
        case _:
            return lr_scheduler.ConstantLR(optimiser, factor=1.0, total_iters=0)
