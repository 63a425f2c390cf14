"""f–I curves against simulated neurons, and the network that they turn into."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from surgrad.conversion.rates import SoftLIF, lif_rate, soft_lif_rate, to_lif
from surgrad.errors import ArgumentError

CURRENTS = torch.tensor([0.2, 0.9, 1.05, 1.5, 2.0, 3.0, 6.0], dtype=torch.float64)


def simulated(current: float, tau: float, refractory: float, dt: float = 1e-6) -> float:
    """The rate of a neuron that is stepped until it spikes."""
    u, steps, decay = 0.0, 0, math.exp(-dt / tau)
    while u < 1.0:
        u = current + (u - current) * decay
        steps += 1
        if steps * dt > 0.2:
            return 0.0
    return 1 / (steps * dt + refractory)


@pytest.mark.parametrize("refractory", [0.0, 4e-3])
def test_the_curve_is_that_of_a_neuron(refractory: float) -> None:
    expected = [simulated(i, 20e-3, refractory) for i in CURRENTS.tolist()]
    found = lif_rate(CURRENTS, 20e-3, refractory)
    torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=1e-3, atol=0.0)


def test_the_soft_curve_has_a_gradient_everywhere() -> None:
    x = torch.tensor([-40.0, -1.0, 0.5, 0.98, 1.0, 1.02, 3.0, 90.0], dtype=torch.float64)

    def curve(current: torch.Tensor) -> torch.Tensor:
        return soft_lif_rate(current, 20e-3, 2e-3, gamma=0.05)

    assert torch.autograd.gradcheck(curve, x.clone().requires_grad_())
    slope = torch.autograd.functional.jacobian(curve, x).diagonal()  # pyright: ignore
    assert (slope >= 0).all() and torch.isfinite(slope).all() and slope[3:6].min() > 10
    sharp = soft_lif_rate(CURRENTS, 20e-3, 2e-3, gamma=1e-4)
    # below the threshold it falls but slowly, as one over the distance
    torch.testing.assert_close(sharp, lif_rate(CURRENTS, 20e-3, 2e-3), rtol=1e-6, atol=0.05)


@pytest.mark.parametrize(("dt", "tolerance"), [(1e-3, 0.08), (1e-4, 0.01)])
def test_spikes_have_the_rate_of_the_activation(dt: float, tolerance: float) -> None:
    """The error is that of spikes being put on steps, and falls with their width."""
    activation = SoftLIF(gamma=1e-4, peak=80.0).eval()
    spiking = to_lif(nn.Sequential(nn.Identity(), activation), dt=dt)
    current = CURRENTS.float().view(1, 1, -1)
    output, _ = spiking.run(current.expand(round(2.0 / dt), 1, -1))
    mean = output[round(0.5 / dt) :].mean((0, 1))
    expected = activation(current).flatten()
    torch.testing.assert_close(mean, expected, rtol=tolerance, atol=0.01)


def test_a_network_keeps_its_answers() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 40), SoftLIF(noise=0.3), nn.Linear(40, 3)).eval()
    with torch.no_grad():
        net[0].get_parameter("weight").mul_(4.0)
        net[0].get_parameter("bias").add_(1.0)
        x = torch.randn(50, 10)
        output, _ = to_lif(net, dt=2.5e-4).run(x.expand(2000, 50, 10))
        expected, found = net(x), output[1000:].mean(0)
    assert (found - expected).abs().mean() < 0.05 * expected.std()
    assert net.train()(x).equal(net(x)) is False
    assert net[1].training, "the network that was converted is left as it was"


def test_bad_input_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no SoftLIF"):
        to_lif(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ArgumentError, match="gamma"):
        SoftLIF(gamma=0.0)
