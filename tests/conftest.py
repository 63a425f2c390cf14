"""What all tests share: two workers on two cores, so one thread each, and the real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the real data: `$SURGRAD_DATA`, or one beside the checkout."""
    named = os.environ.get("SURGRAD_DATA")
    root = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not root.is_dir():
        pytest.skip("no real data: set SURGRAD_DATA to the folder that holds mnist/, fsdd/, …")
    return root
