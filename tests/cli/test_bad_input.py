"""Whatever is wrong: one screen with cause and fix, exit code 2, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.experiments import SHORT

SCREEN = 24

VALID = SHORT.replace("short", "tiny")

Run = Callable[..., tuple[int, str, str]]


def check(said: tuple[int, str, str], *parts: str) -> None:
    """One screen, without a traceback, which holds all the parts."""
    code, out, err = said
    assert code == 2, said
    assert "Traceback" not in err + out
    # kernels say when they are compiled, once on a machine
    lines = [line for line in err.strip().splitlines() if not line.startswith("surgrad: compiling")]
    assert 0 < len(lines) <= SCREEN, err
    assert max(map(len, lines)) <= 80, err
    # the parts may be broken over lines, and framed
    text = " ".join(" ".join(lines).replace("│", " ").split())
    for part in parts:
        assert part in text, f"{part!r} is not in {text!r}"


def table(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))


CONFIGS, ARGUMENTS = table("bad_configs"), table("bad_arguments")


@pytest.mark.parametrize("what", CONFIGS)
def test_config(what: str, run: Run, tmp_path: Path) -> None:
    case = CONFIGS[what]
    old = case.get("old", VALID)
    assert old in VALID
    file = tmp_path / "bad.toml"
    file.write_text(VALID.replace(old, case["new"], 1))
    said = run("train", "bad.toml")
    check(said, case["cause"], case["fix"])
    assert said[1] == ""
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("what", ARGUMENTS)
def test_arguments(what: str, run: Run, tmp_path: Path) -> None:
    case = ARGUMENTS[what]
    (tmp_path / "good.toml").write_text(VALID)
    (tmp_path / "bytes.toml").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    (tmp_path / "runs.d").mkdir()
    (tmp_path / "runs.d" / "thesis.txt").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    check(run(*case["tokens"]), case["cause"], case["fix"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("tokens", "parts"),
    [
        (["train", "bad.toml"], ["bad.toml, line 1", "expected TOML"]),
        (["train", "digits", "--data.kind", "x"], ['data.kind: got "x"']),
        (["evaluate", "nowhere"], ["no such folder"]),
    ],
)
def test_in_a_process_of_its_own(tokens: list[str], parts: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("= 3")
    done = subprocess.run(
        [sys.executable, "-m", "surgrad", *tokens],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    check((done.returncode, done.stdout, done.stderr), *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


def test_many_mistakes_are_cut_to_a_screen(run: Run, tmp_path: Path) -> None:
    layers = "[" + "{ siez = 8 }, " * 40 + "]"
    (tmp_path / "bad.toml").write_text(VALID.replace("[{ size = 8 }]", layers))
    check(run("train", "bad.toml"), "bad.toml: 40 problems", "did you mean size?", "more")


def test_there_are_as_many_as_promised() -> None:
    assert len(CONFIGS) + len(ARGUMENTS) > 80


def test_bugs_keep_their_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("surgrad.cli.overrides.experiment_of", broken)
    with pytest.raises(ZeroDivisionError):
        run("validate", "digits")
