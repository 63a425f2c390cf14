"""The tableau: one step against the equations, the kernel against closed forms."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from torch import Tensor

from surgrad.tableau import Tableau, combine, decay, steps_of

DT, TAU_SYN, TAU_MEM = 1e-3, 5e-3, 20e-3
ALPHA, BETA = math.exp(-DT / TAU_SYN), math.exp(-DT / TAU_MEM)


def exact(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def leaky(beta: float | Tensor = BETA, **flags) -> Tableau:
    """One leaky component."""
    return Tableau(((beta,),), (1.0,), (0.0,), (1.0,), 1.0, 1, (False,), (True,))._replace(**flags)


def current_based(delay: int = 1, **flags) -> Tableau:
    """The paper's current-based neuron, reset by subtraction."""
    alpha, beta = exact(ALPHA), exact(BETA)
    rows = ((alpha, 0.0), (1.0, beta)) if delay else ((alpha, 0.0), (alpha, beta))
    inputs = (1.0, 0.0) if delay else (1.0, 1.0)
    return Tableau(
        rows, inputs, (0.0, -1.0), (0.0, 1.0), 1.0, delay, (False, False), (False, False)
    )._replace(**flags)


def oscillator(radius: float, angle: float) -> Tableau:
    """A resonate-and-fire pair, read out on its first component."""
    c, s = radius * math.cos(angle), radius * math.sin(angle)
    return Tableau(
        ((c, -s), (s, c)), (1.0, 0.0), (0.0, 0.0), (1.0, 0.0), 1.0, 0, (False,) * 2, (True,) * 2
    )


def test_kernel_of_a_leaky_integrator() -> None:
    n = torch.arange(50, dtype=torch.float64)
    torch.testing.assert_close(leaky(exact(BETA)).kernel(50), BETA**n, rtol=1e-12, atol=0)
    torch.testing.assert_close(leaky().kernel(50), BETA**n, rtol=1e-12, atol=0)


@pytest.mark.parametrize("steps", [1, 2, 3, 64, 65, 200])
def test_kernel_of_the_current_based_neuron_is_a_double_exponential(steps: int) -> None:
    n = torch.arange(steps, dtype=torch.float64)
    late = (ALPHA**n - BETA**n) / (ALPHA - BETA)
    torch.testing.assert_close(current_based(1).kernel(steps), late, rtol=1e-11, atol=1e-15)
    soon = (ALPHA ** (n + 1) - BETA ** (n + 1)) / (ALPHA - BETA)
    torch.testing.assert_close(current_based(0).kernel(steps), soon, rtol=1e-11, atol=0)


def test_kernel_of_an_alpha_synapse() -> None:
    row = Tableau(
        ((BETA, 0.0), (1.0, BETA)),
        (1.0, 0.0),
        (0.0, 0.0),
        (0.0, 1.0),
        1.0,
        1,
        (False,) * 2,
        (True,) * 2,
    )
    n = torch.arange(100, dtype=torch.float64)
    torch.testing.assert_close(row.kernel(100), n * BETA ** (n - 1), rtol=1e-11, atol=1e-15)


def test_kernel_of_an_oscillator() -> None:
    n = torch.arange(300, dtype=torch.float64)
    expected = 0.98**n * torch.cos(0.3 * n)
    torch.testing.assert_close(oscillator(0.98, 0.3).kernel(300), expected, rtol=0, atol=1e-12)


def test_kernel_of_many_neurons_and_in_float32_parameters() -> None:
    tau = torch.tensor([[5e-3, 10e-3], [20e-3, 40e-3]], requires_grad=True)
    kernel = leaky(decay(DT, tau)).kernel(30)
    n = torch.arange(30, dtype=torch.float64)[:, None, None]
    assert not kernel.requires_grad
    torch.testing.assert_close(kernel, torch.exp(-n * DT / tau.double()), rtol=1e-5, atol=0)


def test_kernel_is_the_membrane_after_an_impulse_whatever_the_reset() -> None:
    row = current_based(1, zeroed=(True, True))
    x = [torch.zeros(3, dtype=torch.float64) for _ in range(2)]
    silent, trace = torch.zeros(3, dtype=torch.float64), []
    for n in range(40):
        x = row.advance(x, torch.full_like(silent, float(n == 0)), silent)
        trace.append(row.membrane(x))
    kernel = row.kernel(40)[:, None].expand(-1, 3)
    torch.testing.assert_close(torch.stack(trace), kernel, rtol=1e-12, atol=0)


@pytest.mark.parametrize("fraction", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize(
    "row",
    [
        leaky(),
        leaky(exact(BETA)),
        leaky(torch.tensor([0.2, 0.99, 0.9], dtype=torch.float64)),
        current_based(0),
        current_based(1),
        oscillator(0.99, 0.05),
        oscillator(0.99, math.pi / 126),  # zero at the end of the first window, by chance
    ],
    ids=["one", "scalar", "three", "soon", "late", "oscillator", "chance"],
)
def test_memory_is_where_the_kernel_has_died_away(row: Tableau, fraction: float) -> None:
    steps = row.memory(fraction)
    kernel = row.kernel(4 * steps + 500).abs().reshape(4 * steps + 500, -1)
    loud = kernel > fraction * kernel.amax(0)
    assert loud[steps - 1].any()
    assert not loud[steps:].any()


def test_memory_in_closed_form() -> None:
    # β^n <= 1/1000
    assert leaky().memory() == math.ceil(math.log(1000) * TAU_MEM / DT)


def test_memory_of_what_does_not_die_away() -> None:
    assert leaky(1.0).memory(longest=5000) == 5000
    assert leaky(1.1).memory(longest=20_000) == 20_000
    assert leaky(b=(0.0,)).memory() == 1


def test_one_step_of_the_current_based_neuron() -> None:
    x = [torch.tensor([0.5, 0.25]), torch.tensor([0.9, 1.3])]
    i, s = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0])
    row = current_based(1).to(i)
    current, membrane = row.advance(x, i, s)
    torch.testing.assert_close(current, ALPHA * x[0] + i)
    torch.testing.assert_close(membrane, BETA * x[1] + x[0] - s)
    assert row.membrane([current, membrane]) is membrane


def test_one_step_with_reset_to_zero_is_that_of_the_tutorials() -> None:
    row = current_based(1, r=(0.0, 0.0), zeroed=(False, True))
    x = [exact(0.5), exact(1.3)]
    for spike in (0.0, 1.0):
        current, membrane = row.advance(x, exact(2.0), exact(spike))
        torch.testing.assert_close(current, ALPHA * x[0] + 2)
        torch.testing.assert_close(membrane, (BETA * x[1] + x[0]) * (1 - spike))


@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize("zeroed", [True, False])
def test_a_detached_reset_has_no_gradient(detached: bool, zeroed: bool) -> None:
    row = leaky(detached=(detached,), zeroed=(zeroed,), r=(0.0 if zeroed else -1.0,))
    s = torch.tensor([1.0, 0.0], requires_grad=True)
    x = torch.tensor([2.0, 2.0], requires_grad=True)
    (new,) = row.advance([x], torch.ones(2), s)
    new.sum().backward()
    slope = -(2 * BETA + 1) if zeroed else -1.0
    if detached:
        assert s.grad is None
    else:
        torch.testing.assert_close(s.grad, torch.full((2,), slope))
    passed = torch.tensor([0.0, BETA]) if zeroed else torch.full((2,), BETA)
    torch.testing.assert_close(x.grad, passed)


def test_order_map_and_to() -> None:
    row = current_based(1)
    assert (row.order, leaky().order) == (2, 1)
    doubled = row.map(lambda entry: 2 * entry)
    assert doubled.A[0][0] == 2 * ALPHA
    assert (doubled.A[1][0], doubled.b, doubled.theta) == (1.0, (1.0, 0.0), 1.0)
    single = leaky(exact(0.5), theta=exact(1.5)).to(torch.zeros(1))
    assert isinstance(single.A[0][0], Tensor)
    assert isinstance(single.theta, Tensor)
    assert single.A[0][0].dtype == single.theta.dtype == torch.float32
    assert pickle.loads(pickle.dumps(leaky())) == leaky()


def test_combine_leaves_structural_zeros_out() -> None:
    bad = torch.tensor(float("nan"))
    one, two = torch.tensor(3.0), torch.tensor(5.0)
    assert combine((0.0, 2.0), (bad, two)) == 10
    assert combine((1.0, 0.0), (one, bad)) is one
    assert combine((0.0, 0.0), (one, two)) == 0
    # a tensor that happens to be zero is a parameter, not a structure
    assert torch.isnan(combine((torch.tensor(0.0), 1.0), (bad, two)))


@pytest.mark.parametrize(
    ("duration", "steps"), [(0.0, 0), (1e-3, 1), (1.4e-3, 1), (1.5e-3, 2), (0.3, 300), (4e-4, 0)]
)
def test_steps_of_a_duration(duration: float, steps: int) -> None:
    assert steps_of(duration, 1e-3) == steps
