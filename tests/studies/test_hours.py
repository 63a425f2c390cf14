"""What would take hours is refused before anything runs, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from surgrad.errors import RuleError
from surgrad.learning import BPTT, RTRL, SnAp
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.studies import compare, hours
from surgrad.studies.compare import plan, run
from surgrad.studies.hours import LONGEST, SPEED, refuse_hours, sensitivity
from surgrad.training.schema import load

LARGE = "size = 300, recurrent = true"


def net(recurrent: bool = True) -> Sequential:
    hidden = CuBaLIF(5, recurrent=recurrent)
    return Sequential(nn.Linear(4, 5), hidden, nn.Linear(5, 2), LI(2), dt=1e-3)


def test_a_sensitivity_is_parameters_times_state() -> None:
    # current and membrane of each hidden neuron, the membrane of each read-out
    assert sensitivity(net()) == (4 * 5 + 5 + 5 * 5 + 5 * 2 + 2) * (2 * 5 + 2)


@pytest.mark.parametrize("rule", [RTRL(), SnAp()])
def test_the_limit_is_one_of_time(rule: RTRL) -> None:
    most = int(LONGEST * SPEED / sensitivity(net()))
    refuse_hours(rule, net(), most, "")
    with pytest.raises(RuleError, match=r"some 3 hours"):
        refuse_hours(rule, net(), 3 * most, "")
    refuse_hours(BPTT(), net(), 3 * most, "")
    # traces instead of a sensitivity
    refuse_hours(rule, net(recurrent=False), 3 * most, "")
    with pytest.raises(RuleError):
        refuse_hours(type(rule)(collapse=False), net(recurrent=False), 3 * most, "")


def test_a_study_goes_on_without_it(file: Path, tmp_path: Path, monkeypatch) -> None:
    file.write_text(file.read_text().replace("size = 8", LARGE))
    fit, ran = compare.fit, []

    def watched(experiment, *args, **options):
        ran.append(experiment.rule.kind)
        return fit(experiment, *args, **options)

    monkeypatch.setattr(compare, "fit", watched)
    short = [("training.epochs", "1")]
    found = run(plan(file, ["rtrl", "snap1", "dfa"], 1, tmp_path / "out", short))
    assert [o.status for o in found] == ["not applicable", "not applicable", "finished"]
    assert "hours" in found[0].reason and "leave the rule out" in found[0].reason
    # one gradient, with which a run begins, takes minutes already
    assert ran == ["dfa"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dfa-4"]


def test_more_epochs_take_longer(file: Path) -> None:
    file.write_text(file.read_text().replace("size = 8", "size = 30, recurrent = true"))
    own = ("rule", '{ kind = "rtrl" }')
    hours.refuse_hours_of_training(load(file, [own]))
    with pytest.raises(RuleError, match="hours"):
        hours.refuse_hours_of_training(load(file, [own, ("training.epochs", "1000")]))


def test_what_is_finished_is_read_all_the_same(file: Path, tmp_path: Path, monkeypatch) -> None:
    members = plan(file, ["rtrl"], 1, tmp_path / "out")
    (first,) = run(members)
    monkeypatch.setattr(hours, "LONGEST", 0.0)
    monkeypatch.setattr(hours, "collapses", lambda net: False)
    (again,) = run(members)
    assert again.status == "finished" and again.summary == first.summary
