"""Compiled code on disk: it is dropped when a piece of it has changed."""

from __future__ import annotations

import os
from pathlib import Path
from time import time

import pytest

from surgrad.kernels.compiled import _drop_stale


@pytest.mark.parametrize("changed", ["kernel.py", "piece.py", None])
def test_a_piece_beside_the_kernel_counts(tmp_path: Path, changed: str | None) -> None:
    """Numba looks at the file of the kernel only."""
    future = time() + 1000
    for name in ("kernel.py", "piece.py"):
        (tmp_path / name).write_text("def run(): ...\n")
    names: dict = {}
    source = tmp_path / "kernel.py"
    exec(compile(source.read_text(), str(source), "exec"), names)
    index = tmp_path / "kernel.run-1.py311.nbi"
    index.touch()
    os.utime(index, (future, future))
    if changed is not None:
        os.utime(tmp_path / changed, (future + 1, future + 1))
    _drop_stale(tmp_path, names["run"])
    assert index.exists() == (changed is None)
