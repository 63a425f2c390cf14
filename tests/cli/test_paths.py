"""What `surgrad doctor` says about the path of each layer of a convolutional network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from surgrad.cli.health import paths
from surgrad.events import SpikeTrain
from surgrad.kernels import choice
from surgrad.network import Sequential
from surgrad.neurons import LI, LIF


def lines(inputs: Any, second: nn.Module) -> list[str]:
    net = Sequential(
        nn.Conv2d(2, 4, 3), LIF((4, 6, 6)), nn.MaxPool2d(2), second, LIF((4, 3, 3)), nn.Flatten(),
        nn.Linear(36, 3), LI(3), dt=1e-3,
    )  # fmt: skip
    health = [SimpleNamespace(rate=60.0), SimpleNamespace(rate=20.0)]
    splits = SimpleNamespace(train=SimpleNamespace(inputs=inputs))
    run: Any = SimpleNamespace(net=net, splits=splits, health=health)
    return list(paths(run))


def test_convolutions_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "costs", lambda: choice.Costs(0.02, 0.06, 0.01, 0.1, 0.02))
    train = SpikeTrain.from_events([0, 1, 3], [5, 7, 9], time=4, features=(2, 8, 8))
    first, second, third = lines(train, nn.Conv2d(4, 4, 3, padding=1))
    assert first.startswith("hidden 1 is driven by events") and "faster below 0.2 " in first
    # 0.06 in each of the four units of a window
    assert second.startswith("hidden 2 uses a dense convolution: its input has 0.24 spikes")
    assert third.startswith("read-out is driven by events: its input has 0.02 spikes")
    second = lines(train, nn.Conv2d(4, 4, 3, padding=1, groups=2))[1]
    assert second == "hidden 2 uses a dense convolution: events cannot drive its connection."
    first = lines(torch.zeros(4, 1, 2, 8, 8), nn.Conv2d(4, 4, 3, padding=1))[0]
    assert first == "hidden 1 uses a dense convolution: its input is analogue, not spikes."
