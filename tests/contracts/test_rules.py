"""Every registered rule keeps what all rules promise, and the battery sees a broken one."""

from dataclasses import dataclass

import pytest

from surgrad.learning import BPTT
from surgrad.testing import check_rule
from surgrad.training.rules import RULES


@pytest.mark.parametrize("name", list(RULES))
def test_every_rule_passes_the_battery(name):
    check_rule(RULES[name](), visible=name == "likelihood", smooth=name == "eventprop")


@dataclass(frozen=True)
class Halved(BPTT):
    """Claims to be exact, and is not."""

    def gradients(self, net, batch, loss):
        result = super().gradients(net, batch, loss)
        for p in net.parameters():
            if p.grad is not None:
                p.grad.mul_(0.5)
        return result


@dataclass(frozen=True)
class Restless(BPTT):
    """Moves the weights itself."""

    def gradients(self, net, batch, loss):
        result = super().gradients(net, batch, loss)
        for p in net.parameters():
            p.data.add_(1e-3)
        return result


@pytest.mark.parametrize(
    ("rule", "claim"), [(Halved(), "add up"), (Restless(), "weights are left alone")]
)
def test_the_battery_sees_a_broken_rule(rule, claim):
    with pytest.raises(AssertionError, match=claim):
        check_rule(rule)
