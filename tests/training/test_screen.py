"""What a run shows: a bar in a terminal, lines elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from surgrad.training import screen
from surgrad.training.loop import fit
from surgrad.training.schema import Experiment
from surgrad.training.screen import Screen, epoch_line, rates

Make = Callable[..., Experiment]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_an_epoch_and_a_bar_in_a_terminal(
    terminal: bool, tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "REFRESH", 0.0)
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, markup=False, highlight=False)
    with Screen(console) as shown:
        fit(tiny(**{"training.epochs": 2}), tmp_path / "run", sinks=[shown])
    lines = text.getvalue().splitlines()
    assert sum("epoch 1/2  train  loss" in line for line in lines) == 1
    assert sum("epoch 2/2  train  loss" in line for line in lines) == 1
    assert any("test  loss" in line and "with the weights of epoch" in line for line in lines)
    assert any("━" in line and "epoch 1/2  loss" in line for line in lines) == terminal


def test_a_bar_that_is_interrupted_gives_the_cursor_back(tiny: Make, tmp_path: Path) -> None:
    text = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Screen(Console(file=text, force_terminal=True)) as shown:

        def stop(_: object) -> None:
            raise KeyboardInterrupt

        fit(tiny(), tmp_path / "run", sinks=[shown, stop])
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert text.getvalue().rindex(show) > text.getvalue().rindex(hide)


def test_an_epoch_in_a_line() -> None:
    record = {
        "epoch": 3,
        "train": {"loss": 0.5, "accuracy": 0.75},
        "validation": {"loss": 0.25},
        "rates": [12.34, 8.0],
        "seconds": 1.26,
    }
    assert epoch_line(record, 20, best=True) == (
        "epoch  3/20  train  loss 0.5000  75.0 %  validation  loss 0.2500  12.3, 8 Hz  1.3 s  *"
    )
    assert rates([]) == ""
