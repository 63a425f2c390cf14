"""An experiment that takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from surgrad.training import toml
from surgrad.training.schema import Experiment, from_table

TINY: dict[str, Any] = {
    "name": "tiny",
    "seed": 3,
    "data": {"kind": "digits", "limit": 90, "time": 20, "t_max": 15e-3},
    "network": {
        "layers": [
            {
                "neuron": "cuba_lif",
                "size": 12,
                "tau_mem": {"distribution": "gamma", "mean": 20e-3},
                "learn": ["tau_mem"],
                "dropout": 0.2,
            }
        ]
    },
    "training": {"epochs": 3, "batch_size": 32, "eval_batch_size": 180},
}


@pytest.fixture
def tiny() -> Callable[..., Experiment]:
    """Makes the experiment, with other entries by path: `tiny(**{"training.epochs": 2})`."""

    def make(**changes: Any) -> Experiment:
        table = toml.parse(toml.dumps(TINY), "tiny")
        for path, value in changes.items():
            toml.override(table, path, value)
        return from_table(table)

    return make
