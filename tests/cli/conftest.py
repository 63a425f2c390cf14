"""The command line in this process: quick, and with the exit code and both streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from surgrad.cli import main


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
