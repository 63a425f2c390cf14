"""`surgrad audit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from surgrad.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from surgrad.studies.audit import Audit
    from surgrad.training.build import Run


def audit(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *overrides: Annotated[str, Parameter(allow_leading_hyphen=True)],
    rules: str = "all",
    samples: int = 64,
    draws: int = 16,
    out: Path | None = None,
) -> int:
    """Say for one batch how far each rule's gradient is from others that can be trusted.

    They are BPTT, the derivative of the network with soft spikes as these sharpen, and EventProp
    where it applies. Writes a page and `audit.json`.

    Args:
        file: a run folder, whose weights are taken; or a TOML file, or the name of an experiment
            that comes with surgrad, as it is before training.
        overrides: pairs of `--key.path value`, for a file.
        rules: `all`, or names with commas: `bptt,eprop,dfa`.
        samples: in the batch.
        draws: gradients that are averaged for rules that draw spikes by chance.
        out: where to write; the run folder's `audit`, or `runs/audit-NAME`, by default.
    """
    from surgrad.studies.audit import audit as compute
    from surgrad.studies.compare import rules_named

    for name, number in (("samples", samples), ("draws", draws)):
        if number < 1:
            raise ConfigError(f"--{name}", got=number, expected="1 or more")
    kinds = rules_named(rules)
    run, named, place = _run([file, *overrides], out)
    console = Console(highlight=False, markup=False)
    with console.status("") as status:
        found = compute(
            run,
            kinds,
            samples=samples,
            draws=draws,
            told=lambda text: status.update(f"gradient: {text}"),
        )
    place.mkdir(parents=True, exist_ok=True)
    found.write(place / "audit.json")
    _print(console, found)
    options = ["--rules", rules, "--samples", str(samples), "--draws", str(draws)]
    command = ["surgrad", "audit", *named, *options]
    try:
        from surgrad.studies.audit_page import write_page

        print(f"report: {write_page(place, run.experiment, found, samples, command)}")
    except MissingExtraError as error:
        print(f"no report: {error}", file=sys.stderr)
    return 0


def _run(tokens: list[str], out: Path | None) -> tuple[Run, list[str], Path]:
    """What to audit, what names it, and where to write."""
    from surgrad.cli.overrides import experiment_of, split
    from surgrad.training import checkpoint, folder
    from surgrad.training.build import build

    files, pairs = split(tokens)
    place = Path(files[0]) if len(files) == 1 else None
    if place is None or not place.is_dir():
        experiment, named = experiment_of(tokens, flags=("rules", "samples", "draws", "out"))
        return build(experiment), named, out or Path("runs") / f"audit-{experiment.name}"
    if pairs:
        raise ConfigError(
            f"--{pairs[0][0]}",
            got=f"a change to the run in {place}",
            expected="a run folder alone",
            fix="give an experiment file to change it",
        )
    run = build(folder.read(place))
    checkpoint.load_weights(place / checkpoint.WEIGHTS, run.net)
    return run, [str(place)], out or place / "audit"


def _print(console: Console, found: Audit) -> None:
    best = found.closest
    hidden = found.layers[0]
    soft = f"soft {best.scale:g}"
    table = Table(
        "rule", f"BPTT: {hidden}", "all", f"{soft}: {hidden}", "all", "EventProp", box=None
    )
    for kind, to_bptt in found.bptt.items():
        event = found.eventprop.get(kind)
        to_soft = best.angles[kind]
        table.add_row(
            kind,
            *(
                f"{by[layer].cosine:.3f}"
                for by in (to_bptt, to_soft)
                for layer in (hidden, "network")
            ),
            f"{event['network'].cosine:.3f}" if event else "–",
        )
    console.print("cosines of each rule's gradient to that of")
    console.print(table)
    for kind, reason in found.refused.items():
        console.print(f"{kind} has none here: {reason}")
