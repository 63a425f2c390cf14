"""`surgrad train`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from surgrad.errors import MissingExtraError
from surgrad.training.sinks import Event, Finished

EXAMPLES = 256
"""Test samples that a report is about."""


def train(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *overrides: Annotated[str, Parameter(allow_leading_hyphen=True)],
    out: Path | None = None,
    resume: bool = False,
) -> int:
    """Train a network as an experiment file says, test it once, and write a report.

    Any entry of the file can be replaced: `--optimiser.lr 3e-4 --network.layers.0.size 64`.

    Args:
        file: a TOML file, or the name of an experiment that comes with surgrad.
        overrides: pairs of `--key.path value`.
        out: the run folder; `runs/NAME-SEED` by default.
        resume: go on with the run in the folder.
    """
    from surgrad.cli.overrides import experiment_of
    from surgrad.training import folder
    from surgrad.training.loop import fit
    from surgrad.training.screen import Screen, result_line

    experiment, named = experiment_of([file, *overrides], flags=("out", "resume"))
    place = out or Path("runs") / f"{experiment.name}-{experiment.seed}"
    seen = Seen()
    try:
        with Screen() as screen:
            summary = fit(experiment, place, resume=resume, sinks=[seen, screen, report])
            if not seen.finished:
                screen.console.print(f"{place} was finished before: {result_line(summary)}")
    except KeyboardInterrupt:
        if folder.started(place) or seen.started:
            command = shlex.join(["surgrad", "train", *named, "--out", str(place), "--resume"])
            print(f"interrupted; go on with: {command}", file=sys.stderr)
        else:
            print("interrupted before the run began; there is nothing to clean up", file=sys.stderr)
        return 130
    return 0


class Seen:
    """A sink that remembers how far a run came."""

    started = finished = False

    def __call__(self, event: Event) -> None:
        """See `Event`."""
        self.started = True
        self.finished = isinstance(event, Finished)


def report(event: Event) -> None:
    """A sink that looks at some test samples of a run that is over, and writes its report."""
    if not isinstance(event, Finished):
        return
    from surgrad.report import examine, write_report

    try:
        examine(event.run, event.out)
        print(f"report: {write_report(event.out)}")
    except MissingExtraError as error:
        print(f"no report: {error}", file=sys.stderr)
