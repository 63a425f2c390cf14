"""The threads of torch, all at once.

One pool serves torch's operations and the kernels. With two of them, the threads of the one would
wait for its next work in a loop, as OpenMP's do for some milliseconds, and so keep the processors
from the threads of the other.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

_pools: dict[int, ThreadPoolExecutor] = {}
# OpenMP's threads are gone after a fork, and it does not notice
_forked: list[None] = []


def _start_anew() -> None:
    _pools.clear()
    _forked.append(None)


os.register_at_fork(after_in_child=_start_anew)


def everyone(work: Callable[[int], object]) -> None:
    """Call `work(thread)` on each of torch's threads at once, the calling one being number 0.

    Raises:
        BaseException: what one of the calls raised, when all have ended.
    """
    errors: list[BaseException] = []

    def member(thread: int) -> None:
        try:
            work(thread)
        except BaseException as error:
            errors.append(error)

    threads, openmp = torch.get_num_threads(), None if _forked else _openmp()
    if threads == 1:
        member(0)
    elif openmp is not None:
        openmp.GOMP_parallel(_called, (member, openmp.omp_get_thread_num), threads, 0)
    else:
        _in_a_pool(member, threads)
    if errors:
        raise errors[0]


@ctypes.CFUNCTYPE(None, ctypes.py_object)
def _called(member: tuple[Callable[[int], None], Callable[[], int]]) -> None:
    work, number = member
    work(number())


@cache
def _openmp() -> ctypes.CDLL | None:
    """The OpenMP that torch uses, if it can be entered as GCC's programs do."""
    if not torch.backends.openmp.is_available() or sys.platform == "win32":
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "GOMP_parallel"):
        return None
    library.GOMP_parallel.restype = None
    library.GOMP_parallel.argtypes = [
        type(_called), ctypes.py_object, ctypes.c_uint, ctypes.c_uint,
    ]  # fmt: skip
    return library


def _in_a_pool(work: Callable[[int], None], threads: int) -> None:
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads - 1, thread_name_prefix="surgrad")
    # the caller works too: one that slept would leave its processor to those it has woken
    waiting = [_pools[threads].submit(work, thread) for thread in range(1, threads)]
    work(0)
    for future in waiting:
        future.result()
