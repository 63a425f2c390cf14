"""Store and recall: what is shown when, and what is asked for."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from surgrad.data.store_recall import StoreRecall


def test_commands_values_and_classes() -> None:
    spec = StoreRecall(delay=0.3, phase=0.05, group=20, rate=100.0, train=50)
    splits = spec.load()
    assert (spec.phases, spec.steps, splits.info.time) == (8, 50, 400)
    for part in splits[:3]:
        spikes = part.inputs.to_dense().view(8, 50, -1, 4, 20)
        active = spikes.sum((1, 4)) > 0
        assert active[0, :, 2].all() and not active[1:, :, 2].any()
        assert active[-1, :, 3].all() and not active[:-1, :, 3].any()
        # one value at a time, and none while it is asked for
        assert (active[:-1, :, :2].sum(-1) == 1).all() and not active[-1, :, :2].any()
        stored = active[0, :, 1].long()
        classes = part.targets
        assert (classes[:, :350] == -1).all()
        assert torch.equal(classes[:, 350:], stored[:, None].expand(-1, 50))
    assert not splits.validation.inputs.equal(splits.test.inputs)


def test_what_lies_between_says_nothing_about_the_stored_value() -> None:
    splits = StoreRecall(train=4000, delay=0.2, phase=0.02, group=3, rate=400.0).load()
    shown = splits.train.inputs.to_dense().view(12, 20, -1, 12)[:, :, :, 3:6].sum((1, 3)) > 0
    stored = splits.train.targets[:, -1].double()
    for phase in shown[1:-1].double():
        assert abs(float(torch.corrcoef(torch.stack([phase, stored]))[0, 1])) < 0.06
    assert torch.equal(shown[0].double(), stored)
    assert 0.45 < float(stored.mean()) < 0.55


def test_rates() -> None:
    spikes = StoreRecall(train=500).load().train.inputs.to_dense().view(12, 100, 500, 4, 10)
    assert float(spikes[0, :, :, 2].mean()) / 1e-3 == pytest.approx(49, rel=0.03)


@pytest.mark.parametrize(
    "wrong", [{"delay": 0.25}, {"delay": 0.0}, {"phase": 1.5e-3}, {"rate": 2000.0}, {"group": 0}]
)
def test_wrong_options(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        StoreRecall(**wrong)
