"""The experiment file: all mistakes at once, each with its place and a way out."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Annotated, Any, cast

import pytest
from pydantic import TypeAdapter, ValidationError

from surgrad.errors import ConfigError
from surgrad.learning import BPTT, TruncatedBPTT
from surgrad.neurons import Neuron
from surgrad.training.layers import LAYERS, Gamma
from surgrad.training.neurons import NEURONS
from surgrad.training.schema import Experiment, find, from_table, load
from surgrad.training.shipped import shipped
from surgrad.training.unions import Kind, OneOf, models_of

MINIMAL: dict[str, Any] = {"name": "a", "data": {}, "network": {"layers": [{"size": 3}]}}


def message(table: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        from_table(table, "a.toml")
    return str(caught.value)


def with_layer(**entries: Any) -> dict[str, Any]:
    return {**MINIMAL, "network": {"layers": [{"size": 3, **entries}]}}


def test_kinds_have_defaults() -> None:
    experiment = from_table(MINIMAL)
    assert experiment.data.kind == "digits"
    assert experiment.network.layers[0].neuron == "cuba_lif"
    assert experiment.network.readout.neuron == "li"
    assert experiment.loss.kind == "max_over_time"
    assert experiment.rule.make() == BPTT()
    assert experiment.optimiser.kind == "adam"


def test_defaults_of_neurons_are_those_of_their_classes() -> None:
    for kind, neuron in NEURONS.items():
        options = LAYERS[kind].model_validate({"size": 2}).neuron_options
        make = cast(Callable[..., Neuron], neuron)
        given, left_out = make(2, **options), make(2)
        assert {k: v().tolist() for k, v in given.constants.items()} == {
            k: v().tolist() for k, v in left_out.constants.items()
        }
        for name in ("delay", "reset", "detach_reset", "refractory"):
            assert getattr(given, name, None) == getattr(left_out, name, None)


def test_an_experiment_survives_its_file(tiny: Callable[..., Experiment]) -> None:
    changes = {
        "network.layers.0.connection": [{"kind": "dense", "bias": True}],
        "regularisers": [{"kind": "rate_bound", "upper": 30.0}],
        "data.root": "somewhere",
        "optimiser": {"kind": "sgd", "momentum": 0.9, "nesterov": True},
        "schedule": {"kind": "one_cycle"},
    }
    experiment = tiny(**changes)
    assert from_table(tomllib.loads(experiment.to_toml())) == experiment
    assert experiment.network.layers[0].neuron_options["tau_mem"] == Gamma(mean=20e-3)


def test_all_mistakes_are_told_at_once_with_their_places() -> None:
    text = message(
        {
            "name": "a",
            "data": {"kind": "digit"},
            "network": {"layers": [{"size": 3}, {"size": 0, "tau_men": 20e-3}]},
            "rule": "bptt",
            "training": {"epochs": 2.5},
            "optimizer": {},
        }
    )
    assert text.startswith("a.toml: 6 problems\n")
    assert '\n  data.kind: got "digit". Fix: did you mean digits?' in text
    assert "\n  network.layers[1].size: got 0, expected greater than 0" in text
    assert "\n  network.layers[1].tau_men: got an unknown key. Fix: did you mean tau_mem?" in text
    assert '\n  rule: got "bptt", expected a table. Fix: write rule = { kind = "bptt" }' in text
    assert "\n  training.epochs: got 2.5, expected a whole number" in text
    assert "\n  optimizer: got an unknown key. Fix: did you mean optimiser?" in text


def test_a_key_without_its_table_is_shown_the_way() -> None:
    text = message({**MINIMAL, "epochs": 3, "lr": 0.1})
    assert "\n  epochs: got an unknown key. Fix: did you mean training.epochs?" in text
    assert "\n  lr: got an unknown key. Fix: did you mean optimiser.lr?" in text


def test_many_mistakes_fit_on_a_screen() -> None:
    text = message({**MINIMAL, "network": {"layers": [{"siez": 1} for _ in range(40)]}})
    assert "a.toml: 40 problems" in text
    assert text.splitlines()[-1] == "  and 21 more"
    assert len(text.splitlines()) == 21


def test_missing_entries_are_named() -> None:
    assert "data: got nothing, expected a value for data" in message({"name": "a"})


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn"])
@pytest.mark.parametrize("value", [20, 5.0, {"distribution": "gamma", "mean": 20}])
def test_milliseconds_are_noticed(name: str, value: Any) -> None:
    number = value["mean"] if isinstance(value, dict) else value
    place = f"network.layers[0].{name}" + (".mean" if isinstance(value, dict) else "")
    assert (
        f"{place}: got {number}, expected seconds, below 2. Fix: did you mean {number:g}e-3?"
        in (message(with_layer(**{name: value})))
    )


def test_a_key_of_another_kind_is_said_to_be_one() -> None:
    text = message(with_layer(neuron="lif", tau_syn=5e-3))
    assert 'tau_syn belongs to neuron = "cuba_li" or "cuba_lif" or "alpha_lif"' in text


@pytest.mark.parametrize(
    ("entries", "place"),
    [
        ({"tau_mem": {"distribution": "uniform", "low": 2e-3, "high": 1e-3}}, "tau_mem.high"),
        ({"tau_mem": {"distribution": "gama", "mean": 2e-3}}, "tau_mem.distribution"),
        ({"connection": [{"kind": "dense"}, {"kind": "conv2"}]}, "connection[1].kind"),
        ({"connection": {"kind": "conv2d", "kernel": 0}}, "connection.kernel"),
        ({"connection": []}, "connection"),
        ({"learn": ["tau"]}, "learn"),
        ({"tau_mem": "20e-3"}, "tau_mem"),
        ({"tau_mem": True}, "tau_mem"),
        ({"tau_mem": float("nan")}, "tau_mem"),
        ({"tau_mem": 0.0}, "tau_mem"),
        ({"size": None}, "size"),
        ({"recurrent": 1}, "recurrent"),
        ({"dropout": 1.0}, "dropout"),
        ({"delay": 2}, "delay"),
    ],
)
def test_places_within_layers(entries: dict[str, Any], place: str) -> None:
    assert f"\n  network.layers[0].{place}: got " in message(with_layer(**entries))


def test_what_a_rule_refuses_is_told_in_its_place() -> None:
    text = message({**MINIMAL, "rule": {"kind": "tbptt", "window": 0}})
    assert "rule.window: got 0, expected 1 or more steps" in text


def test_a_loss_without_a_gradient_cannot_be_trained_on() -> None:
    text = message({**MINIMAL, "loss": {"kind": "victor_purpura"}})
    assert 'loss.kind: got "victor_purpura", which has no gradient' in text


def test_a_loss_of_spikes_wants_a_read_out_that_spikes() -> None:
    table = {**MINIMAL, "loss": {"kind": "spike_count"}}
    assert 'network.readout.neuron: got "li" under the loss spike_count' in message(table)
    table["network"] = {**MINIMAL["network"], "readout": {"neuron": "lif"}}
    assert from_table(table).loss.kind == "spike_count"


def test_rules_are_made_with_their_options() -> None:
    experiment = from_table({**MINIMAL, "rule": {"kind": "tbptt", "window": 7}})
    assert experiment.rule.make() == TruncatedBPTT(window=7)


def test_experiments_do_not_change() -> None:
    with pytest.raises(ValidationError):
        from_table(MINIMAL).seed = 3  # type: ignore[misc]


def test_a_union_takes_models_tables_and_plain_values() -> None:
    class Cat(Kind):
        kind: str = "cat"
        lives: int = 9

    adapter = TypeAdapter(Annotated[Any, OneOf({"cat": Cat}, "cat", plain=int)])
    assert adapter.validate_python({}) == adapter.validate_python(Cat()) == Cat()
    assert adapter.validate_python(3) == 3
    assert adapter.dump_python(Cat(lives=7)) == {"kind": "cat", "lives": 7}
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "dog"})


def test_tables_are_made_from_signatures() -> None:
    def blend(share: float, over: tuple[str, ...] = ("a",)) -> tuple[float, tuple[str, ...]]:
        return share, over

    table = models_of({"blend": blend})["blend"]
    assert table.model_validate({"share": 1, "over": ["b"]}).make() == (1.0, ("b",))
    with pytest.raises(ValidationError):
        table.model_validate({})


def test_files_and_names_are_both_understood() -> None:
    path = shipped()["digits"]
    assert find("digits") == find(path) == path
    assert load(path) == load("digits")
    assert load("digits", [("seed", "5"), ("training.epochs", "2")]).seed == 5
    with pytest.raises(ConfigError, match="did you mean digits"):
        find("digit")
    with pytest.raises(ConfigError, match="a folder"):
        find(path.parent)
