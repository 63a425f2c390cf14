"""`surgrad compare` and `surgrad audit` from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_compare_says_who_got_how_far(run: Run, short: Path, tmp_path: Path) -> None:
    tokens = ("compare", "short.toml", "--rules", "bptt,likelihood,dfa", "--seeds", "2")
    code, out, err = run(*tokens, "--network.layers.0.size", "9")
    assert code == 0, err
    folder = tmp_path / "runs" / "compare-short"
    assert {path.name for path in folder.iterdir()} == {
        "bptt-4", "bptt-5", "dfa-4", "dfa-5", "results.json", "runs.csv", "report.html",
    }  # fmt: skip
    lines = out.splitlines()
    assert sum(line.startswith("bptt, seed") for line in lines) == 2
    assert any(line.startswith("likelihood, seed 4: not applicable: ") for line in lines)
    assert f"report: {Path('runs') / 'compare-short' / 'report.html'}" in lines
    page = (folder / "report.html").read_text()
    assert "surgrad compare short.toml --network.layers.0.size=9 --rules" in page
    rows = list(csv.DictReader((folder / "runs.csv").read_text().splitlines()))
    assert {(row["rule"], row["seed"]) for row in rows} == {
        (rule, seed) for rule in ("bptt", "likelihood", "dfa") for seed in "45"
    }
    # the same command again runs nothing
    before = (folder / "bptt-4" / "checkpoint.pt").stat().st_mtime_ns
    assert run(*tokens, "--network.layers.0.size", "9")[0] == 0
    assert (folder / "bptt-4" / "checkpoint.pt").stat().st_mtime_ns == before


def test_compare_does_not_mix_two_experiments(run: Run, short: Path) -> None:
    tokens = ("compare", "short.toml", "--rules", "bptt", "--seeds", "1", "--out", "here")
    assert run(*tokens)[0] == 0
    code, _, err = run(*tokens, "--training.epochs", "1")
    assert code == 2 and "training.epochs" in err


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (("compare", "short.toml", "--rules", "eporp"), "did you mean eprop?"),
        (("compare", "short.toml", "--seeds", "0"), "1 or more"),
        (("audit", "short.toml", "--samples", "0"), "1 or more"),
        (("audit", "short.toml", "--rules", "nothing"), "--rules"),
        (("audit", "nowhere.toml"), "no such file"),
    ],
)
def test_mistakes(run: Run, short: Path, tokens: tuple[str, ...], told: str) -> None:
    code, _, err = run(*tokens)
    assert code == 2 and told in " ".join(err.split())


def test_audit_of_a_file_and_of_a_run(run: Run, short: Path, tmp_path: Path) -> None:
    options = ("--rules", "bptt,dfa,likelihood", "--samples", "16", "--draws", "2")
    code, out, err = run("audit", "short.toml", *options)
    assert code == 0, err
    assert "likelihood has none here" in out
    table = json.loads((tmp_path / "runs" / "audit-short" / "audit.json").read_text())
    assert table["bptt"]["bptt"]["network"]["cosine"] == pytest.approx(1)
    page = (tmp_path / "runs" / "audit-short" / "report.html").read_text()
    assert "--samples 16 --draws 2" in page
    assert run("train", "short.toml", "--out", "run", "--optimiser.lr", "0.05")[0] == 0
    assert run("audit", "run", *options)[0] == 0
    trained = json.loads((tmp_path / "run" / "audit" / "audit.json").read_text())
    assert trained["soft"][0]["norm"] != table["soft"][0]["norm"]
    code, _, err = run("audit", "run", "--seed", "3")
    assert code == 2 and "a run folder alone" in " ".join(err.split())
