"""Gradients through time against finite differences and identities."""

import pytest
import torch

from surgrad.kernels.scan import rest, scan
from surgrad.neurons import NEURONS
from surgrad.spikes import Soft, Surrogate
from surgrad.surrogates import TABLE, fast_sigmoid
from tests.kinds import BY_TABLEAU

# their spikes act on the membrane only, where the reset is detached
WITHOUT_ADAPTATION = [
    name for name in BY_TABLEAU if all(e == 0.0 for e in NEURONS[name](1, dt=1e-3).tableau().r[:-1])
]
STEPS, BATCH, SIZE = 9, 2, 3


def make(name, **options):
    torch.manual_seed(5)
    kind = NEURONS[name]
    learn = tuple(kind(SIZE, dt=1e-3).constants)
    return kind(SIZE, learn=learn, per_neuron=learn, dt=1e-3, **options).double()


def current(seed=7):
    generator = torch.Generator().manual_seed(seed)
    shape = (STEPS, BATCH, SIZE)
    return torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()


def probe(seed=11):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((STEPS, BATCH, SIZE), generator=generator, dtype=torch.float64)


def finite_difference(value, tensor, eps=4e-6):
    """Central differences of a scalar function of what `tensor` holds."""
    gradient = torch.zeros_like(tensor)
    flat, out = tensor.detach().view(-1), gradient.view(-1)
    for index in range(len(flat)):
        saved = flat[index].item()
        flat[index] = saved + eps
        above = value()
        flat[index] = saved - eps
        below = value()
        flat[index] = saved
        out[index] = (above - below) / (2 * eps)
    return gradient


def assert_matches(gradient, truth, tolerance=1e-6):
    scale = truth.abs().max()
    assert scale > 1e-6, "the truth is zero: this comparison would pass vacuously"
    assert ((gradient - truth).abs().max() / scale) < tolerance


@pytest.mark.parametrize("row", list(TABLE.values()), ids=list(TABLE))
def test_all_soft_surrogates_agree_with_finite_differences_through_time(row):
    neuron = make("cuba_lif", recurrent=True, detach_reset=False, spike=Soft(row(0.7)))
    inputs, weights = current(), probe()

    def value():
        return (neuron(inputs)[0] * weights).sum()

    value().backward()
    with torch.no_grad():
        truth = finite_difference(lambda: float(value()), inputs)
    # kinks of piecewise rows lie between grid points with probability one
    assert_matches(inputs.grad, truth)


@pytest.mark.parametrize("name", WITHOUT_ADAPTATION)
def test_a_detached_reset_is_a_constant_current(name):
    """With the reset spikes held fixed the network has no reset path: an independent truth."""
    spike = Surrogate(fast_sigmoid(5))
    detached = make(name, reset="subtract", detach_reset=True, spike=spike)
    inputs, weights = current(), probe()
    output, _ = detached(inputs)
    (output * weights).sum().backward()
    assert 0 < output.sum() < output.numel()

    free = inputs.detach().clone().requires_grad_()
    tableau = detached.tableau()
    without = tableau._replace(r=(0.0,) * tableau.order)
    impulses = torch.cat([torch.zeros(1, BATCH, SIZE), output.detach()[:-1]]).double()
    membrane = tableau._replace(
        A=((tableau.A[-1][-1],),),
        b=(1.0,),
        r=(0.0,),
        c=(1.0,),
        delay=0,
        zeroed=(False,),
        detached=(False,),
    )
    resets = scan(membrane, None, -impulses * detached.threshold(), rest(membrane, impulses[0]))
    potential = scan(without, None, free, rest(without, free[0])).output + resets.output
    (spike(potential - detached.threshold()) * weights).sum().backward()
    torch.testing.assert_close(inputs.grad, free.grad, rtol=1e-10, atol=1e-12)


def test_the_true_derivative_of_the_step_is_zero():
    v = torch.linspace(-1, 1, 21, dtype=torch.float64)
    step = Surrogate(fast_sigmoid(10))
    with torch.no_grad():
        truth = finite_difference(lambda: float(step(v).sum()), v, eps=1e-3)
    away = v.abs() > 1e-2
    assert (truth[away] == 0).all()
