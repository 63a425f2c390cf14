"""Every rule on the same network, the same data and the same budget."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from surgrad.errors import ConfigError, RuleError
from surgrad.studies import probe
from surgrad.studies.hours import refuse_hours_of_training
from surgrad.training import folder
from surgrad.training.loop import DivergedError, fit
from surgrad.training.problems import did_you_mean
from surgrad.training.rules import RULES
from surgrad.training.schema import Experiment, load
from surgrad.training.sinks import Sink
from surgrad.training.summary import Summary

Status = Literal["finished", "not applicable", "diverged"]


@dataclass(frozen=True)
class Member:
    """One run of a study."""

    rule: str
    seed: int
    experiment: Experiment
    out: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        member: the run.
        status: "not applicable" where the rule's mathematics does not hold for this network, or
            where it would take hours.
        reason: why it did not finish.
        summary: its result, if it did.
        epochs: the record of each epoch, as in `metrics.jsonl`.
        looks: what the probe wrote: cosines and norm ratios by epoch and layer.
    """

    member: Member
    status: Status
    reason: str = ""
    summary: Summary | None = None
    epochs: tuple[dict[str, Any], ...] = ()
    looks: tuple[dict[str, Any], ...] = ()


def rules_named(text: str) -> list[str]:
    """The rules of `all` or `a,b,c`.

    Raises:
        ConfigError: if one of them is unknown.

    Example:
        >>> rules_named("bptt, eprop")
        ['bptt', 'eprop']
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return list(RULES)
    for name in names or [text]:
        if name not in RULES:
            raise ConfigError(
                "--rules",
                got=repr(name),
                expected="all, or some of " + ", ".join(RULES),
                fix=did_you_mean(name, RULES),
            )
    return list(dict.fromkeys(names))


def plan(
    source: str | Path,
    rules: Iterable[str],
    seeds: int,
    out: Path,
    overrides: Sequence[tuple[str, str]] = (),
) -> list[Member]:
    """The runs of a study: seed by seed, so that there is a whole row early.

    Each is the experiment with `rule.kind` replaced, and with what the file says in
    `[rules.NAME]`; options of the file's own rule are kept for that rule only.

    Args:
        source: an experiment file, or the name of one that comes with the package.
        rules: kinds of rules.
        seeds: how many, counted from that of the experiment.
        out: the study's folder; each run has one within it.
        overrides: as in `load`.

    Raises:
        ConfigError: if the experiment is wrong, under any of the rules.
    """
    base = load(source, overrides)
    planned = []
    for seed in range(base.seed, base.seed + seeds):
        for rule in rules:
            own = [] if rule == base.rule.kind else [("rule", f'{{ kind = "{rule}" }}')]
            experiment = load(source, [*overrides, *own, ("seed", str(seed))])
            planned.append(Member(rule, seed, experiment, out / f"{rule}-{seed}"))
    return planned


def run(
    members: Iterable[Member],
    *,
    sinks: Callable[[Member], Sequence[Sink]] = lambda member: (),
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Train all members, each by the ordinary loop; what is finished is read, not run again.

    Args:
        members: the runs.
        sinks: further ones for each run.
        done: called after each.

    Raises:
        SurgradError: if a file is missing, or a folder holds a run of another experiment.
    """
    outcomes = []
    refused: dict[str, str] = {}
    for member in members:
        if member.rule in refused:
            outcome = Outcome(member, "not applicable", refused[member.rule])
        else:
            outcome = _one(member, sinks(member))
        if outcome.status == "not applicable":
            refused[member.rule] = outcome.reason
        outcomes.append(outcome)
        done(outcome)
    return outcomes


def _one(member: Member, sinks: Sequence[Sink]) -> Outcome:
    try:
        if folder.check(member.out, member.experiment, resume=True) is None:
            refuse_hours_of_training(member.experiment)
        summary = fit(member.experiment, member.out, resume=True, sinks=[probe.Probe(), *sinks])
    except RuleError as error:
        return Outcome(member, "not applicable", str(error))
    except DivergedError as error:
        return _outcome(member, "diverged", str(error), None)
    return _outcome(member, "finished", "", summary)


def _outcome(member: Member, status: Status, reason: str, summary: Summary | None) -> Outcome:
    path = member.out / folder.METRICS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    epochs = tuple(json.loads(line) for line in lines)
    return Outcome(member, status, reason, summary, epochs, tuple(probe.read(member.out)))


def summary_of(rule: str) -> str:
    """The first sentence of a rule's documentation.

    Example:
        >>> summary_of("ottt").endswith(".")
        True
    """
    text = inspect.getdoc(RULES[rule]) or ""
    return " ".join(text.split("\n\n")[0].split())
