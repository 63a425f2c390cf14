"""The cost model, with constants that are given."""

from __future__ import annotations

import json

import pytest

from surgrad.kernels import choice


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "_FOLDER", tmp_path / "cache")
    monkeypatch.setattr(choice, "measure", lambda: choice.Costs(0.02, 0.06, 0.01, 0.08, 0.04))
    choice.costs.cache_clear()
    yield tmp_path / "cache"
    choice.costs.cache_clear()


def test_the_crossover_balances_both_passes(folder):
    assert choice.costs().crossover == pytest.approx(0.25)
    assert choice.by_events(0.24)
    assert not choice.by_events(0.26)
    assert choice.by_events(0.49, convolution=True)
    assert not choice.by_events(0.51, convolution=True)


def test_constants_are_kept(folder, monkeypatch):
    found = choice.costs()
    assert [tuple(v) for v in json.loads((folder / "costs.json").read_text()).values()] == [found]
    choice.costs.cache_clear()
    monkeypatch.setattr(choice, "measure", lambda: pytest.fail("measured twice"))
    assert choice.costs() == found


def test_constants_of_an_older_version_are_measured_anew(folder):
    found = choice.costs()
    path = folder / "costs.json"
    path.write_text(json.dumps({name: [1.0, 2.0, 3.0] for name in json.loads(path.read_text())}))
    choice.costs.cache_clear()
    assert choice.costs() == found


def test_clear_cases_are_not_measured(folder, monkeypatch):
    monkeypatch.setattr(choice, "measure", lambda: pytest.fail("measured"))
    assert choice.by_events(0.05)
    assert not choice.by_events(1.5)


def test_the_reason_is_said(folder):
    assert "driven by events" in choice.why("hidden 1", 0.2)
    assert "dense product" in choice.why("hidden 1", 0.3)
    assert "below 0.25" in choice.why("hidden 1", 0.3)


def test_what_is_measured_is_a_time():
    assert all(0 < cost < 1000 for cost in choice.measure(64, 32, 16, 4))
