"""A study that takes a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

FILE = """\
name = "short"
seed = 4
[data]
kind = "digits"
limit = 64
time = 20
t_max = 15e-3
[network]
layers = [{ size = 8, tau_mem = 10e-3 }]
readout = { neuron = "li" }
[loss]
kind = "mean_over_time"
[training]
epochs = 2
batch_size = 32
eval_batch_size = 180
[rules.dfa]
optimiser.lr = 2e-3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(FILE)
    return path
