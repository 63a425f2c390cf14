"""TOML goes out as it came in, and says where it is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from surgrad.errors import ConfigError
from surgrad.training import toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALAR = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
VALUE = st.recursive(
    SCALAR, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=5), max_leaves=8
)


@given(st.dictionaries(TEXT, VALUE, max_size=4))
@example({"\x7f": '\x7f\x00\n"\\𐀀'})
def test_what_is_written_reads_back_the_same(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dumps(table)) == table


def test_lists_of_long_tables_become_sections() -> None:
    table = {
        "a": {"b": [{"k": 1, "l": 2, "m": 3, "n": [{"o": 4}]}, {"k": 1, "l": 2, "m": 3, "n": 4}]}
    }
    text = toml.dumps(table)
    assert text.count("[[a.b]]") == 2
    assert "n = [{ o = 4 }]" in text
    assert tomllib.loads(text) == table


def test_none_is_left_out() -> None:
    assert tomllib.loads(toml.dumps({"a": None, "b": {"c": None}})) == {"b": {}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("3e-3", 3e-3),
        ("true", True),
        ("eprop", "eprop"),
        ('"3"', "3"),
        ("[1, 2]", [1, 2]),
        ("{ kind = 'adam' }", {"kind": "adam"}),
        ("", ""),
        ("runs/a", "runs/a"),
        ("1\nother = 2", "1\nother = 2"),
    ],
)
def test_values_of_the_command_line(text: str, value: object) -> None:
    assert toml.value_of(text) == value


def test_overrides_reach_tables_lists_and_what_is_not_there_yet() -> None:
    table: dict[str, Any] = {"network": {"layers": [{"size": 3}, {"size": 4}]}}
    toml.override(table, "network.layers.1.size", 5)
    toml.override(table, "network.layers[0].size", 6)
    toml.override(table, "training.epochs", 7)
    assert table == {
        "network": {"layers": [{"size": 6}, {"size": 5}]},
        "training": {"epochs": 7},
    }


@pytest.mark.parametrize(
    "path", ["layers.2.size", "layers.x", "layers.-1", "name.x", "layers.0.size.x"]
)
def test_overrides_that_lead_nowhere_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="--" + path.split(".")[0]):
        toml.override({"name": "a", "layers": [{"size": 1}, {}]}, path, 1)


def test_syntax_errors_say_where(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('name = "a"\nseed = = 3\n')
    with pytest.raises(ConfigError, match=r"bad\.toml, line 2, column 8: got `seed = = 3`"):
        toml.read(path)


def test_an_end_that_comes_too_soon_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('name = "a"\nlist = [1,')
    with pytest.raises(ConfigError, match="end of document"):
        toml.read(path)


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match="line 2"):
        toml.read(path)


def test_a_mark_of_byte_order_and_foreign_line_ends_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert toml.read(path) == {"a": 1, "b": 2}
