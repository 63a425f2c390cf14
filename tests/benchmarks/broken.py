"""Contenders with something wrong, for the driver to find."""

from __future__ import annotations

import torch

from benchmarks.contenders.base import UnsupportedError
from benchmarks.contenders.own import Engine
from benchmarks.workloads import Array, Data, Workload


class Wrong(Engine):
    """One gradient is off by a tenth."""

    def gradients(self) -> dict[str, Array]:
        """See `Engine`."""
        found = super().gradients()
        return found | {"0.weight": 1.1 * found["0.weight"]}


class Zero(Engine):
    """No gradient reaches the first weights."""

    def gradients(self) -> dict[str, Array]:
        """See `Engine`."""
        found = super().gradients()
        return found | {"0.weight": 0 * found["0.weight"]}


class Silent(Engine):
    """The weights are too small for a spike."""

    def __init__(self, work: Workload, data: Data) -> None:
        super().__init__(work, data)
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.mul_(1e-3)


class Chatty(Engine):
    """Prints where the answers go."""

    def step(self) -> None:
        """See `Engine`."""
        print("not an answer")
        super().step()


class Dying(Engine):
    """Ends its process."""

    def step(self) -> None:
        """See `Engine`."""
        raise SystemExit(3)


class Picky(Engine):
    """Has no such network."""

    def __init__(self, work: Workload, data: Data) -> None:
        raise UnsupportedError("no such network")


class Absent(Engine):
    """Needs what is not installed."""

    def __init__(self, work: Workload, data: Data) -> None:
        import surely_not_installed  # noqa: F401  # pyright: ignore[reportMissingImports]
