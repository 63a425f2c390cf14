"""One contender in a process of its own: JSON lines come in, JSON lines go out.

Started by the driver under the interpreter that has the contender's packages.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.contenders.base import Contender, UnsupportedError
from benchmarks.verify import norms
from benchmarks.workloads import Data, Workload

Answer = dict[str, Any]
_STATUS = Path("/proc/self/status")


class Worker:
    """Holds a contender and answers one message after the other."""

    contender: Contender

    def build(self, builder: str, workload: dict[str, Any], packages: list[str]) -> Answer:
        """Make the data and the network; none of it is timed."""
        sizes, features = (tuple(workload.pop(name)) for name in ("sizes", "features"))
        work = Workload(**workload, sizes=sizes, features=features)
        data = Data(work)
        self.contender = found(builder)(work, data)
        versions = {package: _version(package) for package in packages}
        note = str(getattr(self.contender, "note", ""))
        model = self.contender.model
        return {"data": data.checksum, "versions": versions, "model": model, "note": note}

    def verify(self) -> Answer:
        """A step, and what there is to be checked of it."""
        contender = self.contender
        contender.step()
        seen: Answer = {"gradients": norms(contender.gradients()), "rates": contender.rates()}
        agreement = getattr(contender, "agreement", None)
        if agreement is None:
            return seen
        errors, rounding = agreement()
        return seen | {"errors": errors, "rounding": rounding}

    def step(self) -> Answer:
        """Time one step, in milliseconds."""
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        self.contender.step()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return {"wall": 1e3 * wall, "cpu": 1e3 * cpu}

    def memory(self) -> Answer:
        """By how many MB one step raises the high-water mark of the resident memory."""
        gc.collect()
        _trim()
        before = _restart_mark()
        self.contender.step()
        return {"growth": (_mark() - before) / 1e3}


def pin() -> None:
    """Keep to as many processors as there are to be threads; not every library takes its word."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[-int(os.environ.get("OMP_NUM_THREADS", "1")) :])


def found(builder: str) -> Callable[[Workload, Data], Any]:
    """What "module:name" names, with torch's threads pinned, which it asks for by a call too."""
    module, name = builder.split(":")
    kind = getattr(importlib.import_module(module), name)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return kind


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _trim() -> None:
    """Hand back what the allocator keeps, where it is glibc's."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _restart_mark() -> float:
    """Let the high-water mark begin at what is in use now, where the system can; in kB."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _mark()


def _mark() -> float:
    if _STATUS.exists():
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return float(lines["VmHWM"].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def answer(worker: Worker, message: dict[str, Any]) -> Answer:
    """What a message asks for, or why not."""
    verb = message.pop("do")
    try:
        return getattr(worker, verb)(**message)
    except UnsupportedError as error:
        return {"refused": "unsupported", "why": str(error)}
    except ModuleNotFoundError as error:
        return {"refused": "missing", "why": f"{error.name} is not installed"}
    except Exception as error:
        return {"refused": "failed", "why": f"{type(error).__name__}: {error}"[:300]}


def main() -> None:
    """Answer until there are no more messages."""
    # what libraries print must not get between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    pin()
    worker = Worker()
    for line in sys.stdin:
        print(json.dumps(answer(worker, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
