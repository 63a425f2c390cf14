"""The experiment file: what it may say, what it must, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationError, model_validator

from surgrad.data.catalogue import DATASETS
from surgrad.data.spec import DataSpec
from surgrad.errors import ConfigError
from surgrad.objectives import LOSSES, REGULARISERS, losses
from surgrad.training import toml
from surgrad.training.layers import Count, Items, Network, Positive, Share
from surgrad.training.neurons import NEURONS
from surgrad.training.problems import config_error, did_you_mean
from surgrad.training.rules import RULES
from surgrad.training.shipped import shipped
from surgrad.training.timed import TimedNetwork
from surgrad.training.unions import Kind, Made, OneOf, Spec, models_of, wrong

Decay = Annotated[float, Field(ge=0, lt=1)]
Whole = Annotated[int, Field(ge=0)]


class Optimiser(Kind):
    """The optimiser, from `torch.optim`.

    Args:
        lr: the learning rate, or its peak where a schedule warms up.
        weight_decay: applies to connection weights, not to time constants and thresholds.
    """

    lr: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class Adam(Optimiser):
    """`torch.optim.Adam`; `adamw` and `adamax` take the same."""

    kind: str = "adam"
    betas: Annotated[tuple[Decay, Decay], Strict(False)] = (0.9, 0.999)
    eps: Positive = 1e-8


class AdamW(Adam):
    """`torch.optim.AdamW`."""

    kind: str = "adamw"


class Adamax(Adam):
    """`torch.optim.Adamax`, which the authors' tutorials use."""

    kind: str = "adamax"


class SGD(Optimiser):
    """`torch.optim.SGD`."""

    kind: str = "sgd"
    momentum: Decay = 0.0
    nesterov: bool = False

    @model_validator(mode="after")
    def _has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise wrong(".momentum", got=0.0, expected="more than 0 with nesterov", fix="try 0.9")
        return self


class RMSprop(Optimiser):
    """`torch.optim.RMSprop`."""

    kind: str = "rmsprop"
    alpha: Decay = 0.99
    eps: Positive = 1e-8
    momentum: Decay = 0.0


OPTIMISERS = {"adam": Adam, "adamax": Adamax, "adamw": AdamW, "sgd": SGD, "rmsprop": RMSprop}


class Constant(Kind):
    """The same learning rate throughout."""

    kind: str = "constant"


class Cosine(Kind):
    """Half a cosine from the learning rate down to the share `final` of it."""

    kind: str = "cosine"
    final: Share = 0.0


class Step(Kind):
    """The learning rate times `factor` after every so many epochs."""

    kind: str = "step"
    epochs: Count = 10
    factor: Positive = 0.5


class OneCycle(Kind):
    """Up to the learning rate during the share `warm_up` of training, then down to nothing."""

    kind: str = "one_cycle"
    warm_up: Annotated[float, Field(gt=0, lt=1)] = 0.3


SCHEDULES = {"constant": Constant, "cosine": Cosine, "step": Step, "one_cycle": OneCycle}


class Training(Spec):
    """How long and how.

    Args:
        epochs: passes through the training samples.
        batch_size: samples in a training batch.
        eval_batch_size: samples in a batch where no gradient is needed; by default the same.
        clip_norm: the norm to which longer gradients are cut.
        patience: epochs without improvement on the validation samples after which to stop.
        device: where to compute.
        threads: of the processor; by default those that PyTorch chooses.
    """

    epochs: Count = 20
    batch_size: Count = 64
    eval_batch_size: Count | None = None
    clip_norm: Positive | None = None
    patience: Count | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    threads: Count | None = None


OF_SPIKES = (losses.SpikeCount, losses.SpikeCountError, losses.SpikeRate, losses.FirstSpikeLatency)
"""Losses that make sense of spikes only."""

NETWORKS = {"steps": Network, "spike_times": TimedNetwork}
LOSS_TABLES = models_of(LOSSES)
REGULARISER_TABLES = models_of(REGULARISERS)
RULE_TABLES = models_of(RULES)


class Experiment(Spec):
    """One run: data, network, what is learned from and how. See `experiments/` for examples.

    Args:
        name: a short name, used for the run's folder.
        seed: determines weights, the order of samples, dropout. The data have a `split_seed`.
        data: the data set and its options.
        network: the layers.
        loss: what is minimised.
        regularisers: what is added to it.
        rule: how gradients are computed.
        optimiser: what is done with them.
        schedule: the learning rate over time.
        training: how long and how.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: Annotated[DataSpec, OneOf(DATASETS, "digits")]
    network: Annotated[Network | TimedNetwork, OneOf(NETWORKS, "steps")]
    loss: Annotated[Made, OneOf(LOSS_TABLES, "max_over_time")] = Field(
        default_factory=lambda: LOSS_TABLES["max_over_time"].model_validate({})
    )
    regularisers: Items[Annotated[Made, OneOf(REGULARISER_TABLES, "rate_bound")]] = ()
    rule: Annotated[Made, OneOf(RULE_TABLES, "bptt")] = Field(
        default_factory=lambda: RULE_TABLES["bptt"].model_validate({})
    )
    optimiser: Annotated[Optimiser, OneOf(OPTIMISERS, "adam")] = Adam()
    schedule: Annotated[Kind, OneOf(SCHEDULES, "constant")] = Constant()
    training: Training = Training()

    @model_validator(mode="after")
    def _loss_fits(self) -> Self:
        loss = type(self.loss.make())
        if not loss.differentiable:
            fitting = ", ".join(kind for kind, other in LOSSES.items() if other.differentiable)
            got = f"{toml.show(self.loss.kind)}, which has no gradient"
            raise wrong("loss.kind", got=got, expected=f"one of {fitting}")
        timed = isinstance(self.network, TimedNetwork)
        if loss.of_times != timed:
            fitting = ", ".join(kind for kind, o in LOSSES.items() if o.of_times == timed)
            got = f"{toml.show(self.loss.kind)} for a network of kind {self.network.kind}"
            raise wrong("loss.kind", got=got, expected=f"one of {fitting}")
        if isinstance(self.network, TimedNetwork):
            return self
        readout = self.network.readout.neuron
        if loss in OF_SPIKES and not NEURONS[readout].spiking:
            fitting = ", ".join(kind for kind, neuron in NEURONS.items() if neuron.spiking)
            got = f"{toml.show(readout)} under the loss {self.loss.kind}"
            raise wrong("network.readout.neuron", got=got, expected=f"one that spikes: {fitting}")
        return self

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        timed = isinstance(self.network, TimedNetwork)
        if timed and self.rule.kind != "bptt":
            got = f"{toml.show(self.rule.kind)} for a network of spike times"
            raise wrong("rule.kind", got=got, expected="bptt, which is exact for them")
        for index, regulariser in enumerate(self.regularisers):
            if REGULARISERS[regulariser.kind].of_weights != timed:
                fitting = [kind for kind, o in REGULARISERS.items() if o.of_weights == timed]
                got = f"{toml.show(regulariser.kind)} for a network of kind {self.network.kind}"
                at = f"regularisers[{index}].kind"
                raise wrong(at, got=got, expected="one of " + ", ".join(fitting))
        return self

    def to_toml(self) -> str:
        """The experiment with all defaults, as a file that reads back as the same."""
        return toml.dumps(self.model_dump())


def load(source: str | Path, overrides: Sequence[tuple[str, str]] = ()) -> Experiment:
    """Read an experiment.

    A table `[rules.NAME]` in the file holds entries that replace others where that is the rule:
    `[rules.erbp]` with `optimiser.lr = 1e-3`. What `overrides` say goes before it.

    Args:
        source: a TOML file, or the name of an experiment that comes with the package.
        overrides: paths and values that replace those of the file, `("training.epochs", "3")`.

    Raises:
        ConfigError: with all that is wrong, each with its place and a suggestion.
    """
    path = find(source)
    table = toml.read(path)
    special = table.pop("rules", {})
    _apply(overrides, table)
    if special:
        toml.merge(table, _of_rule(special, table, str(source)))
        _apply(overrides, table)
    return from_table(table, str(source))


def _apply(overrides: Sequence[tuple[str, str]], table: dict[str, Any]) -> None:
    for place, value in overrides:
        toml.override(table, place, toml.value_of(value))


def _of_rule(special: Any, table: dict[str, Any], source: str) -> dict[str, Any]:
    """The part of `[rules]` that is about the rule of an experiment."""
    named = special if isinstance(special, dict) else {"": special}
    for name, part in named.items():
        if name not in RULES or not isinstance(part, dict):
            raise ConfigError(
                f"{source}: rules.{name}",
                got=toml.show(part) if name in RULES else "an unknown rule",
                expected="a table of entries that replace others under this rule",
                fix=did_you_mean(name, RULES),
            )
    rule = table.get("rule")
    return named.get(rule.get("kind", "bptt") if isinstance(rule, dict) else "bptt", {})


def from_table(table: dict[str, Any], source: str = "the experiment") -> Experiment:
    """An experiment from nested dictionaries; raises as `load`."""
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        raise config_error(source, error, Experiment, table) from None


def find(source: str | Path) -> Path:
    """The file of an experiment, given as a path or as the name of one that is shipped.

    Raises:
        ConfigError: if there is neither.
    """
    path = Path(source)
    known = shipped()
    if path.is_file():
        return path
    if str(source) in known:
        return known[str(source)]
    if path.is_dir():
        raise ConfigError(str(source), got="a folder", expected="a TOML file")
    raise ConfigError(
        str(source),
        got="no such file, and no experiment of that name",
        expected="a TOML file, or one of " + ", ".join(known),
        fix=did_you_mean(path.stem, known, "`surgrad experiments ls` lists them"),
    )
