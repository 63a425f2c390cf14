"""The driver's end of a worker: a process under the contender's own interpreter."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

from benchmarks.contenders import Entry

ROOT = Path(__file__).parents[1]
Refusal = Literal["missing", "unsupported", "failed"]


class RefusedError(Exception):
    """A contender that cannot be timed: "missing", "unsupported" or "failed", and why."""

    def __init__(self, status: Refusal, why: str) -> None:
        super().__init__(why)
        self.status: Refusal = status


class Child:
    """A worker.

    Args:
        python: its interpreter.
        threads: the number it may use.
        patience: the seconds to wait for an answer.
    """

    def __init__(self, python: str, threads: int, patience: float, *words: str) -> None:
        self.patience = patience
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by __exit__)
        command = [python, "-m", *(words or ("benchmarks.worker",))]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )

    def ask(self, do: str, **message: Any) -> dict[str, Any]:
        """Send a message and wait for the answer.

        Raises:
            RefusedError: if the worker says why it cannot, is silent for too long, or has died.
        """
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        try:
            print(json.dumps({"do": do, **message}), file=process.stdin, flush=True)
            if not select.select([process.stdout], [], [], self.patience)[0]:
                process.kill()
                raise RefusedError("failed", f"no answer to {do} in {self.patience:g} s")
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RefusedError("failed", f"the process ended: {self._last_words()}")
        answer = json.loads(line)
        if "refused" in answer:
            raise RefusedError(answer["refused"], answer["why"])
        return answer

    def _last_words(self) -> str:
        if self.process.wait() == -signal.SIGKILL:
            return "it was killed, as the system does where memory runs out"
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        return lines[-1][:200] if lines else f"status {self.process.returncode}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._said.close()


def environment(threads: int) -> dict[str, str]:
    """The thread count pinned for every library that any contender uses."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA")
    pinned = {f"{name}_NUM_THREADS": str(threads) for name in names}
    eigen = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    rest = {"NPROC": str(threads), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    return os.environ | pinned | rest


def build(child: Child, entry: Entry, work: dict[str, Any]) -> dict[str, Any]:
    """Let a worker make its contender."""
    return child.ask("build", builder=entry.builder, workload=work, packages=list(entry.packages))
