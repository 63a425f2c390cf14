"""TOML in and out: reading with places, overrides from the command line, writing."""

from __future__ import annotations

import copy
import datetime
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surgrad.errors import ConfigError

Table = dict[str, Any]

SHORT = 3
"""Entries that a table may have which is written within a line."""

_PLACE = re.compile(r"\s*\(at (line (\d+), column \d+|end of document)\)")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read(path: Path) -> Table:
    """The table in a TOML file.

    Raises:
        ConfigError: if it cannot be read or parsed; with line and column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            str(path), got=f"bytes in line {line} that are not UTF-8 text", expected="a TOML file"
        ) from None
    except OSError as error:
        raise ConfigError(str(path), got=error.strerror, expected="a TOML file") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Table:
    """The table in a TOML text; `name` says in errors where the text comes from."""
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        message = _PLACE.sub("", str(error))
        found = _PLACE.search(str(error))
        place, line = found.groups() if found else ("an unknown place", None)
        wrong = text.splitlines()[int(line) - 1].strip() if line else ""
        raise ConfigError(
            f"{name}, {place}",
            got=f"`{wrong[:60]}`: {message}" if wrong else message,
            expected="TOML",
            fix="strings need quotes, tables brackets: [training], key = value",
        ) from None


def value_of(text: str) -> Any:
    """A value as TOML says it, or the text itself where it is none.

    Example:
        >>> value_of("1e-3"), value_of("[1, 2]"), value_of("eprop")
        (0.001, [1, 2], 'eprop')
    """
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if len(table) == 1 else text


def override(table: Table, path: str, value: Any) -> None:
    """Set `path` (`training.lr`, `network.layers.0.size`) in a table, in place.

    Raises:
        ConfigError: if the path goes through something that is not a table, or beyond a list.
    """
    keys = path.replace("[", ".").replace("]", "").split(".")
    node: Any = table
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        place = ".".join(keys[:depth]) or "the experiment"
        if isinstance(node, list):
            index = _index(node, key, path, place)
            if last:
                node[index] = value
            node = node[index]
        elif isinstance(node, dict):
            if last:
                node[key] = value
            node = node.setdefault(key, {})
        else:
            raise ConfigError(
                f"--{path}",
                got=f"a path through {place}",
                expected=f"a table, {place} is {show(node)}",
            )


def merge(table: Table, other: Mapping[str, Any]) -> None:
    """Put the entries of another table into one, table by table, in place.

    Example:
        >>> table = {"training": {"epochs": 3, "batch_size": 10}}
        >>> merge(table, {"training": {"epochs": 5}})
        >>> table
        {'training': {'epochs': 5, 'batch_size': 10}}
    """
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(table.get(key), dict):
            merge(table[key], value)
        else:
            table[key] = copy.deepcopy(value)


def _index(items: list[Any], key: str, path: str, place: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        numbers = f"0 to {len(items) - 1}" if items else "nothing, it is empty"
        raise ConfigError(f"--{path}", got=f"the index {key!r}", expected=f"for {place} {numbers}")
    return int(key)


def show(value: Any, longest: int = 60) -> str:
    """A value as the user would write it, shortened."""
    if isinstance(value, Mapping):
        return "a table" if value else "an empty table"
    try:
        text = _inline(value)
    except TypeError:
        text = repr(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def dumps(table: Mapping[str, Any]) -> str:
    """A table as TOML text. Entries that are None are left out.

    Example:
        >>> print(dumps({"name": "digits", "training": {"epochs": 20, "clip_norm": None}}))
        name = "digits"
        <BLANKLINE>
        [training]
        epochs = 20
        <BLANKLINE>
    """
    return "\n".join(_section(table, ()))


def _section(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    present = {key: value for key, value in table.items() if value is not None}
    below = {key: value for key, value in present.items() if _has_section(value)}
    lines = [f"{_key(key)} = {_inline(present[key])}" for key in present if key not in below]
    for key, value in below.items():
        inner = (*path, _key(key))
        name = ".".join(inner)
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]", *_section(value, inner)]
        else:
            for item in value:
                lines += ["", f"[[{name}]]", *_section(item, inner)]
    return lines if path else [*lines, ""]


def _has_section(value: Any) -> bool:
    """Tables do, and lists of tables that would make long lines."""
    if isinstance(value, list | tuple) and value:
        return all(isinstance(item, Mapping) and len(item) > SHORT for item in value)
    return isinstance(value, Mapping)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    # TOML's strings are those of JSON, but for the delete character
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return _string(str(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = (f"{_key(k)} = {_inline(v)}" for k, v in value.items() if v is not None)
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, Sequence):
        items = [_inline(item) for item in value]
        return "[" + ", ".join(items) + "]"
    raise TypeError(f"TOML has no {type(value).__name__}")
