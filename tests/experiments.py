"""An experiment file that several tests begin with."""

from __future__ import annotations

SHORT = """\
name = "short"
[data]
kind = "digits"
limit = 64
time = 20
t_max = 15e-3
[network]
layers = [{ size = 8 }]
[training]
epochs = 2
batch_size = 32
eval_batch_size = 180
"""
"""It trains for a second."""
