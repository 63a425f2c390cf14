"""The experiments that come with the package."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """Where they lie: in the package where it is installed, beside it in a clone."""
    package = Path(__file__).parents[1]
    installed = package / "experiments"
    return installed if installed.is_dir() else package.parent / "experiments"


def shipped() -> dict[str, Path]:
    """The file of each experiment by name, in alphabetical order."""
    return {path.stem: path for path in sorted(folder().glob("*.toml"))}


def summary(path: Path) -> str:
    """The comment in the first line of an experiment file."""
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("#").strip()
