"""Learning rules as contenders: verified before they are timed, and shown on the page."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import driver, results
from benchmarks.contenders import RULES
from benchmarks.page import body
from benchmarks.results import Row, Run
from benchmarks.rules import measured
from benchmarks.verify import complaints
from benchmarks.worker import Worker
from benchmarks.workloads import Workload

TINY = Workload("W1 T=20", "layers", (12, 6, 3), 20, 4, 0.1)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_verified_against_its_definition(name: str) -> None:
    worker = Worker()
    worker.build(RULES[name].builder, asdict(TINY), [])
    report = worker.verify()
    assert not complaints(report)
    assert set(report["gradients"]) == {"0.weight", "2.weight"}
    # spikes by chance, and error neurons whose spikes fall on either side of rounding
    if name not in ("reward", "erbp"):
        assert max(report["errors"].values()) < 1e-4
    assert worker.step()["wall"] > 0


def test_a_wrong_rule_is_complained_about(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    worker.build(RULES["eprop"].builder, asdict(TINY), [])
    contender = worker.contender
    right = contender.gradients
    monkeypatch.setattr(contender, "gradients", lambda: {n: 1.1 * g for n, g in right().items()})
    assert "off by 0.1 of its norm" in complaints(worker.verify())[0]


@pytest.mark.slow
def test_times_and_memory_are_measured(tmp_path: Path) -> None:
    entries = [RULES[name] for name in ("bptt", "eprop")]
    plan = driver.Plan({entry.name: sys.executable for entry in entries}, rounds=2)
    runs = list(measured(TINY, entries, plan))
    assert [run.kind for run in runs] == ["rules", "rules memory"]
    assert all(row.status == "ok" and len(row.wall) == 2 for row in runs[0].rows)
    assert runs[1].rows[-1].growth == pytest.approx(20 * 4 * 3 * 4 / 1e6)
    results.save(tmp_path / "found.json", runs)
    assert "| eprop |" in body(results.load(tmp_path / "found.json"))


def test_the_page_has_a_section_for_them() -> None:
    def run(kind: str, time: int) -> Run:
        rows = [
            Row("bptt", "surgrad", wall=[10.0 * time, 12.0 * time], cpu=[1.0], growth=2.0 * time),
            Row("eprop", "surgrad", wall=[20.0 * time, 24.0 * time], cpu=[1.0], growth=3.0),
        ]
        facts = {"processor": "P", "cores": 2}
        return Run(f"W1 T={time}", "a→b", kind, 1, rows, facts, "abc", "2026-01-01")

    text = body([run(kind, time) for kind in ("rules", "rules memory") for time in (100, 6400)])
    assert text.count("## Learning rules") == 1
    assert "| eprop | 2200 | 2000..2400 | 1 | 2.00 |" in text
    assert "| W1 | eprop | 2200 | 140800 |" in text
    assert "| W1 | bptt | 200 | 12800 |" in text and "| W1 | eprop | 3 | 3 |" in text
    assert "## Learning rules" not in body([replace(run("time", 100), workload="W1")])
