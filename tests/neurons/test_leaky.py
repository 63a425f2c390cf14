"""The neurons against recursions and closed forms written out by hand."""

import math

import numpy as np
import pytest
import torch

from surgrad.errors import ArgumentError, ShapeError
from surgrad.neurons import LI, LIF, AlphaLIF, CuBaLI, CuBaLIF

DT, TAU_MEM, TAU_SYN = 1e-3, 20e-3, 5e-3
ALPHA, BETA = math.exp(-DT / TAU_SYN), math.exp(-DT / TAU_MEM)


def paper_recursion(current, V, reset, delay):
    """Equations 4 and 5 of the paper, neuron by neuron, in numpy."""
    steps, batch, size = current.shape
    I, U, S = (np.zeros((batch, size)) for _ in range(3))
    spikes, arriving = [], np.zeros((batch, size))
    for n in range(steps):
        drive = (arriving if delay else current[n]) + S @ V.T
        I_new = ALPHA * I + drive
        U_new = BETA * U + (I if delay else I_new)
        if reset == "subtract":
            U_new = U_new - S
        if reset == "zero":
            U_new = U_new * (1 - S)
        I, U, S = I_new, U_new, (U_new > 1).astype(float)
        arriving = current[n]
        spikes.append(S)
    return np.stack(spikes), U


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("recurrent", [False, True])
def test_cuba_lif_is_the_papers_recursion(reset, delay, recurrent):
    rng = np.random.default_rng(3)
    current = rng.normal(0.0, 0.3, (63, 7, 5))
    neuron = CuBaLIF(
        5, tau_mem=TAU_MEM, tau_syn=TAU_SYN, reset=reset, delay=delay, recurrent=recurrent, dt=DT
    ).double()
    V = neuron.recurrent.weight.detach().numpy() if recurrent else np.zeros((5, 5))
    spikes, state = neuron(torch.from_numpy(current))
    expected, U = paper_recursion(current, V, reset, delay)
    assert 50 < expected.sum() < expected.size * 0.7
    np.testing.assert_array_equal(spikes.detach().numpy(), expected)
    np.testing.assert_allclose(state.x[-1].detach().numpy(), U, atol=1e-12)


@pytest.mark.parametrize("delay", [0, 1])
def test_li_responds_with_its_membrane_decay(delay):
    current = torch.zeros(10, 1, 1, dtype=torch.float64)
    current[0] = 1
    out, _ = LI(1, tau_mem=TAU_MEM, delay=delay, dt=DT)(current)
    expected = np.exp(-np.arange(10 - delay) * DT / TAU_MEM)
    np.testing.assert_allclose(out[delay:].flatten(), expected, rtol=1e-12)


def test_cuba_li_responds_with_a_double_exponential():
    current = torch.zeros(40, 1, 1, dtype=torch.float64)
    current[0] = 1
    out, _ = CuBaLI(1, tau_mem=TAU_MEM, tau_syn=TAU_SYN, dt=DT)(current)
    n = np.arange(40 - 1)
    expected = (BETA**n - ALPHA**n) / (BETA - ALPHA)
    np.testing.assert_allclose(out[1:].flatten(), expected, rtol=1e-10)


def test_alpha_synapse_is_the_alpha_function_with_peak_one():
    current = torch.zeros(60, 1, 1, dtype=torch.float64)
    current[0] = 1
    neuron = AlphaLIF(1, tau_mem=TAU_MEM, tau_syn=TAU_SYN, threshold=100.0, dt=DT)
    synaptic = []
    state = None
    for step in current:
        _, state = neuron(step[None], state)
        synaptic.append(float(state.x[1]))
    t = np.arange(59) * DT
    np.testing.assert_allclose(synaptic[1:], t / TAU_SYN * np.exp(1 - t / TAU_SYN), atol=1e-12)
    assert max(synaptic) == pytest.approx(1.0)


def test_lif_fires_at_the_rate_of_its_f_i_curve():
    # without input noise a LIF with reset to zero fires every ln(1 - (1-β)/i) / ln(β) steps
    drive = 0.08
    neuron = LIF(1, tau_mem=TAU_MEM, reset="zero", delay=0, dt=DT).double()
    spikes, _ = neuron(torch.full((5000, 1, 1), drive, dtype=torch.float64))
    intervals = np.diff(np.flatnonzero(spikes.numpy().ravel()))
    # the step after a spike is dropped by the reset, so it counts on top
    expected = math.floor(math.log(1 - (1 - BETA) / drive) / math.log(BETA)) + 2
    assert set(intervals) == {expected}


def test_refractory_neurons_pause():
    neuron = LIF(1, refractory=3e-3, reset="none", delay=0, dt=DT)
    spikes, _ = neuron(torch.full((12, 1, 1), 2.0))
    assert spikes.flatten().tolist() == [1, 0, 0, 0] * 3


def test_decays_are_exact_for_fixed_constants():
    neuron = CuBaLIF(3, tau_mem=TAU_MEM, tau_syn=TAU_SYN, dt=DT)
    tableau = neuron.tableau()
    assert float(tableau.A[0][0]) == pytest.approx(ALPHA, rel=1e-15)
    assert float(tableau.A[1][1]) == pytest.approx(BETA, rel=1e-15)


@pytest.mark.parametrize("lr", [1e3, -1e3])
def test_learnable_constants_stay_within_their_bounds(lr):
    one = ("tau_mem",)
    neuron = LIF(4, learn=one, per_neuron=one, bounds={"tau_mem": (5e-3, 50e-3)}, dt=DT)
    optimiser = torch.optim.SGD(neuron.parameters(), abs(lr))
    for _ in range(5):
        optimiser.zero_grad()
        (math.copysign(1, lr) * neuron.tau_mem().sum()).backward()
        optimiser.step()
    value = neuron.tau_mem()
    assert ((value >= 5e-3) & (value <= 50e-3)).all()
    assert torch.isfinite(value).all()
    assert ((value - 20e-3).abs() > 1e-4).all()


def test_constants_may_be_drawn_from_a_distribution():
    torch.manual_seed(0)
    gamma = torch.distributions.Gamma(3.0, 3.0 / 20e-3)
    neuron = LIF(2000, tau_mem=gamma, bounds={"tau_mem": (1e-5, 10.0)}, dt=DT)
    values = neuron.tau_mem()
    assert values.shape == (2000,)
    assert float(values.mean()) == pytest.approx(20e-3, rel=0.05)


@pytest.mark.parametrize(
    ("make", "fragment"),
    [
        (lambda: LIF(4, tau_mem=20.0), "20 ms is 20e-3"),
        (lambda: LIF(4, tau_mem=-1e-3), "between"),
        (lambda: LIF(4, tau_mem=float("nan")), "between"),
        (lambda: LIF(4, tau_mem=torch.ones(3) * 1e-2), "shape (4,)"),
        (lambda: LIF(4, threshold=0.0), "threshold"),
        (lambda: LIF(4, reset="soft"), "subtract, zero, none"),
        (lambda: LIF(4, delay=2), "0 or 1"),
        (lambda: LIF(4, learn=("tau_syn",)), "one of tau_mem, threshold"),
        (lambda: LIF(recurrent=True), "number of neurons"),
        (lambda: LIF(4, refractory=-1.0), "refractory"),
        (lambda: LIF(tau_mem=torch.distributions.Gamma(3.0, 150.0)), "size"),
        (lambda: LIF(4)(torch.zeros(3, 1, 4)), "dt=1e-3"),
    ],
)
def test_bad_arguments_are_refused(make, fragment):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert fragment in str(caught.value)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (5, 2, 3), (5, 2, 4, 1)])
def test_wrong_shapes_name_the_axes(shape):
    with pytest.raises(ShapeError, match="time, batch, 4"):
        LIF(4, dt=DT)(torch.zeros(shape))
