"""Files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def atomic_write(path: str | Path, content: bytes | str) -> None:
    """Write a file so that whoever reads it sees the old content or the new, never a part.

    The content goes to a temporary file beside the target, to the disk, and takes its name.

    Args:
        path: the file; its folder exists.
        content: bytes, or text that is written as UTF-8, as it is.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> atomic_write(folder / "summary.json", "{}")
        >>> [file.name for file in folder.iterdir()]
        ['summary.json']
    """
    target = Path(path)
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(
        prefix=f".{target.name}.", suffix=".tmp", dir=target.parent
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
