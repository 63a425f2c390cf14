"""The run folder: whose it is, and whether a run may begin or go on there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from surgrad.errors import ConfigError
from surgrad.files import atomic_write
from surgrad.training import toml
from surgrad.training.checkpoint import CHECKPOINT
from surgrad.training.schema import Experiment, from_table
from surgrad.training.summary import Summary

CONFIG, METRICS, SUMMARY = "config.toml", "metrics.jsonl", "summary.json"


def check(out: Path, experiment: Experiment, resume: bool) -> Summary | None:
    """Refuse a folder that is not this run's; the summary, where the run is over already.

    Raises:
        ConfigError: if something else lies there, or the run is of another experiment.
    """
    if not out.exists():
        _check_writable(out)
        return None
    if not out.is_dir():
        raise ConfigError(str(out), got="a file", expected="a folder", fix="choose another --out")
    if not any(out.iterdir()):
        return None
    if not resume:
        raise ConfigError(
            f"run folder {out}",
            got="a folder with something in it",
            expected="a new or an empty one",
            fix="choose another --out, or add --resume to go on with the run in it",
        )
    differences = list(_differences(read(out), experiment))
    if differences:
        shown = "".join(f"\n  {line}" for line in differences[:10])
        raise ConfigError(
            f"run folder {out}",
            got=f"a run of another experiment; there and now:{shown}\n",
            fix="choose another --out, or resume without these changes",
        )
    return Summary.read(out / SUMMARY) if (out / SUMMARY).exists() else None


def claim(out: Path, experiment: Experiment) -> None:
    """Make the folder and write the experiment into it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        atomic_write(out / CONFIG, experiment.to_toml())
    except OSError as error:
        raise _unwritable(out, error.strerror) from None


def _check_writable(out: Path) -> None:
    """Refuse a folder that could not be made, before anything is computed for it."""
    there = next(parent for parent in out.absolute().parents if parent.exists())
    if not there.is_dir():
        raise _unwritable(out, f"a file, {there.name}, on the way")
    if not os.access(there, os.W_OK):
        raise _unwritable(out, f"no permission to write to {there}")


def _unwritable(out: Path, got: object) -> ConfigError:
    return ConfigError(
        f"run folder {out}", got=got, expected="a place to write to", fix="choose another --out"
    )


def read(out: Path) -> Experiment:
    """The experiment of a run.

    Raises:
        ConfigError: if there is no run in the folder.
    """
    path = out / CONFIG
    if not path.is_file():
        raise ConfigError(
            str(out),
            got=f"no {CONFIG} in it" if out.is_dir() else "no such folder",
            expected="a run folder, as `surgrad train` makes it",
        )
    return from_table(toml.read(path), str(path))


def started(out: Path) -> bool:
    """Whether there is an epoch to go on from."""
    return (out / CHECKPOINT).exists()


def _differences(there: Experiment, now: Experiment) -> Iterator[str]:
    old, new = dict(_flat(there.model_dump())), dict(_flat(now.model_dump()))
    for key in [*old, *(key for key in new if key not in old)]:
        if old.get(key) != new.get(key):
            before, after = (_said(table, key) for table in (old, new))
            yield f"{key}: {before} → {after}"


def _said(table: Mapping[str, Any], key: str) -> str:
    return toml.show(table[key]) if table.get(key) is not None else "nothing"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, tuple | list) and any(isinstance(item, Mapping) for item in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{index}]")
    else:
        yield path, value
