"""Spikes: what passes forward, and what passes back."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from surgrad.spikes import Soft, Surrogate
from surgrad.surrogates import TABLE, SurrogateDerivative, fast_sigmoid, sigmoid

rows = pytest.mark.parametrize("row", TABLE.values(), ids=list(TABLE))
SMOOTH = ("sigmoid", "arctan", "gaussian", "multi_gaussian")
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def potentials(row: SurrogateDerivative, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) / row.scale


@rows
@pytest.mark.parametrize("dtype", DTYPES)
def test_spikes_are_exactly_zero_or_one(row: SurrogateDerivative, dtype: torch.dtype) -> None:
    v = torch.tensor([[-1e4, -1.0, -1e-7, -0.0], [0.0, 1e-7, 1.0, 1e4]], dtype=dtype)
    spikes = Surrogate(row)(v)
    assert spikes.dtype == dtype
    assert spikes.tolist() == [[0, 0, 0, 0], [0, 1, 1, 1]]


@rows
def test_the_gradient_is_scaled_by_the_derivative(row: SurrogateDerivative) -> None:
    v = potentials(row, 3, 5).requires_grad_()
    cotangent = torch.arange(15.0, dtype=torch.float64).view(3, 5)
    (Surrogate(row)(v) * cotangent).sum().backward()
    assert v.grad is not None
    torch.testing.assert_close(v.grad, cotangent * row.h(v.detach()), rtol=1e-15, atol=0)


@rows
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_soft_gradients(row: SurrogateDerivative) -> None:
    v = potentials(row(2.0), 4, 5).requires_grad_()
    assert gradcheck(Soft(row(2.0)), v, check_forward_ad=True, check_batched_grad=True)


@pytest.mark.parametrize("name", SMOOTH)
def test_soft_second_derivatives(name: str) -> None:
    row = TABLE[name](2.0)
    assert gradgradcheck(Soft(row), potentials(row, 6).requires_grad_())


@rows
def test_soft_approaches_the_step(row: SurrogateDerivative) -> None:
    if row.total == float("inf"):
        # nothing to normalise by: the primitive as it is
        v = potentials(row, 10)
        assert torch.equal(Soft(row)(v), row.integral(v))
        return
    v = torch.tensor([-2.0, -0.3, 0.3, 2.0], dtype=torch.float64)
    step = (v > 0).double()
    errors = [float((Soft(row(k))(v) - step).abs().max()) for k in (1, 10, 100, 1e4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3
    assert errors[0] > 1e-2


@rows
@pytest.mark.parametrize("kind", [Surrogate, Soft])
def test_no_graph_is_built_without_need(kind, row: SurrogateDerivative) -> None:
    spike = kind(row)
    assert not spike(torch.zeros(2)).requires_grad
    assert spike(torch.zeros(2, requires_grad=True)).requires_grad
    with torch.no_grad():
        assert not spike(torch.zeros(2, requires_grad=True)).requires_grad


def test_the_step_has_no_gradient_of_its_own() -> None:
    """What the paper begins with: without a surrogate nothing is learnt."""
    v = torch.linspace(-1, 1, 11, dtype=torch.float64)
    spike = Surrogate(fast_sigmoid(10))
    step = 1e-6
    # off the threshold the spike does not change, and at it the quotient has no limit
    quotient = (spike(v + step) - spike(v - step)) / (2 * step)
    assert quotient.nonzero().flatten().tolist() == [5]
    assert quotient[5] == pytest.approx(1 / (2 * step))


@pytest.mark.parametrize("kind", [Surrogate, Soft])
def test_spikes_are_values(kind) -> None:
    spike = kind(sigmoid(3))
    for again in (copy.deepcopy(spike), pickle.loads(pickle.dumps(spike))):
        assert again == spike
    assert kind() == kind(fast_sigmoid)
    assert kind(sigmoid(3)) != kind(sigmoid(4))


@pytest.mark.parametrize("kind", [Surrogate, Soft])
def test_shapes_of_any_kind(kind) -> None:
    spike = kind()
    for shape in ((), (0,), (2, 0, 3), (2, 3, 4, 5)):
        v = torch.zeros(shape, requires_grad=True)
        out = spike(v)
        assert out.shape == shape
        out.sum().backward()
        assert v.grad is not None
        assert v.grad.shape == shape
    crooked = torch.arange(6.0).view(2, 3).T - 2
    assert torch.equal(spike(crooked), spike(crooked.contiguous()))
