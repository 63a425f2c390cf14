"""One file for all rules: tables of their own, and spikes by chance where a rule needs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgrad.errors import ConfigError
from surgrad.spikes import SigmoidEscape, Stochastic, Surrogate
from surgrad.training.build import build
from surgrad.training.schema import load
from tests.experiments import SHORT

RULES = """\
[rules.erbp]
optimiser.lr = 0.5
rule.width = 2.0
[rules.score]
training = { epochs = 9 }
"""
FILE = SHORT.replace("[network]", "[network]\nspike = { scale = 7 }") + RULES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(FILE)
    return path


def test_a_rule_has_entries_of_its_own(file: Path) -> None:
    plain, erbp = load(file), load(file, [("rule.kind", "erbp")])
    assert (plain.optimiser.lr, plain.training.epochs) == (1e-3, 2)
    assert (erbp.optimiser.lr, erbp.rule.options()["width"]) == (0.5, 2.0)
    assert load(file, [("rule", '{ kind = "score" }')]).training.epochs == 9


def test_the_command_line_goes_before_them(file: Path) -> None:
    found = load(file, [("optimiser.lr", "0.1"), ("rule.kind", "erbp")])
    assert (found.optimiser.lr, found.rule.options()["width"]) == (0.1, 2.0)


@pytest.mark.parametrize("table", ["[rules.eporp]\nseed = 1\n", "[rules]\neprop = 3\n"])
def test_tables_of_no_rule_are_refused(file: Path, table: str) -> None:
    file.write_text(FILE.partition("[rules")[0] + table)
    with pytest.raises(ConfigError, match="rules.e.*" + ("eprop" if "eporp" in table else "3")):
        load(file)


def test_a_rule_of_chance_gets_neurons_of_chance_and_says_so(file: Path) -> None:
    run = build(load(file, [("rule.kind", "score")]))
    neuron = run.net.neurons[0]
    assert isinstance(neuron.spike, Stochastic) and neuron.spike.escape == SigmoidEscape()
    assert "score needs neurons that spike by chance" in run.notes[0]
    assert "sigmoid" in run.notes[0]


def test_it_keeps_what_the_file_says_about_chance(file: Path) -> None:
    spike = '{ kind = "stochastic", escape = { kind = "sigmoid", scale = 3 } }'
    run = build(load(file, [("rule.kind", "score"), ("network.spike", spike)]))
    assert run.net.neurons[0].spike.escape == SigmoidEscape(3)
    assert run.notes == []


def test_other_rules_keep_the_surrogate(file: Path) -> None:
    run = build(load(file, [("rule.kind", "erbp")]))
    assert isinstance(run.net.neurons[0].spike, Surrogate)
    assert run.notes == []
