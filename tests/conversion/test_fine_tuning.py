"""A converted network is an ordinary one: trained further, it needs fewer steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from surgrad.conversion import against_time, convert, present
from surgrad.data.digits import Digits
from surgrad.learning import BPTT, OTTT, EProp
from surgrad.objectives import losses

pytest.importorskip("sklearn")
STEPS = 3


def mlp():
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU()),
        *(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10)),
    )


def convolutional(pool):
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), pool(2)),
        *(nn.Conv2d(8, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 10)),
    )


@pytest.fixture(scope="module")
def digits():
    splits = Digits(encoding="constant", time=1).load()
    return [(part.inputs.view(-1, 1, 8, 8), part.targets) for part in (splits.train, splits.test)]


def trained(net, x, y):
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for index in torch.randperm(len(y)).repeat(4).split(64):
        optimiser.zero_grad()
        cross_entropy(net(x[index]), y[index]).backward()
        optimiser.step()
    return net.eval()


@pytest.mark.parametrize(
    ("make", "rule", "share"),
    [
        (mlp, BPTT(), 0.7),
        (mlp, OTTT(), 0.7),
        (mlp, EProp(), 0.7),
        (lambda: convolutional(nn.AvgPool2d), BPTT(), 0.5),
        (lambda: convolutional(nn.MaxPool2d), BPTT(), 0.3),
    ],
    ids=["mlp bptt", "mlp ottt", "mlp eprop", "convolution, average", "convolution, maximum"],
)
def test_one_pass_more_makes_it_right_after_fewer_steps(digits, make, rule, share):
    torch.manual_seed(0)
    (x, y), held = digits
    net = trained(make(), x, y)
    analogue = float((net(held[0]).argmax(1) == held[1]).float().mean())
    spiking = convert(net, [x[:256]], method="percentile")

    def right():
        return against_time(spiking, [held], [STEPS])[0].accuracy

    before = right()
    optimiser = torch.optim.Adam(spiking.parameters(), 2e-3)
    for index in torch.randperm(len(y)).split(64):
        optimiser.zero_grad()
        rule.gradients(spiking, (present(x[index], STEPS), y[index]), losses.last_step)
        optimiser.step()
    assert analogue > 0.9 and before < analogue - 0.1
    # of what the conversion lost in so few steps, at least
    assert right() - before > share * (analogue - before)
