"""The command line. Each command is imported when it is called, so that help costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from surgrad import __version__
from surgrad.errors import SurgradError

MOST_LINES = 22
"""An error fits on a screen."""

app = App(
    name="surgrad",
    version=__version__,
    help="Train spiking neural networks by surrogate gradients, and by other rules.",
    help_epilogue="Begin with: surgrad experiments ls, then surgrad train digits",
)
_COMMANDS = {
    "train": ("train:train", "Train a network as an experiment file says."),
    "evaluate": ("evaluate:evaluate", "Score a trained network on the test or validation samples."),
    "convert": ("convert:convert", "Turn a trained network into a spiking one."),
    "report": ("report:report", "Write the report of a run as one HTML page."),
    "validate": ("validate:validate", "Say all that is wrong with an experiment file."),
    "compare": ("compare:compare", "Train one network by several rules and compare them."),
    "audit": ("audit:audit", "Say how far each rule's gradient is from ones to be trusted."),
    "doctor": ("doctor:doctor", "Look at the installation, the data and a network's health."),
    "experiments": ("experiments:app", "List and copy the experiments that come with surgrad."),
    "data": ("data:app", "List, fetch and show data sets."),
}
for _name, (_target, _help) in _COMMANDS.items():
    app.command(f"surgrad.cli.{_target}", name=_name, help=_help)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run a command; its exit code.

    0 is success, 2 a mistake in the input, which is said on one screen, 130 an interruption.
    Anything else that goes wrong is a bug and keeps its traceback.
    """
    try:
        code = app(
            sys.argv[1:] if tokens is None else list(tokens),
            exit_on_error=False,
            result_action="return_value",
        )
    except CycloptsError:
        return 2  # cyclopts has said what is wrong
    except SurgradError as error:
        show(error)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return code if isinstance(code, int) else 0


def show(error: SurgradError) -> None:
    """Print an error on one screen."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    lines = Text.assemble(("error: ", "bold red"), str(error)).wrap(console, console.width)
    for line in lines[:MOST_LINES]:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    if len(lines) > MOST_LINES:
        console.print("…")
