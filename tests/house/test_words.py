"""What is tracked speaks of the project, not of the machine that it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# written in pieces so that this file does not find itself
HERE = {
    "a path of one machine": r"(?<![\w.])/" + r"(?:work|root|tmp|mnt)/",
    "a home folder": r"(?<![\w.])/" + r"(?:home|Users)/\w+",
    "an address of a machine": r"(?<![\d.])(?:10|127|192|172)(?:\.\d{1,3}){3}(?![\d.])",
    "a package registry": r"\b(?:py" + r"pi\.org|pythonhost" + r"ed\.org|npm" + r"js\.(?:org|com)|"
    r"conda\.anaconda" + r"\.org|crates" + r"\.io|unp" + r"kg\.com|jsdeli" + r"vr\.net)",
    "a folder beside the project": r"\.\./sha" + r"red\b|(?<!\w)sha" + r"red/(?:data|reference)",
}
BINARY = {".png", ".npz", ".gz", ".wav", ".h5", ".bin", ".safetensors", ".pt", ".ico", ".woff2"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def found_in(text: str) -> list[str]:
    return [
        f"line {text.count(chr(10), 0, match.start()) + 1}: {what}: {match[0]}"
        for what, pattern in HERE.items()
        for match in re.finditer(pattern, text)
    ]


def test_nothing_tracked_names_a_machine() -> None:
    complaints = []
    for path in tracked():
        if path.suffix not in BINARY:
            name = path.relative_to(ROOT)
            complaints += [f"{name}, {what}" for what in found_in(path.read_text(encoding="utf-8"))]
    assert complaints == []


@pytest.mark.parametrize(
    "text",
    [
        "see /" + "work/x",
        "'/" + "tmp/a'",
        "/" + "home/me",
        "10" + ".0.0.7",
        "https://py" + "pi.org/simple",
    ],
)
def test_the_check_sees_what_it_should(text: str) -> None:
    assert len(found_in(text)) == 1


@pytest.mark.parametrize("text", ["frame/work/x", "torch 2.10.0.1rc", "rework", "a/tmp/b"])
def test_the_check_lets_the_rest_pass(text: str) -> None:
    assert found_in(text) == []
