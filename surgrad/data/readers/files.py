"""What the readers share: files that are there, whole, and of the right kind."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from surgrad.errors import FormatError

AGAIN = "the file is damaged, cut short or of another kind: fetch it again"


def read_bytes(path: Path) -> bytes:
    """The contents of a file, decompressed if it is gzip, whatever its name.

    Raises:
        FormatError: if it is missing, empty, or its compression is damaged.
    """
    try:
        raw = path.read_bytes()
        contents = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError as error:
        raise FormatError(f"file {path}", got="no such file") from error
    except IsADirectoryError as error:
        raise FormatError(f"file {path}", got="a folder", expected="a file") from error
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"file {path}", got=f"damaged gzip ({error})", fix=AGAIN) from error
    if not contents:
        raise FormatError(f"file {path}", got="an empty file", fix=AGAIN)
    return contents


def load_arrays(path: Path, kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Named arrays of an `.npz` file.

    Args:
        path: the file.
        kinds: for each array the accepted kinds of dtype, as numpy's letters (`"iu"`).

    Raises:
        FormatError: if the file or an array is missing, damaged or of another kind.
    """
    if not path.is_file():
        raise FormatError(f"file {path}", got="no such file")
    try:
        # a handle of our own, because numpy leaves its own open on some damaged files
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in kinds if name in archive}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        got = str(error) or "no archive"
        raise FormatError(
            f"file {path}", got=got, expected="an .npz archive of arrays", fix=AGAIN
        ) from error
    for name, kind in kinds.items():
        if name not in arrays:
            raise FormatError(
                f"file {path}",
                got=f"no array {name!r}",
                expected=f"the arrays {', '.join(kinds)}",
                fix=AGAIN,
            )
        if arrays[name].dtype.kind not in kind:
            raise FormatError(
                f"array {name!r} of {path}", got=arrays[name].dtype, expected=f"a kind in {kind!r}"
            )
    return arrays


def check_offsets(path: Path, offsets: np.ndarray, total: int, samples: int) -> np.ndarray:
    """Where each sample begins in the flat arrays: from 0 to all events, never back."""
    offsets = offsets.astype(np.int64)
    whole = (
        offsets.shape == (samples + 1,)
        and samples > 0
        and offsets[0] == 0
        and offsets[-1] == total
        and bool((np.diff(offsets) >= 0).all())
    )
    if not whole:
        raise FormatError(
            f"offsets of {path}",
            got=f"{len(offsets)} from {offsets[:1]} to {offsets[-1:]}",
            expected=f"{samples + 1} that rise from 0 to {total}, for one or more samples",
            fix=AGAIN,
        )
    return offsets


def check_range(path: Path, name: str, values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Whole numbers in `[low, high)`, as int64."""
    if values.size and not (low <= int(values.min()) and int(values.max()) < high):
        got = int(values.min()) if values.min() < low else int(values.max())
        raise FormatError(
            f"{name} of {path}", got=got, expected=f"whole numbers in [{low}, {high})", fix=AGAIN
        )
    return values.astype(np.int64)
