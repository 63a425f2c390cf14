"""Temporal XOR: its four patterns, and their jitter."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from surgrad.data.temporal_xor import TemporalXOR


def test_the_four_patterns():
    splits = TemporalXOR(early=2e-3, late=10e-3, bias=5e-3).load()
    expected = {(2, 2): 0, (2, 10): 1, (10, 2): 1, (10, 10): 0}
    for part in splits[:3]:
        step, unit, _ = part.inputs.events()
        times = torch.empty(4, 3, dtype=torch.long)
        times[torch.arange(4).repeat_interleave(3), unit] = step
        found = zip(times[:, :2].tolist(), part.targets.tolist(), strict=True)
        assert {tuple(pair): label for pair, label in found} == expected
        assert times[:, 2].tolist() == [5] * 4
    assert "same four patterns" in splits.info.note


def test_jitter_moves_the_inputs_by_its_width_and_each_part_anew():
    spec = TemporalXOR(early=30e-3, late=60e-3, jitter=2e-3, repeats=500, time=100, dt=1e-3)
    splits = spec.load()
    train = splits.train.inputs
    step, unit, sample = train.events()
    moved = step[unit < 2].double() * 1e-3
    nominal = torch.tensor([30e-3, 60e-3], dtype=torch.float64)
    late = (moved > 45e-3).long()
    offset = moved + 0.5e-3 - nominal[late]
    assert float(offset.std()) == pytest.approx(2e-3, rel=0.06)
    assert abs(float(offset.mean())) < 2e-4
    assert set(step[unit == 2].tolist()) == {0}
    assert not train.equal(splits.validation.inputs)
    assert not splits.validation.inputs.equal(splits.test.inputs)
    assert splits.train.targets.bincount().tolist() == [1000, 1000]
    # the class is still whether the two differ
    first = torch.zeros(2000, 2, dtype=torch.long)
    first[sample[unit < 2], unit[unit < 2]] = late
    assert torch.equal(first[:, 0] ^ first[:, 1], splits.train.targets)
    assert splits.info.note == ""


def test_jitter_keeps_every_spike_in_the_sample():
    train = TemporalXOR(jitter=0.1, repeats=50).load().train.inputs
    assert torch.equal(train.counts(), torch.ones(200, 3))


def test_without_a_bias():
    assert TemporalXOR(bias=None).load().train.inputs.counts().tolist() == [[1, 1]] * 4


@pytest.mark.parametrize(
    "wrong",
    [{"early": 15e-3}, {"late": 61e-3}, {"bias": 60e-3}, {"jitter": -1.0}, {"repeats": 0}],
)
def test_wrong_options(wrong):
    with pytest.raises(ValidationError):
        TemporalXOR(**wrong)
