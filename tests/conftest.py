"""What all tests share: two workers on two cores, so one thread each."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
