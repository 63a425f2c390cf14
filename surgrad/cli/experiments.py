"""`surgrad experiments`."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App
from rich.console import Console
from rich.table import Table

from surgrad.errors import ConfigError
from surgrad.files import atomic_write
from surgrad.training.problems import did_you_mean
from surgrad.training.shipped import shipped, summary

app = App(name="experiments", help="List and copy the experiments that come with surgrad.")


@app.command
def ls() -> int:
    """List the experiments that come with surgrad."""
    table = Table("name", "what it is", box=None)
    for name, path in shipped().items():
        table.add_row(name, summary(path))
    Console(highlight=False, markup=False).print(table)
    return 0


@app.command
def cp(name: str, to: Path | None = None, /) -> int:
    """Copy an experiment, to change it.

    Args:
        name: as `surgrad experiments ls` lists it.
        to: a file that is not there yet; `NAME.toml` by default.
    """
    known = shipped()
    if name not in known:
        fix = did_you_mean(name, known)
        raise ConfigError("experiment", got=name, expected="one of " + ", ".join(known), fix=fix)
    target = to or Path(f"{name}.toml")
    target = target / f"{name}.toml" if target.is_dir() else target
    if target.exists():
        raise ConfigError(str(target), got="a file that exists", fix="remove it, or name another")
    if not target.parent.is_dir():
        raise ConfigError(
            str(target.parent), got="no such folder", expected="a folder to copy into"
        )
    atomic_write(target, known[name].read_bytes())
    print(f"copied to {target}")
    return 0
