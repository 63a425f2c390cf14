"""Rounds over processes: who is timed, who is refused and why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import driver, epochs
from benchmarks.child import Child, RefusedError
from benchmarks.contenders import CONTENDERS, Entry
from benchmarks.results import Run
from benchmarks.workloads import Workload

HERE = Path(__file__).parent
TINY = Workload("tiny", "layers", (12, 6, 3), 20, 4, 0.1)
KINDS = ("Wrong", "Zero", "Silent", "Chatty", "Dying", "Picky", "Absent")


def run(entries: list[Entry], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    plan = driver.Plan({entry.name: sys.executable for entry in entries}, rounds=2)
    return driver.time(TINY, entries, plan)


@pytest.mark.slow
def test_two_contenders_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run([CONTENDERS["surgrad"], CONTENDERS["plain"]], monkeypatch)
    assert [row.status for row in found.rows] == ["ok", "ok"]
    for row in found.rows:
        assert len(row.wall) == len(row.cpu) == 2
        assert 0 < row.rates[0] < 1
        assert max(row.errors.values()) < 1e-4
        assert row.versions["torch"].startswith("2.")
    # the same network: the same spikes
    assert found.rows[0].rates == pytest.approx(found.rows[1].rates)
    assert found.fastest() is None


@pytest.mark.slow
def test_nobody_is_timed_who_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        Entry(kind, "PyTorch", f"broken:{kind}", ("torch",), "pip install it") for kind in KINDS
    ]
    found = run(entries, monkeypatch)
    row = {row.contender: row for row in found.rows}
    assert row["Wrong"].status == "wrong" and "off by 0.1 of its norm" in row["Wrong"].why
    assert row["Zero"].status == "wrong" and "0.weight is zero" in row["Zero"].why
    assert row["Dying"].status == "failed" and "process ended" in row["Dying"].why
    assert row["Picky"].status == "unsupported" and row["Picky"].why == "no such network"
    assert row["Absent"].status == "missing" and "pip install it" in row["Absent"].why
    for kind in ("Wrong", "Zero", "Dying", "Picky", "Absent"):
        assert not row[kind].wall
    assert row["Silent"].status == "SILENT" and row["Silent"].wall
    fastest = found.fastest()
    assert row["Chatty"].status == "ok" and fastest is row["Chatty"]


@pytest.mark.slow
def test_memory_is_that_of_a_first_step() -> None:
    plan = driver.Plan({"plain": sys.executable})
    (row,) = driver.memory(TINY, [CONTENDERS["plain"]], plan).rows
    assert row.status == "ok" and row.growth is not None and row.growth > 0


def test_a_killed_process_is_said_to_be_killed() -> None:
    with Child(sys.executable, 1, 60.0) as child:
        child.process.kill()
        with pytest.raises(RefusedError, match="where memory runs out"):
            child.ask("verify")


def test_patience_ends() -> None:
    entry = CONTENDERS["plain"]
    plan = driver.Plan({entry.name: sys.executable}, patience=0.05)
    (row,) = driver.time(TINY, [entry], plan).rows
    assert row.status == "failed" and "no answer to build" in row.why


@pytest.mark.slow
def test_a_training_goes_on_behind_the_last_contender(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    entries = [CONTENDERS["surgrad"], CONTENDERS["surgrad triangle"]]
    plan = driver.Plan({entry.name: sys.executable for entry in entries}, say=said.append)
    (first,) = epochs.train(entries[:1], 1, plan)
    assert first.rows[0].status == "ok" and len(first.rows[0].wall) == 2
    assert any("surgrad: epoch 1 of 1, loss " in line for line in said)
    monkeypatch.setattr(epochs, "_trained", lambda row, *_: row.wall.append(1.0))
    *_, last = epochs.train(entries, 1, plan, [first])
    assert [row.wall for row in last.rows] == [first.rows[0].wall, [1.0]]
    # another commit is another result
    first.commit = "another"
    *_, last = epochs.train(entries, 1, plan, [first])
    assert [row.wall for row in last.rows] == [[1.0], [1.0]]
