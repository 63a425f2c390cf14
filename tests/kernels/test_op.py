"""The operation as PyTorch's dispatcher and compiler see it, and the memory behind it."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
import torch

from surgrad.kernels import blocks, buffers, engine
from surgrad.kernels.layer.op import layer
from surgrad.kernels.layer.pack import coefficients
from surgrad.neurons import CuBaLIF


def arguments(by_events, upward, soft=False, carried=False):
    generator = torch.Generator().manual_seed(0)
    neuron = CuBaLIF(16, dt=1e-3)
    P = coefficients(neuron.tableau(), 16).requires_grad_()

    def draw(*shape):
        return torch.randn(shape, generator=generator).requires_grad_()

    starts = torch.arange(12) * 2
    source = (
        None,
        starts,
        starts + 2,
        torch.arange(24, dtype=torch.int32) % 5,
        draw(16, 5),
        draw(16),
        None,
    )
    if not by_events:
        source = (draw(4, 3, 16), *(None,) * 6)
    begin = (draw(2, 3, 16), torch.zeros(3, 16), draw(3, 16), torch.zeros(3, 16))
    return (P, *source, draw(16, 16), *begin, torch.tensor([4, 2, 0]),
            torch.randn(7, 16, generator=generator) if upward else None,
            [4, 3, 16, 2, 1, 0, 0, 2, 2 if soft else 1], [True, not soft, True, True, carried],
            [0.0, 10.0, 1.0])  # fmt: skip


@pytest.mark.parametrize("by_events", [False, True])
@pytest.mark.parametrize("kind", ["plain", "upward", "soft", "carried"])
def test_the_operation_is_what_it_says(by_events, kind, monkeypatch):
    # the tail behind the last event is never written nor read, but compared here
    monkeypatch.setattr(buffers, "empty", torch.zeros)
    tests = (
        "test_schema",
        "test_autograd_registration",
        "test_faketensor",
        "test_aot_dispatch_static",
    )
    given = arguments(by_events, kind == "upward", kind == "soft", kind == "carried")
    torch.library.opcheck(layer, given, test_utils=tests)


def test_compiled_functions_pass_over_it():
    given: Any = arguments(False, False)
    run = torch.compile(lambda x: layer(given[0], x, *given[2:])[1] * 2, backend="aot_eager",
                        fullgraph=True)  # fmt: skip
    found, expected = run(given[1]), layer(*given)[1] * 2
    assert torch.equal(found, expected)
    weight = torch.rand_like(expected)
    (mine,) = torch.autograd.grad((found * weight).sum(), given[1])
    (true,) = torch.autograd.grad((expected * weight).sum(), given[1])
    assert true.abs().max() > 0
    assert torch.equal(mine, true)


def test_memory_goes_back_when_nothing_looks_into_it():
    buffers.release()
    gc.collect()
    first = buffers.empty(600, 1000)
    place, part = first.data_ptr(), first[5:]
    assert place % 64 == 0
    del first
    assert buffers.empty(600, 1000).data_ptr() != place
    del part
    again = {buffers.empty(600, 1000).data_ptr() for _ in range(2)}
    assert place in again


def test_second_derivatives_are_refused():
    neuron = CuBaLIF(4, dt=1e-3)
    x = torch.rand(9, 2, 4, requires_grad=True)
    (grad,) = torch.autograd.grad(neuron(x)[0].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="layer_adjoint"):
        grad.sum().backward()


def test_the_path_can_be_told():
    weight = torch.zeros(3, 3)
    assert engine.obstacle(None, weight) is None
    assert "float32" in str(engine.obstacle(None, weight.double()))


def test_blocks_are_done_once_each_by_as_many_threads_as_there_may_be():
    done: list[int] = []
    meeting = threading.Barrier(2, timeout=20)

    def work(index: int, first: int, last: int) -> None:
        if index < 2:
            # nobody passes here alone
            meeting.wait()
        done.extend(range(first, last))
        if index == 3:
            raise ValueError("a block that fails")

    torch.set_num_threads(2)
    try:
        blocks.run([(0, 3), (3, 5), (5, 6)], work)
        assert sorted(done) == list(range(6))
        with pytest.raises(ValueError, match="a block that fails"):
            blocks.run([(0, 1), (1, 2), (2, 3), (3, 4)], work)
    finally:
        torch.set_num_threads(1)
