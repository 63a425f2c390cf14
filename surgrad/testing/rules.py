"""What every learning rule promises."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import torch
from torch import Tensor, nn

from surgrad.learning.base import EVERYTHING, Result, Rule
from surgrad.learning.bptt import BPTT
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF, CuBaLI, CuBaLIF
from surgrad.objectives import losses
from surgrad.spikes import SigmoidEscape, Stochastic, Surrogate
from surgrad.surrogates import fast_sigmoid
from surgrad.testing.claims import hold


def check_rule(rule: Rule, *, visible: bool = False, smooth: bool = False) -> None:
    """Check what every learning rule promises, on a small recurrent network in float64.

    It declares of what it is exact and what it needs; it pickles; it adds finite gradients to
    `p.grad` of the trainable parameters and leaves the weights, the others and the batch alone;
    steps in the padding do not matter; the output is that of the network, and without a
    graph; a copy gives the same; and if it is the exact surrogate gradient always, it is BPTT's.

    Args:
        rule: a rule of the package or your own.
        visible: whether the rule learns target spike trains, of the last layer, by chance.
        smooth: whether it needs membranes that do not jump, behind synapses with a current.

    Raises:
        AssertionError: with the first claim that does not hold.

    Example:
        >>> check_rule(BPTT())
    """
    name = _named(rule)
    declared = rule.exact in ("surrogate", "event", "expectation", None) and rule.exact_when
    hold(name, declared, "exact and exact_when are declared")
    hold(name, rule.needs <= EVERYTHING, "needs are among those that are known")
    hold(name, pickle.loads(pickle.dumps(rule)) == rule, "it pickles")
    kind = "visible" if visible else "smooth" if smooth else "plain"
    truth, kept = _learn(rule, kind), _learn(rule, kind, frozen=True)
    result, found = truth
    for key, gradient in found.items():
        hold(name, gradient is not None and gradient.isfinite().all(), f"{key} has a gradient")
    hold(name, any(g.abs().max() > 0 for g in found.values()), "some gradient is not zero")
    hold(name, kept[1]["0.weight"] is None, "a frozen parameter has no gradient")
    hold(name, torch.equal(kept[1]["2.weight"], found["2.weight"]), "the others have theirs")
    hold(name, not result.output.requires_grad, "the output has no graph")
    hold(name, _same(_learn(copy.deepcopy(rule), kind)[1], found), "a copy gives the same")
    padded = _learn(rule, kind, padding=1e3)[1]
    hold(name, _same(padded, found), "what stands in the padding does not matter")
    twice = _learn(rule, kind, times=2)[1]
    if not rule.stochastic:
        doubled = {key: 2 * gradient for key, gradient in found.items()}
        hold(name, _same(twice, doubled), "gradients add up")
        expected, exact = _learn(BPTT(), kind)
        hold(name, torch.equal(result.output, expected.output), "the output is the network's")
        if rule.exact == "surrogate" and rule.exact_when == "always":
            hold(name, _same(found, exact), "it is back-propagation through time")


def _learn(
    rule: Rule, kind: str, *, frozen: bool = False, padding: float = 0.0, times: int = 1
) -> tuple[Result, dict[str, Any]]:
    """The gradients of a small network, made anew, and what the rule reports."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        spike = Surrogate(fast_sigmoid(5))
        if rule.stochastic:
            spike = Stochastic(SigmoidEscape(5), torch.Generator().manual_seed(1))
        visible, smooth = kind == "visible", kind == "smooth"
        # weights for rarer input, so that slow membranes reach their threshold within 12 steps
        rate = 5.0 if smooth else 200.0
        read = LIF if visible else CuBaLI if smooth else LI
        last = read(3, tau_mem=8e-3)
        hidden = (CuBaLIF if smooth else LIF)(5, tau_mem=8e-3, recurrent=True)
        modules = (nn.Linear(4, 5), hidden, nn.Linear(5, 3), last)
        net = Sequential(*modules, dt=1e-3, spike=spike, input_rate=rate).double()
        inputs = (torch.rand(12, 6, 4) < 0.4).double()
        targets = (torch.rand(12, 6, 3) < 0.2).double() if visible else torch.arange(6) % 3
        inputs[8:, 0] = padding
        lengths = torch.tensor([8, 12, 12, 12, 12, 12])
        net[0].get_parameter("weight").requires_grad_(not frozen)
        before = copy.deepcopy(net.state_dict())
        loss = losses.VanRossum(dt=1e-3) if visible else losses.every_step
        batch = inputs, targets, lengths
        for _ in range(times - 1):
            rule.gradients(net, batch, loss)
        result = rule.gradients(net, batch, loss)
        hold(_named(rule), _same(net.state_dict(), before), "the weights are left alone")
    return result, {key: p.grad for key, p in net.named_parameters()}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    pairs = [(one[key], other[key]) for key in other]
    return all(torch.allclose(a, b, rtol=1e-10, atol=1e-13) for a, b in pairs)


def _named(rule: Rule) -> str:
    return f"rule {type(rule).__name__}"
