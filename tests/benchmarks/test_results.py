"""What was measured is kept, shown and drawn as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.chart import bars, draw, label
from benchmarks.page import BEGIN, END, body, brief, rewrite, single
from benchmarks.results import Row, Run
from benchmarks.table import ordered, speed, timed
from surgrad.errors import FormatError

ROOT = Path(__file__).parents[2]


def row(name: str, family: str, *wall: float, **more) -> Row:
    return Row(name, family, wall=list(wall), cpu=list(wall), **more)


def example(workload: str = "W1", kind: str = "time") -> Run:
    rows = [
        row("surgrad", "surgrad", 10.0, 12.0, 11.0, rates=[0.05]),
        row("slow", "PyTorch", 44.0, 45.0, 43.0),
        row("quick", "JAX", 22.0, 20.0, 300.0),
        row("mute", "JAX", 1.0, 1.0, 1.0, status="SILENT", rates=[0.0]),
        row("dense product", "limit", 33.0, 33.0, 33.0),
        Row("gone", "PyTorch", "missing", "gone is not installed"),
    ]
    facts = {"processor": "P", "cores": 2}
    return Run(workload, "a→b", kind, 1, rows, facts, "abc", "2026-01-01")


def test_a_silent_network_is_shown_and_not_ranked() -> None:
    run = example()
    quick, slow = run.fastest(), run.fastest("PyTorch")
    assert quick is not None and quick.contender == "quick"
    assert slow is not None and slow.contender == "slow"
    mute = run.row("mute")
    assert mute is not None and timed(run, mute)[0] == "mute (SILENT)"
    assert speed(quick, mute) == ""
    own = run.row("surgrad")
    assert own is not None and own.median == 11.0
    assert (speed(quick, own), speed(slow, own)) == ("2.00", "4.00")
    assert [entry.contender for entry in ordered(run)][:2] == ["mute", "surgrad"]


def test_a_file_keeps_the_newest_of_each(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    results.save(path, [example("W10"), example("W2")])
    newer = example("W2")
    newer.commit = "def"
    results.save(path, [newer, example("W2", "memory")])
    found = results.load(path)
    assert [(r.workload, r.kind, r.commit) for r in found] == [
        ("W2", "memory", "abc"),
        ("W2", "time", "def"),
        ("W10", "time", "abc"),
    ]
    assert found[1] == newer


def test_the_page_gets_its_tables() -> None:
    runs = [example(), example("W1 T=200")]
    text = rewrite(f"# A\n\n{BEGIN}\nold\n{END}\n\nmore\n", body(runs))
    assert "old" not in text and text.endswith(f"{END}\n\nmore\n")
    assert "| W1 | 1 | 11 | quick, 22 ms | 2.00 | slow, 44 ms | 4.00 | 33 ms | 3.00 |" in text
    assert "| W1 | surgrad | 11 |" in text
    assert "## W1: a→b\n\nCommit abc, 3 rounds.\n" in text
    assert brief(runs).endswith("\n| a→b | 2.00 (quick) | 4.00 (slow) |")
    with pytest.raises(FormatError):
        rewrite("# A\n", "new")


def test_the_picture_has_the_ratios(tmp_path: Path) -> None:
    found = bars(example())
    assert found["JAX"] == ("quick", 2.0) and found["PyTorch"] == ("slow", 4.0)
    draw([example(), example("W1 T=200")], tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "4.0×  slow" in text and "T=200" not in text


def test_the_documentation_shows_the_committed_results() -> None:
    runs = results.load(ROOT / "docs" / "benchmarks.json")
    assert body(runs) in (ROOT / "docs" / "performance.md").read_text()
    assert brief(runs) in (ROOT / "README.md").read_text()
    picture = (ROOT / "docs" / "images" / "benchmarks.svg").read_text()
    for run in (run for run in single(runs) if run.threads == 1):
        for name, (contender, ratio) in bars(run).items():
            assert f"> {label(name, contender, ratio)}</text>" in picture
