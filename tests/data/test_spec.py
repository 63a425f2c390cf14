"""The options that every data set shares, the data root, and the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from surgrad.data.catalogue import DATASETS, AnyData
from surgrad.data.spec import data_root, find_file
from surgrad.errors import FormatError

OURS = (
    "digits",
    "yin_yang",
    "randman",
    "temporal_xor",
    "random_patterns",
    "precise_spikes",
    "store_recall",
    "mackey_glass",
)
SMALL = {
    "store_recall": {"train": 10},
    "randman": {"samples": 20, "classes": 2},
    "mackey_glass": {"samples": 4, "time": 30},
}


@pytest.mark.parametrize("kind", OURS)
def test_a_table_becomes_the_data_set_of_its_kind(kind):
    spec = TypeAdapter(AnyData).validate_python({"kind": kind, "split_seed": 3})
    assert type(spec) is DATASETS[kind]
    assert spec.split_seed == 3
    assert spec.ABOUT.summary
    assert not spec.ABOUT.files


@pytest.mark.parametrize("kind", OURS)
def test_loads_what_its_info_says(kind):
    train, validation, test, info = DATASETS[kind](**SMALL.get(kind, {})).load()
    assert info.name == kind
    for part in (train, validation, test):
        x, y = part.__getitems__(range(min(3, len(part))))
        assert (*x.shape[:1], *x.shape[2:]) == (info.time, *info.features)
        if info.target == "class":
            assert int(part.targets.max()) < info.classes == info.outputs
        elif info.target == "step_class":
            assert y.shape == x.shape[:2] and int(part.targets.max()) < info.classes
        else:
            assert (info.classes, y.shape[0], y.shape[2]) == (None, info.time, info.outputs)


@pytest.mark.parametrize("kind", OURS)
def test_the_seed_fixes_every_sample(kind):
    noisy = {"digits": {"encoding": "poisson"}, "mackey_glass": {"encoding": "population"}}
    spec = DATASETS[kind](**SMALL.get(kind, {}), **noisy.get(kind, {}))
    for first, second in zip(spec.load()[:3], spec.load()[:3], strict=True):
        x, y = first.__getitems__(range(len(first)))
        again, z = second.__getitems__(range(len(second)))
        assert x.equal(again)
        assert y.equal(z)


@pytest.mark.parametrize("kind", ["digits", "yin_yang", "random_patterns"])
def test_limit_keeps_the_first_training_samples(kind):
    whole, limited = DATASETS[kind]().load(), DATASETS[kind](limit=7).load()
    assert len(limited.train) == 7
    assert whole.train.subset(range(7)).inputs.equal(limited.train.inputs)
    if kind != "random_patterns":
        assert len(limited.test) == len(whole.test)
    assert len(DATASETS["digits"](limit=5000).load().train) == 1078


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": -3},
        {"split_seed": -1},
        {"split_seed": 1.5},
        {"batch": 3},
        {"dt": 0.0},
        {"dt": float("nan")},
        {"time": 0},
        {"time": 2.5},
        {"kind": "yin_yang"},
    ],
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValidationError):
        DATASETS["digits"](**wrong)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValidationError, match="digits"):
        TypeAdapter(AnyData).validate_python({"kind": "digit"})


def test_a_spec_does_not_change():
    with pytest.raises(ValidationError):
        DATASETS["digits"]().limit = 3


def test_the_root_is_the_option_then_the_environment_then_the_cache(monkeypatch):
    monkeypatch.setenv("SURGRAD_DATA", "/from/environment")
    assert data_root(Path("/from/option")) == Path("/from/option")
    assert data_root() == Path("/from/environment")
    monkeypatch.delenv("SURGRAD_DATA")
    assert data_root() == Path.home() / ".cache" / "surgrad"


def test_a_missing_file_says_where_and_how(tmp_path):
    with pytest.raises(FormatError) as error:
        find_file("shd", "shd/shd_train.h5", tmp_path)
    for word in (str(tmp_path / "shd" / "shd_train.h5"), "surgrad data get shd", "SURGRAD_DATA"):
        assert word in str(error.value)
