"""Compile a kernel once for each machine, and say so while it happens."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import numba

# no kernel allocates, and so none needs to count references, which would cost more than its work;
# `nnan` and `ninf` stay away: what is not a number must come out as such
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
    "_nrt": False,
}
# seconds after which a first call must be a compilation and no read from disk
PATIENCE = 0.7


def inlined(function: Callable[..., Any]) -> Any:
    """A piece of a kernel, compiled with the kernels that call it."""
    return numba.njit(forceinline=True, **OPTIONS)(function)


class Kernel:
    """A function that Numba compiles at its first call for a neuron order, and keeps on disk.

    The compiled code lies beside the package or, where that folder cannot be written, in the
    user's cache folder; where neither can, each process compiles anew. The first argument is a
    tuple whose length is the number of state components, a constant in the compiled code; tuples
    right behind it are others.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self._ready: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()
        try:
            self._compiled = numba.njit(cache=True, **OPTIONS)(function)
        except RuntimeError:
            self._compiled = numba.njit(**OPTIONS)(function)
        else:
            _drop_stale(Path(str(self._compiled.stats.cache_path)), function)

    def __call__(self, order: tuple[int, ...], *args: Any) -> None:
        variant = (len(order), *(len(a) for a in takewhile(_constant, args)))
        if variant in self._ready:
            self._compiled(order, *args)
            return
        with self._lock, _announced(_title(self.name, *variant)):
            self._compiled(order, *args)
            self._ready.add(variant)


def _constant(argument: Any) -> bool:
    return isinstance(argument, tuple)


def _title(name: str, order: int, own: int = 0, soft: int = 0, *others: int) -> str:
    each = ", each with its own constants" if own else ""
    kind = "soft neurons" if soft else "neurons"
    return f"{name} of {kind} with {order} components{each}" if order else name


def _drop_stale(folder: Path, function: Callable[..., Any]) -> None:
    """Forget compiled code that is older than any of the files it is made of.

    Numba itself looks at the kernel's own file only, and not at the pieces it calls.
    """
    own = Path(function.__code__.co_filename)
    pieces = {*Path(__file__).parent.rglob("*.py"), *own.parent.glob("*.py")}
    newest = max(file.stat().st_mtime for file in pieces)
    stem = f"{own.stem}.{function.__qualname__}-"
    for index in folder.glob(stem + "*.nbi"):
        if index.stat().st_mtime < newest:
            index.unlink(missing_ok=True)


@contextmanager
def _announced(what: str) -> Iterator[None]:
    """Say that something is being compiled if it takes longer than reading it from disk."""
    done = threading.Event()

    def watch() -> None:
        if done.wait(PATIENCE):
            return
        text = f"surgrad: compiling the kernel '{what}' (once on this machine)"
        if not sys.stderr.isatty():
            print(text, file=sys.stderr)
            return
        from rich.console import Console

        with Console(stderr=True).status(text + " …"):
            done.wait()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
