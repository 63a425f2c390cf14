"""Whether the files of a data set are there, and whole."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from pathlib import Path
from typing import Literal, TypeAlias

from surgrad.data.sources import SOURCES, Item

State: TypeAlias = Literal["whole", "present", "missing", "damaged"]
"""`present` is there with no checksum known, or not looked at more closely."""

WORST_FIRST: tuple[State, ...] = ("damaged", "missing", "present", "whole")
BLOCK = 1 << 20


def digest_of(path: Path, algorithm: str, contents: bool = False) -> str:
    """The digest of a file, `algorithm:hex`.

    Args:
        path: the file.
        algorithm: `sha256` or `md5`.
        contents: of what a gzip file holds instead.

    Example:
        >>> path = getfixture("tmp_path") / "empty"
        >>> _ = path.write_bytes(b"")
        >>> digest_of(path, "md5")
        'md5:d41d8cd98f00b204e9800998ecf8427e'
    """
    state = hashlib.new(algorithm)
    with gzip.open(path) if contents else path.open("rb") as file:
        while block := file.read(BLOCK):
            state.update(block)
    return f"{algorithm}:{state.hexdigest()}"


def folder_digest(folder: Path, files: list[Path], algorithm: str) -> str:
    """The digest of the list of the files' own, `{digest}  {name}` a line, in natural order."""
    names = sorted((file.relative_to(folder).as_posix() for file in files), key=_natural)
    lines = (f"{digest_of(folder / name, algorithm).partition(':')[2]}  {name}\n" for name in names)
    return f"{algorithm}:{hashlib.new(algorithm, ''.join(lines).encode()).hexdigest()}"


def locate(item: Item, root: Path) -> Path:
    """Where an item lies; a `.gz` file may lie there uncompressed."""
    path = root / item.path
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    return plain if plain.is_file() and not path.exists() else path


def check(item: Item, root: Path, *, closely: bool = True) -> State:
    """Whether an item is there, and, if looked at closely, whole.

    Args:
        item: the file or folder.
        root: the data root.
        closely: compare checksums, which takes as long as reading the files.
    """
    path = locate(item, root)
    files = sorted(path.rglob(item.files)) if item.files else [path] * path.is_file()
    if not files:
        return "missing"
    if len(files) < item.count:
        return "damaged"
    if item.digest is None or not closely:
        return "present"
    algorithm = item.digest.partition(":")[0]
    try:
        found = (
            folder_digest(path, files, algorithm)
            if item.files
            else digest_of(path, algorithm, contents=path.suffix == ".gz")
        )
    except (OSError, EOFError, zlib.error):
        return "damaged"
    return "whole" if found == item.digest else "damaged"


def forms(kind: str, root: Path, *, closely: bool = False) -> dict[str, State]:
    """The state of each form in which a data set may lie under the root: its worst item's.

    Example:
        >>> forms("qtdb_ecg", getfixture("tmp_path"))
        {'official': 'missing'}
    """
    states: dict[str, State] = {}
    for form, items in SOURCES.get(kind, {}).items():
        found = {check(item, root, closely=closely) for item in items}
        states[form] = next(state for state in WORST_FIRST if state in found)
    return states


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
