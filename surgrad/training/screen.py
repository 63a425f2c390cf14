"""A run on the screen: a bar where there is a terminal, a line an epoch everywhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from surgrad.training.sinks import BatchDone, EpochDone, Event, Finished, Started

if TYPE_CHECKING:
    from surgrad.training.build import Run
    from surgrad.training.scores import Scores
    from surgrad.training.summary import Summary

REFRESH = 0.1
"""Seconds between updates of the bar."""


class Bar:
    """A bar where there is a terminal, gone at the end. Use it as a context manager.

    Args:
        console: where to print; the standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, markup=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _begin(self, total: int, *, completed: int = 0, auto_refresh: bool = True) -> None:
        """Draw the bar, if there is a terminal."""
        if self.console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=24),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
                auto_refresh=auto_refresh,
            )
            self._task = self._bar.add_task("", total=total, completed=completed)
            self._bar.start()


class Screen(Bar):
    """Shows loss, accuracy, firing rates and the time left. Use it as a context manager.

    Args:
        console: where to print; the standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self._next = 0.0
        self._epochs = self._batches = 0

    def __call__(self, event: Event) -> None:
        """See `Event`."""
        match event:
            case Started():
                self._start(event)
            case BatchDone():
                self._update(event)
            case EpochDone():
                self.console.print(epoch_line(event.record, self._epochs, event.best))
            case Finished():
                self.__exit__(None, None, None)
                self.console.print(result_line(event.summary))

    def _start(self, event: Started) -> None:
        run = event.run
        self._epochs, self._batches = run.experiment.training.epochs, run.batches
        self.console.print(describe(run))
        for note in run.notes:
            self.console.print(note)
        for health in run.health:
            if health.verdict != "ok":
                self.console.print(f"warning: {health.advice}", style="yellow")
        for record in event.history:
            self.console.print(epoch_line(record, self._epochs), style="dim")
        done = len(event.history) * self._batches
        self._begin(self._epochs * self._batches, completed=done, auto_refresh=False)

    def _update(self, event: BatchDone) -> None:
        last = event.batch == self._batches
        if self._bar is None or (time.monotonic() < self._next and not last):
            return
        self._next = time.monotonic() + REFRESH
        done = (event.epoch - 1) * self._batches + event.batch
        text = f"epoch {event.epoch}/{self._epochs}  {told(event.scores())}"
        self._bar.update(self._task, completed=done, description=text, refresh=True)


def describe(run: Run) -> str:
    """A run in a few words, before it begins."""
    experiment, info = run.experiment, run.splits.info
    units = " × ".join(map(str, info.features))
    layers = [*experiment.network.layers, experiment.network.readout]
    names = [f"{layer.size or info.outputs} {layer.neuron}" for layer in layers]
    count = sum(p.numel() for p in run.net.parameters())
    return (
        f"{experiment.name}, seed {experiment.seed}: {len(run.splits.train)} + "
        f"{len(run.splits.validation)} + {len(run.splits.test)} samples of {info.time} steps; "
        f"{' → '.join([units, *names])}, {count} parameters; {experiment.rule.kind}"
    )


def told(scores: Scores) -> str:
    """Loss, accuracy and rates."""
    return "  ".join([*_numbers(scores.brief()), rates(scores.rates)])


def epoch_line(record: dict[str, Any], epochs: int, best: bool = False) -> str:
    """An epoch in a line; a star marks the best so far."""
    width = len(str(epochs))
    parts = [f"epoch {record['epoch']:{width}}/{epochs}"]
    parts += ["train", *_numbers(record["train"]), "validation", *_numbers(record["validation"])]
    return "  ".join(
        [*parts, rates(record["rates"]), f"{record['seconds']:.1f} s", "*" if best else ""]
    )


def result_line(summary: Summary) -> str:
    """The result in a line."""
    return "  ".join(["test", *_numbers(summary.test), rates(summary.rates)]) + (
        f"  with the weights of epoch {summary.best_epoch}; {summary.epochs} epochs in "
        f"{summary.seconds:.0f} s"
    )


def rates(hertz: list[float]) -> str:
    """The rates of the layers."""
    return ", ".join(f"{rate:.3g}" for rate in hertz) + " Hz" if hertz else ""


def _numbers(brief: dict[str, float]) -> list[str]:
    parts = [f"loss {brief['loss']:.4f}"]
    return [*parts, f"{100 * brief['accuracy']:.1f} %"] if "accuracy" in brief else parts
