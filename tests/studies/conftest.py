"""A study that takes a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments import SHORT

_LAYERS = """\
layers = [{ size = 8, tau_mem = 10e-3 }]
readout = { neuron = "li" }
[loss]
kind = "mean_over_time"
[rules.dfa]
optimiser.lr = 2e-3
"""
FILE = "seed = 4\n" + SHORT.replace("layers = [{ size = 8 }]\n", _LAYERS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(FILE)
    return path
