"""The benchmark of spike-time gradients: it agrees with itself, and says what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import first_spikes, first_spikes_worker
from benchmarks.first_spikes import Net, differs, draw, run

TINY = Net((6, 20, 3), 4, 6, 10)


@pytest.mark.parametrize("mode", ["once", "often"])
def test_spikes_and_gradients_are_those_of_the_definition(mode: str) -> None:
    """Times against a fine grid of the potential, gradients against differences of the loss."""
    data = draw(TINY)
    build = {
        "once": first_spikes_worker.surgrad_closed,
        "often": first_spikes_worker.surgrad_events,
    }[mode]
    found = build(data, mode)()
    spiked = np.isfinite(found["times"])
    assert spiked.mean() > 0.3
    size = 1e-2
    for name in ("first", "second"):
        i, k = np.unravel_index(np.abs(found[name]).argmax(), found[name].shape)
        sides = []
        for sign in (1, -1):
            moved = data | {name: data[name].copy()}
            moved[name][i, k] += sign * size * abs(data[name][i, k])
            times = build(moved, mode)()["times"]
            assert (np.isfinite(times) == spiked).all()
            sides.append((data["price"] * np.where(spiked, times, 0)).sum() / len(times))
        slope = (sides[0] - sides[1]) / (2 * size * abs(data[name][i, k]))
        assert slope == pytest.approx(found[name][i, k], rel=0.05)


def test_rows_of_those_that_agree_and_of_those_that_are_missing(monkeypatch) -> None:
    kept = {k: first_spikes.CONTENDERS[k] for k in ("surgrad, closed form", "jaxsnn")}
    monkeypatch.setattr(first_spikes, "CONTENDERS", kept)
    refused, ours = run(TINY, "once", {}, rounds=1)
    assert refused.startswith("| jaxsnn | No module named")
    assert "| 1.0 |" in ours


def test_other_spikes_and_other_gradients_are_told() -> None:
    truth = first_spikes_worker.surgrad_closed(draw(TINY), "once")()
    assert differs(truth, truth) == ""
    assert "output spikes" in differs(truth | {"times": truth["times"] * 1.2}, truth)
    wrong = truth | {"first": truth["first"][::-1]}
    assert "first weights" in differs(wrong, truth)
