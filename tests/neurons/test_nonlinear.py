"""Neurons given by a step: fine solvers, closed forms, extremes."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from surgrad.errors import ArgumentError, RuleError
from surgrad.neurons import NEURONS, QIF, AdEx, Izhikevich, MorrisLecar
from surgrad.neurons.planar import PATTERNS
from surgrad.spikes import Surrogate
from surgrad.surrogates import sigmoid
from tests.kinds import BY_STEP


def spike_times(neuron, drive, seconds):
    """Those of each neuron under a constant input per step, its own or that of all, in seconds."""
    steps, drive = round(seconds / neuron.step), torch.as_tensor(drive, dtype=torch.float64)
    with torch.no_grad():
        spikes, _ = neuron.double()(drive.expand(steps, 1, neuron.size[0]))
    return [(train.nonzero().flatten() * neuron.step).numpy() for train in spikes[:, 0].T]


def solved(slope, begin, peak, reset, end):
    """The spike times of a model with a reset, from a solver with an error of its own choice."""
    now, state, found = 0.0, begin, []

    def reached(t, y):
        return y[0] - peak

    reached.terminal, reached.direction = True, 1
    while True:
        piece = solve_ivp(slope, (now, end), state, events=reached, rtol=1e-8, atol=1e-8)
        if not len(piece.t_events[0]):
            return np.array(found)
        now = float(piece.t_events[0][0])
        found.append(now)
        state = reset(piece.y[:, -1])


# a, b, c, d of figure 2 of Izhikevich 2003, in mV and ms
PAPER = {
    "regular_spiking": (0.02, 0.2, -65.0, 8.0),
    "intrinsically_bursting": (0.02, 0.2, -55.0, 4.0),
    "chattering": (0.02, 0.2, -50.0, 2.0),
    "fast_spiking": (0.1, 0.2, -65.0, 2.0),
}


def test_izhikevich_fires_when_the_paper_s_equations_do():
    dt, current, end = 0.01, 10.0, 80.0
    assert PATTERNS.keys() == PAPER.keys()
    columns = {
        key: torch.tensor([PATTERNS[name][key] for name in PAPER], dtype=torch.float64)
        for key in ("tau_recovery", "coupling", "after", "jump")
    }
    neuron = Izhikevich(4, **columns, dt=dt * 1e-3)
    found = spike_times(neuron, current * dt / 100, end * 1e-3)
    for times, (a, b, c, d) in zip(found, PAPER.values(), strict=True):

        def slope(t, y, a=a, b=b):
            v, u = y
            return [0.04 * v * v + 5 * v + 140 - u + current, a * (b * v - u)]

        truth = solved(slope, [-70.0, b * -70.0], 30.0, lambda y, c=c, d=d: [c, y[1] + d], end)
        assert len(truth) >= 3 and len(times) == len(truth)
        # first order in the step
        np.testing.assert_allclose(1e3 * times, truth, rtol=1.5e-2)


def test_a_pattern_is_its_constants_and_one_that_is_given_goes_before_it():
    neuron = Izhikevich(2, pattern="chattering", jump=3.0)
    found = {name: float(neuron.constants[name]()) for name in PATTERNS["chattering"]}
    assert found == {**PATTERNS["chattering"], "jump": 3.0}
    with pytest.raises(ArgumentError, match=r"pattern.*chattering"):
        Izhikevich(2, pattern="bursting")
    with pytest.raises(ArgumentError, match="coupling"):
        Izhikevich(2, coupling=270.0)


def test_adex_fires_when_the_paper_s_equations_do():
    """In pF, nS, mV, pA and ms; the solver has the whole exponential.

    It is stopped at 0 mV, from where the peak at 20 mV is less than a picosecond away.
    """
    capacity, leak, rest, rise, sharp, slow, a, b = 281, 30, -70.6, -50.4, 2, 144, 4, 80.5
    dt, current, end = 0.02, 1000.0, 120.0

    def slope(t, y):
        v, w = y
        upstroke = leak * sharp * math.exp(min((v - rise) / sharp, 100))
        return [
            (-leak * (v - rest) + upstroke - w + current) / capacity,
            (a * (v - rest) - w) / slow,
        ]

    truth = solved(slope, [rest, 0.0], 0.0, lambda y: [rest, y[1] + b], end)
    (times,) = spike_times(AdEx(1, dt=dt * 1e-3), current * dt / capacity / 90.6, end * 1e-3)
    assert len(truth) >= 4 and len(times) == len(truth)
    # it adapts: intervals grow
    assert (np.diff(truth, 2) > 0).all()
    np.testing.assert_allclose(1e3 * times, truth, rtol=1e-2)


@pytest.mark.parametrize(
    ("excitability", "current", "phi", "calcium", "middle", "width"),
    [("class_1", 60.0, 1 / 15, 4.0, 12.0, 17.4), ("class_2", 100.0, 0.04, 4.4, 2.0, 30.0)],
)
def test_morris_and_lecar_s_membrane_is_that_of_a_solver(
    excitability, current, phi, calcium, middle, width
):
    dt, end = 0.05, 140.0

    def slope(t, y):
        v, w = y
        m = 0.5 * (1 + math.tanh((v + 1.2) / 18))
        open_ = 0.5 * (1 + math.tanh((v - middle) / width))
        ions = 2 * (v + 60) + calcium * m * (v - 120) + 8 * w * (v + 84)
        return [(current - ions) / 20, phi * math.cosh((v - middle) / (2 * width)) * (open_ - w)]

    grid = np.arange(1, round(end / dt)) * dt
    truth = solve_ivp(slope, (0, end), [-60.0, 0.0], "LSODA", t_eval=grid, rtol=1e-8, atol=1e-8)
    neuron = MorrisLecar(1, excitability=excitability, dt=dt * 1e-3).double()
    train = torch.full((len(grid) + 1, 1, 1), current * dt / 20 / 60, dtype=torch.float64)
    with torch.no_grad():
        scan = neuron.run(train)
    v = (60 * (scan.v.flatten() + 1) - 60).numpy()[1:] - 60
    assert truth.y[0].max() > 20 and (np.diff(np.sign(truth.y[0])) > 0).sum() >= 2
    # an upstroke that comes a step late is off by its slope
    assert np.abs(v - truth.y[0]).mean() < 0.3
    released = torch.sigmoid(torch.from_numpy(v) / 5)
    torch.testing.assert_close(scan.output.flatten()[1:], released)


def test_the_rate_of_qif_is_the_closed_form():
    dt, tau, critical, drives = 1e-4, 20e-3, 0.5, (0.124, 0.18, 0.4, 1.0, 4.0)
    neuron = QIF(5, tau_mem=tau, critical=critical, dt=dt)
    silent, *found = spike_times(neuron, [drive * dt / tau for drive in drives], 0.8)
    # a parabola that is lifted by less than its depth, 1/8 here, has a rest
    assert not len(silent)
    for drive, times in zip(drives[1:], found, strict=True):
        root = math.sqrt(drive / critical - 0.25)
        ends = (1 / critical - 0.5) / root, -0.5 / root
        period = tau / root * (math.atan(ends[0]) - math.atan(ends[1]))
        assert len(times) > 3
        assert float(np.diff(times).mean()) == pytest.approx(period, rel=2e-2)


def test_adex_begins_to_fire_where_the_closed_form_says():
    """Without adaptation (none at first) it needs VT - EL - ΔT, with all of it a good deal more."""
    sharp, rise, share = 2.0, 20.2, 1 + 4 / 30
    at_once = rise - sharp
    for_good = share * (rise - sharp + sharp * math.log(share))
    dt = 2e-4
    drives = [0.98 * at_once, 1.03 * for_good]
    per_step = [drive * dt / (281e-12 / 30e-9) / 90.6 for drive in drives]
    silent, firing = spike_times(AdEx(2, dt=dt), per_step, 0.5)
    assert not len(silent) and len(firing)


@pytest.mark.parametrize("name", BY_STEP)
@pytest.mark.parametrize("drive", [1e3, -1e3, 30.0, -0.3])
def test_no_drive_is_too_strong(name, drive):
    neuron = NEURONS[name](2, learn=("threshold",), dt=1e-3)
    if neuron.spike is None:
        neuron.spike = Surrogate(sigmoid(5))
    inputs = torch.full((30, 1, 2), drive).requires_grad_()
    spikes, state = neuron(inputs)
    spikes.sum().backward()
    assert state.x.isfinite().all() and inputs.grad.isfinite().all()
    # what is pulled down does not come up again by a step that is too wide
    assert (spikes > 0.5).any() == (drive > 0)


def test_what_needs_a_tableau_says_why_there_is_none():
    with pytest.raises(RuleError, match="not linear below threshold"):
        Izhikevich(2, dt=1e-3).tableau()
    with pytest.raises(ArgumentError, match="reset of MorrisLecar"):
        MorrisLecar(2, reset="zero")
