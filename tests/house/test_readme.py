"""What the README and the quick start say to type works.

Shell commands are run one after the other in a temporary folder, as a reader would, but with one
epoch and few samples. Commands that make or install something are checked, not run.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from blocks import blocks, commands

ROOT = Path(__file__).parents[2]
RUN = [ROOT / "README.md", ROOT / "docs" / "quickstart.md"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# what makes a training command short, in place of what the page says
QUICK = {
    "train": ["--training.epochs", "1", "--data.limit", "64"],
    "compare": ["--training.epochs", "1", "--data.limit", "64", "--seeds", "1"],
}


def environment() -> dict[str, str]:
    """The command `surgrad` is the one beside this interpreter."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def shortened(words: list[str]) -> list[str]:
    """A training command with few epochs, samples and seeds."""
    quick = QUICK.get(words[1], [])
    kept = list(words)
    for option in quick[::2]:
        if option in kept:
            at = kept.index(option)
            del kept[at : at + 2]
    return kept + quick


def check(words: list[str]) -> None:
    """A command that is not run: its target or extras must be there."""
    if words[0] == "make":
        rules = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
        assert set(words[1:]) <= rules, words
    elif words[:2] == ["pip", "install"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for extras in re.findall(r"\[([\w,]+)\]", " ".join(words)):
            assert set(extras.split(",")) <= set(project["optional-dependencies"]), words
    elif words[:3] == ["python", "-m", "benchmarks"]:
        from benchmarks.__main__ import app

        # only read: it would take half an hour
        app.parse_args(words[3:], exit_on_error=False, print_error=False)
    else:
        pytest.fail(f"a command that no test knows: {shlex.join(words)}")


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_commands_work_in_sequence(page: Path, tmp_path: Path) -> None:
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    ran = 0
    for command in commands(page):
        words = shlex.split(command)
        if words[0] != "surgrad":
            check(words)
            continue
        done = subprocess.run(
            shortened(words),
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        ran += 1
    assert ran
    summary = tmp_path / "runs" / "digits" / "summary.json"
    assert summary.is_file() and (summary.parent / "report.html").is_file()


def test_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks(ROOT / "README.md", "python")
    held: dict[str, object] = {}
    for block in found:
        exec(compile(block.text, "README.md", "exec"), held)
    assert "result" in held


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_what_is_not_there(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"\bexperiments/[\w-]+\.toml", text):
        assert (ROOT / name).is_file(), f"{page.name} names {name}"
    for target in re.findall(r"`make ([\w-]+)`", text):
        check(["make", target])
    for command in commands(page):
        words = shlex.split(command)
        if words[0] != "surgrad":
            check(words)
    if page not in RUN:
        for verb in set(re.findall(r"\bsurgrad ([a-z]+)\b(?=[ `])", "\n".join(inline(text)))):
            assert knows(verb), f"{page.name}: surgrad {verb}"


@cache
def knows(verb: str) -> bool:
    """Whether the command line has such a command."""
    done = subprocess.run(
        ["surgrad", verb, "--help"], env=environment(), capture_output=True, text=True
    )
    return done.returncode == 0


def inline(text: str) -> list[str]:
    """The pieces of code of a page, in fences of shell commands and in backticks."""
    return re.findall(r"```sh\n.*?```|`surgrad [^`]*`", text, re.S)


def test_links_between_files_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
