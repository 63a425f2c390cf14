"""A comparison: the ordinary loop, resumable, with a reason for what does not apply."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from surgrad.errors import ConfigError
from surgrad.studies import compare, tally
from surgrad.studies.compare import plan, rules_named, run
from surgrad.studies.compare_page import write_page
from surgrad.studies.probe import probed, read
from surgrad.training.loop import fit
from surgrad.training.rules import RULES
from surgrad.training.schema import load
from surgrad.training.sinks import EpochDone, Event, Started

KINDS = ["bptt", "eprop", "dfa", "likelihood", "score"]


def test_names_of_rules() -> None:
    assert rules_named("all") == list(RULES)
    assert rules_named("eprop,bptt, eprop") == ["eprop", "bptt"]
    for wrong in ("eporp", "", "bptt,al"):
        with pytest.raises(ConfigError, match="--rules"):
            rules_named(wrong)


def test_members_differ_in_rule_and_seed_only(file: Path) -> None:
    members = plan(file, ["bptt", "dfa"], 2, Path("out"), [("training.epochs", "1")])
    assert [(m.rule, m.seed, m.out.name) for m in members] == [
        ("bptt", 4, "bptt-4"), ("dfa", 4, "dfa-4"), ("bptt", 5, "bptt-5"), ("dfa", 5, "dfa-5"),
    ]  # fmt: skip
    one, other = (members[i].experiment.model_dump() for i in (0, 1))
    assert one.pop("rule")["kind"] == "bptt" and other.pop("rule")["kind"] == "dfa"
    assert (one["optimiser"].pop("lr"), other["optimiser"].pop("lr")) == (1e-3, 2e-3)
    assert one == other and one["training"]["epochs"] == 1


def test_options_of_the_files_own_rule_stay_with_it(file: Path) -> None:
    file.write_text(file.read_text() + '[rule]\nkind = "tbptt"\nwindow = 3\n')
    own, other = plan(file, ["tbptt", "eprop"], 1, Path("out"))
    assert own.experiment.rule.options() == {"window": 3}
    assert other.experiment.rule.kind == "eprop"


@pytest.fixture
def done(file: Path, tmp_path: Path):
    return run(plan(file, KINDS, 2, tmp_path / "out"))


def test_a_study(done, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    alone = fit(load(file, [("seed", "5")]), tmp_path / "alone")
    bptt = next(o for o in done if (o.member.rule, o.member.seed) == ("bptt", 5))
    assert bptt.summary.test == alone.test, "looking on changed the run"
    table = {row.rule: row for row in tally.rows(done)}
    assert list(table) == KINDS
    assert table["likelihood"].status == "not applicable"
    assert "no spikes whose likelihood is defined" in table["likelihood"].reason
    accuracies = [o.summary.test["accuracy"] for o in done if o.member.rule == "eprop"]
    assert table["eprop"].test.mean == pytest.approx(sum(accuracies) / 2)
    assert table["eprop"].test.deviation == pytest.approx(
        abs(accuracies[0] - accuracies[1]) / math.sqrt(2)
    )
    # e-prop of one layer is BPTT; direct feedback is another gradient of hidden layers only
    for look in table["eprop"].angles["network"]:
        assert look["cosine"] == pytest.approx(1) and look["ratio"] == pytest.approx(1)
    assert [look["epoch"] for look in table["dfa"].angles["hidden 1"]] == [0, 1, 2]
    assert all(look["cosine"] == pytest.approx(1) for look in table["dfa"].angles["read-out"])
    assert all(abs(look["cosine"]) < 0.999 for look in table["dfa"].angles["hidden 1"])
    assert "weight transport" in table["bptt"].needs
    assert "weight transport" not in table["dfa"].needs

    tally.write(out, list(table.values()), done)
    assert {row["rule"] for row in json.loads((out / "results.json").read_text())["rules"]} == {
        *KINDS
    }
    lines = list(csv.DictReader((out / "runs.csv").read_text().splitlines()))
    assert [line["rule"] for line in lines] == [o.member.rule for o in done]
    assert float(lines[1]["test"]) == done[1].summary.test["accuracy"]
    page = write_page(out, load(file), list(table.values()), done, ["surgrad", "compare"])
    html = page.read_text()
    for text in ("not applicable", "no spikes whose likelihood", "cosine to BPTT", "<svg"):
        assert text.lower() in html.lower()
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_what_is_finished_is_not_run_again(file: Path, tmp_path: Path, monkeypatch) -> None:
    members = plan(file, ["bptt", "dfa"], 1, tmp_path / "out")
    first = run(members)
    started = []
    second = run(members, sinks=lambda m: [lambda e: started.append(e)])
    assert started == []
    assert [o.summary for o in first] == [o.summary for o in second]
    assert [o.looks for o in first] == [o.looks for o in second]


def test_a_killed_study_goes_on_to_the_same_end(file: Path, tmp_path: Path) -> None:
    whole = run(plan(file, ["eprop"], 1, tmp_path / "whole"))
    members = plan(file, ["eprop"], 1, tmp_path / "out")

    def kill(event: Event) -> None:
        if isinstance(event, EpochDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(members, sinks=lambda member: [kill])
    starts: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, Started):
            starts.append(len(event.history))

    resumed = run(members, sinks=lambda member: [watch])
    assert starts == [1]
    assert resumed[0].summary.test == whole[0].summary.test
    without = [{k: v for k, v in look.items() if k != "memory"} for look in resumed[0].looks]
    assert without == [{k: v for k, v in look.items() if k != "memory"} for look in whole[0].looks]


def test_the_epochs_that_are_looked_at() -> None:
    assert probed(1) == [0, 1]
    assert probed(8) == [0, 1, 2, 4, 8]
    assert probed(9) == [0, 1, 2, 4, 8, 9]


def test_a_rule_that_diverges_does_not_end_the_study(file: Path, tmp_path: Path) -> None:
    file.write_text(file.read_text() + '[rules.bptt]\noptimiser = { kind = "sgd", lr = 1e38 }\n')
    bptt, dfa = run(plan(file, ["bptt", "dfa"], 1, tmp_path / "out"))
    assert bptt.status == "diverged" and "lower optimiser.lr" in bptt.reason
    assert dfa.status == "finished"
    row = tally.rows([bptt, dfa])[0]
    assert (row.status, row.test) == ("diverged", None)


def test_every_rule_says_what_it_is() -> None:
    for kind in RULES:
        assert 20 < len(compare.summary_of(kind)) < 200, kind


def test_nothing_was_looked_at_where_nothing_ran(tmp_path: Path) -> None:
    assert read(tmp_path) == []
