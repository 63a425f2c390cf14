"""The tool behind the table of conversions keeps what it measured, and nothing else."""

from __future__ import annotations

import conversion as tool
import torch
from safetensors.torch import save_file
from torch import nn


def tiny() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def test_rows_of_other_samples_or_fewer_steps_are_measured_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "RUNS", tmp_path)
    torch.manual_seed(0)
    x, y = torch.rand(40, 1, 2, 2), torch.arange(40) % 3
    data = {"train": (x, y)}
    for seed in (0, 1):
        save_file(tiny().state_dict(), tmp_path / f"digits-tiny-{seed}.safetensors")

    def row(count, steps, seed=0):
        pair = x[:count], y[:count]
        return tool.measured("digits", tiny, "shift", seed, data, pair, steps)

    first = row(20, [1, 8])
    assert first["samples"] == 20 and first["seconds"] > 0
    # the time that it took tells a row that was read from one that was measured
    assert row(20, [8]) == first
    more, longer = row(40, [1, 8]), row(40, [1, 8, 16])
    assert more["samples"] == 40 and [p["steps"] for p in longer["points"]] == [1, 8, 16]
    assert row(40, [1, 16]) == longer
    other = row(40, [1, 8], seed=1)
    tool.show("digits tiny", "shift", [longer, other], [1, 8])
    shown = capsys.readouterr().out.split(" | ")
    mean = 50 * (longer["points"][1]["accuracy"] + other["points"][1]["accuracy"])
    assert len(shown) == 7 and shown[4].startswith(f"{mean:.2f} ± ")
