"""One batch, every rule: angles to BPTT, to the sharpening soft network, and to EventProp."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from surgrad.errors import ConfigError, RuleError
from surgrad.files import atomic_write
from surgrad.learning import BPTT, Rule
from surgrad.learning.base import Batch, evaluate, spiking_counts
from surgrad.network import Record, Sequential
from surgrad.neurons import SpikingNeuron
from surgrad.objectives import Objective
from surgrad.spikes import Soft, SpikeFunction, Surrogate
from surgrad.studies.gradients import Angle, Gradients, angles, gradients
from surgrad.studies.hours import refuse_hours
from surgrad.surrogates import SurrogateDerivative, fast_sigmoid
from surgrad.training.assemble import make_spike
from surgrad.training.build import Run, some
from surgrad.training.rules import RULES
from surgrad.training.schema import RULE_TABLES

STEPS = tuple(2.0**k for k in range(-2, 6))
"""Scales of the soft spike, in units of the surrogate's."""


@dataclass(frozen=True)
class Soften:
    """The network with soft spikes of one sharpness.

    Attributes:
        scale: of the soft spike.
        norm: the length of its gradient.
        error: of the largest disagreement between its derivative and a central difference, over
            random directions, in units of the gradient's root mean square along such directions.
        angles: each rule's, by layer.
    """

    scale: float
    norm: float
    error: float
    angles: dict[str, dict[str, Angle]]


@dataclass(frozen=True)
class Audit:
    """What one batch says about the rules.

    Attributes:
        layers: their names, "network" for all together.
        bptt: each rule's angles to BPTT, by layer.
        soft: the angles to the soft network's gradient, by growing sharpness.
        eventprop: each rule's angles to EventProp's gradient; empty where it does not apply.
        refused: why a rule has no gradient here.
        draws: the mean of so many gradients stands for a rule that draws spikes by chance.
    """

    layers: list[str]
    bptt: dict[str, dict[str, Angle]]
    soft: list[Soften]
    eventprop: dict[str, dict[str, Angle]]
    refused: dict[str, str]
    draws: int

    @property
    def closest(self) -> Soften:
        """The soft network to whose gradient that of BPTT is the closest."""
        cosines = [one.angles["bptt"]["network"].cosine for one in self.soft]
        known = [cosine if math.isfinite(cosine) else -1.0 for cosine in cosines]
        return self.soft[known.index(max(known))]

    def write(self, path: Path) -> None:
        """As JSON; nan becomes null."""
        atomic_write(path, json.dumps(_plain(asdict(self)), indent=2, allow_nan=False) + "\n")


def audit(
    run: Run,
    rules: Sequence[str],
    *,
    samples: int = 64,
    draws: int = 16,
    directions: int = 5,
    told: Callable[[str], None] = lambda text: None,
) -> Audit:
    """Compare the gradients of one batch of training samples, in float64.

    The reference beside BPTT is the network whose spikes are `Soft`: smooth forward and backward,
    so that its gradient is the derivative of what it computes. It is found by automatic
    differentiation and not by differences, since a difference for each weight costs two passes a
    weight, and between rounding and curvature leaves few digits as the spikes sharpen; central
    differences along random directions check it.

    Args:
        run: as `build` makes it, with whatever weights.
        rules: kinds.
        samples: in the batch.
        draws: gradients that are averaged where spikes are drawn by chance.
        directions: along which differences are taken.
        told: is called with what is done next.

    Raises:
        ConfigError: if the network has no time steps.
    """
    net = _double(run)
    batch = some(run.splits.train, samples, torch.Generator().manual_seed(0))
    if isinstance(batch.inputs, torch.Tensor) and batch.inputs.is_floating_point():
        batch = batch._replace(inputs=batch.inputs.double())
    found: dict[str, Gradients] = {}
    refused: dict[str, str] = {}
    for kind in dict.fromkeys(["bptt", *rules]):
        told(kind)
        try:
            found[kind] = _gradient(kind, run, net, batch, draws)
        except RuleError as error:
            refused[kind] = str(error)
    event = found.get("eventprop")
    if "eventprop" in RULES and event is None and "eventprop" not in refused:
        told("eventprop")
        try:
            event = _gradient("eventprop", run, net, batch, draws)
        except RuleError as error:
            refused["eventprop"] = str(error)
    row = _row(net)
    soft = []
    for step in STEPS:
        told(f"soft spikes of scale {step * row.scale:g}")
        soft.append(_soften(net, row(step * row.scale), batch, run.objective, found, directions))
    return Audit(
        layers=list(angles(found["bptt"], found["bptt"])),
        bptt={kind: angles(gradient, found["bptt"]) for kind, gradient in found.items()},
        soft=soft,
        eventprop={} if event is None else {k: angles(g, event) for k, g in found.items()},
        refused=refused,
        draws=draws,
    )


def _gradient(kind: str, run: Run, net: Sequential, batch: Batch, draws: int) -> Gradients:
    own = run.experiment.rule
    table = own if own.kind == kind else RULE_TABLES[kind].model_validate({})
    rule: Rule = table.make()
    steps = batch.inputs.shape[0] * batch.inputs.shape[1]
    refuse_hours(rule, net, steps, "audit a smaller network, or fewer samples")
    if not rule.stochastic:
        return gradients(rule, net, batch, run.objective)
    spike = make_spike(run.experiment.network.spike_by(chance=True))
    noisy = with_spike(net, spike)
    with torch.random.fork_rng(devices=[]):
        singles = []
        for seed in range(draws):
            torch.manual_seed(seed)
            singles.append(gradients(rule, noisy, batch, run.objective))
    return {name: torch.stack([one[name] for one in singles]).mean(0) for name in singles[0]}


def _double(run: Run) -> Sequential:
    """A copy of the network on the CPU in float64."""
    if not isinstance(run.net, Sequential):
        raise ConfigError(
            "network",
            got="layers of spike times",
            expected="layers of neurons on a grid of time steps, which have a surrogate gradient",
        )
    return copy.deepcopy(run.net).cpu().double()


def with_spike(net: Sequential, spike: SpikeFunction) -> Sequential:
    """A copy of a network with another spike function in all its neurons."""
    changed = copy.deepcopy(net)
    for neuron in changed.neurons:
        if isinstance(neuron, SpikingNeuron):
            neuron.spike = spike
    return changed


def _row(net: Sequential) -> SurrogateDerivative:
    """The surrogate derivative of the first neurons that have one."""
    for neuron in net.neurons:
        spike = getattr(neuron, "spike", None)
        if isinstance(spike, Surrogate | Soft):
            return spike.derivative
    return fast_sigmoid


def _soften(
    net: Sequential,
    row: SurrogateDerivative,
    batch: Batch,
    objective: Objective,
    found: dict[str, Gradients],
    directions: int,
) -> Soften:
    smooth = with_spike(net, Soft(row)).eval()
    for neuron in smooth.neurons:
        # a gradient that leaves the reset out is no derivative of the network
        if isinstance(neuron, SpikingNeuron):
            neuron.detach_reset = False
    truth = gradients(BPTT(), smooth, batch, objective)
    whole = torch.cat(list(truth.values()))
    return Soften(
        scale=row.scale,
        norm=float(whole.norm()),
        error=_disagreement(smooth, batch, objective, whole, directions, row.scale),
        angles={kind: angles(gradient, truth) for kind, gradient in found.items()},
    )


@torch.no_grad()
def _disagreement(
    net: Sequential,
    batch: Batch,
    objective: Objective,
    gradient: torch.Tensor,
    directions: int,
    scale: float,
) -> float:
    """Between derivatives along random directions and central differences of fourth order."""
    parameters = [p for stage in net.stages for p in _trained(stage)] + [
        p for p in net.tail.parameters() if p.requires_grad
    ]
    start = torch.cat([p.flatten().double() for p in parameters])
    generator = torch.Generator().manual_seed(1)
    step, worst = 1e-4 / scale, 0.0
    typical = float(gradient.norm()) / math.sqrt(len(gradient)) or 1.0

    def loss(at: torch.Tensor) -> float:
        sizes = [p.numel() for p in parameters]
        for parameter, piece in zip(parameters, at.split(sizes), strict=True):
            parameter.copy_(piece.view_as(parameter))
        record = Record("counts")
        output, _ = net.run(batch.inputs, lengths=batch.lengths, record=record)
        counts = spiking_counts(net, record)
        return float(sum(evaluate(net, batch, objective, output, counts)))

    for _ in range(directions):
        way = torch.randn(len(start), generator=generator, dtype=start.dtype)
        way /= way.norm()
        near, far = (loss(start + k * step * way) - loss(start - k * step * way) for k in (1, 2))
        difference = (8 * near - far) / (12 * step)
        worst = max(worst, abs(difference - float(gradient @ way)))
    loss(start)
    return worst / typical


def _trained(stage: Any) -> list[torch.nn.Parameter]:
    modules = (stage.connection, stage.neuron)
    return [p for module in modules for p in module.parameters() if p.requires_grad]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
