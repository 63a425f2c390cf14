r"""Fluctuation-driven initialisation: weights that make a membrane fluctuate up to its threshold.

A neuron with independent zero-mean weights of variance `σ_w²` onto `n` inputs has a membrane
potential of variance

.. math:: \sigma_U^2 = \sigma_w^2 \sum_{j=1}^{n} \mathrm{E}[(\varepsilon * s_j)^2],

where `ε` is the post-synaptic potential, which is the tableau's response to a unit input. Asking
for :math:`\sigma_U = \vartheta / \xi` gives the weights.

References: Rossbroich, Gygax & Zenke 2022, eqs. 5 to 9, for `μ_U = 0`. They assume Poisson inputs
and subtract their mean; here the second moment is measured where inputs are at hand, so that
analogue and temporally correlated inputs are right too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surgrad.kernels.scan import rest, scan
from surgrad.tableau import Tableau

LONGEST, HORIZON = 100_000, 50


def mean_square_trace(tableau: Tableau, inputs: Tensor | float) -> float:
    r"""The mean over units, samples and steps of the squared post-synaptic potential.

    Args:
        tableau: the neuron that receives.
        inputs: what it receives, `(time, batch, *features)`; or the expected probability `p` of a
            spike in a step, for which the Poisson value :math:`p \sum_n ε_n^2 + p^2 (\sum_n ε_n)^2`
            is used, of a neuron without a leak within 50 steps.

    Returns:
        the mean square for a unit weight.

    Example:
        >>> from surgrad.neurons import LIF
        >>> tableau = LIF(tau_mem=20e-3, dt=1e-3).tableau()
        >>> round(mean_square_trace(tableau, 0.02), 3)  # 0.02 / (1 - β²) + (0.02 / (1 - β))²
        0.378
    """
    if not isinstance(inputs, Tensor):
        steps = tableau.memory(longest=LONGEST)
        # what never decays forgets at its next spike only
        steps = HORIZON if steps == LONGEST else steps
        kernel = tableau.kernel(steps).reshape(steps, -1)
        square = inputs * kernel.square().sum(0) + inputs**2 * kernel.sum(0) ** 2
        return float(square.mean())
    with torch.no_grad():
        shared = tableau.map(Tensor.mean)._replace(r=(0.0,) * tableau.order)
        passive = shared._replace(zeroed=(False,) * tableau.order)
        traces = scan(passive, None, inputs, rest(passive, inputs[0])).output
        return float(traces.square().mean())


def weighted(module: nn.Module) -> nn.Module | None:
    """The last module with a weight matrix or kernel in a connection, or None."""
    found = None
    for child in module.modules():
        weight = getattr(child, "weight", None)
        if isinstance(weight, Tensor) and weight.dim() >= 2:
            found = child
    return found


def fluctuation_driven_(
    weight: Tensor,
    mean_square: float,
    *,
    threshold: float = 1.0,
    share: float = 1.0,
    xi: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Draw weights for which the membrane fluctuates with :math:`\vartheta / \xi`, in place.

    .. math:: \sigma_w^2 = \frac{\mathrm{share}\,(\vartheta / \xi)^2}{n\, \mathrm{E}[(ε * s)^2]}

    Args:
        weight: post × pre, and the kernel's axes for a convolution.
        mean_square: `E[(ε * s)²]`, see `mean_square_trace`.
        threshold: ϑ of the neurons that receive.
        share: the share of the variance that these weights bring, where there are others.
        xi: how many standard deviations lie between rest and threshold.
        generator: for reproducible draws.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> w = fluctuation_driven_(torch.empty(500, 400), 0.25, generator=g)
        >>> round(float(w.std()), 3)
        0.1
    """
    fan_in = weight[0].numel()
    variance = share * (threshold / xi) ** 2 / (fan_in * max(mean_square, 1e-12))
    with torch.no_grad():
        return weight.normal_(0.0, variance**0.5, generator=generator)
