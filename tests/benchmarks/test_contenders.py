"""Our own contenders compute the same gradients, by three ways that share no code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.contenders.limits import Copy, Dense, Sparse
from benchmarks.contenders.loops import Loop
from benchmarks.contenders.own import Engine, Plain, Triangle
from benchmarks.epochs import agreement
from benchmarks.training import trainer
from benchmarks.verify import complaints, errors, norms, silent
from benchmarks.workloads import WORKLOADS, Data, Workload

SMALL = (
    Workload("layers", "layers", (30, 12, 8, 4), 40, 5, 0.05),
    Workload("recurrent", "layers", (30, 12, 4), 40, 5, 0.05, recurrent=True),
    Workload("neurons", "neurons", (16,), 30, 4, 1.0),
    replace(WORKLOADS["W7"], time=15, batch=2),
)


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
@pytest.mark.parametrize("kind", [Engine, Triangle, Plain, Loop])
def test_gradients_agree_with_the_definition(kind: type, work: Workload) -> None:
    contender = kind(work, Data(work))
    contender.step()
    off, rounding = contender.agreement()
    assert 0 < max(rounding.values()) < 1e-4
    assert len(off) == max(len(work.weights("CuBa")), 1)
    assert max(off.values()) < 1e-4
    rates = contender.rates()
    assert all(0 < rate < 1 for rate in rates) and not silent(rates)


def test_what_is_complained_of() -> None:
    good = {"a": np.ones(3)}
    assert complaints({"gradients": norms(good)}) == []
    bad = {"a": np.zeros(3), "b": np.array([np.nan])}
    assert complaints({"gradients": norms(bad)}) == [
        "the gradient of a is zero",
        "the gradient of b is not finite",
    ]
    off = errors({"a": np.array([1.0, 1.0, 2.0])}, good)
    assert off["a"] == pytest.approx(1 / 3**0.5)
    for rounding, refused in ((1e-7, 1), (0.2, 1), (0.3, 0)):
        report = {"gradients": norms(good), "errors": off, "rounding": {"a": rounding}}
        assert len(complaints(report)) == refused
    # a comparison with what is no number is no success
    assert complaints(report | {"errors": {"a": float("nan")}})
    assert silent([0.1, 0.0]) and not silent([0.1]) and not silent([])


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_the_products_of_the_limits_are_those_of_a_step() -> None:
    work = SMALL[0]
    for kind in (Dense, Sparse):
        limit = kind(work, Data(work))
        limit.step()
        values = torch.from_numpy(Data(work).dense()).flatten(0, 1)
        first = torch.from_numpy(work.weights("CuBa")[0])
        assert torch.allclose(limit.passed[0], values @ first.T, atol=1e-4)
        assert torch.allclose(limit.changes[0], torch.ones(12, len(values)) @ values, atol=1e-3)
        assert limit.returned[1].shape == (len(values), 12)
    copied = Copy(SMALL[2], Data(SMALL[2]))
    copied.step()
    assert torch.allclose(copied.second, 1.5 * copied.values)


def test_training_agrees_with_and_without_the_kernels() -> None:
    assert max(agreement(Workload("t", "layers", (40, 16, 4), 30, 64, 0.05), 16, 30)) < 1e-3


@pytest.mark.parametrize("builder", ["own:Engine", "loops:Loop"])
def test_training_learns(builder: str) -> None:
    work = Workload("t", "layers", (40, 16, 4), 30, 16, 0.05)
    step = trainer(f"benchmarks.contenders.{builder}", work, 16)
    every = [step(np.arange(16)) for _ in range(60)]
    assert every[-1] < 0.7 * every[0]
