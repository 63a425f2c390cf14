"""The command line in this process: quick, and with the exit code and both streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from surgrad.cli import main
from tests.experiments import SHORT


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `surgrad` in an empty folder with 80 columns; exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("SURGRAD_DATA", str(tmp_path / "data"))

    def command(*tokens: object) -> tuple[int, str, str]:
        code = main([str(token) for token in tokens])
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A file of an experiment with some chance in it."""
    path = tmp_path / "short.toml"
    path.write_text("seed = 4\n" + SHORT.replace("size = 8", "size = 8, dropout = 0.1"))
    return path
