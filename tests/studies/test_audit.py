"""The audit's numbers against gradients computed otherwise."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch

from surgrad.errors import ConfigError
from surgrad.kernels.first_spike.op import SpikeTimeWarning
from surgrad.learning import BPTT
from surgrad.spikes import Soft
from surgrad.studies.audit import audit, with_spike
from surgrad.studies.audit_page import write_page
from surgrad.studies.gradients import gradients
from surgrad.surrogates import fast_sigmoid
from surgrad.training.build import build, some
from surgrad.training.schema import load

KINDS = ["bptt", "rtrl", "eprop", "dfa", "score", "likelihood", "eventprop"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory):
    from tests.studies.conftest import FILE

    path = tmp_path_factory.mktemp("audit") / "short.toml"
    path.write_text(FILE)
    run = build(load(path))
    before = [p.detach().clone() for p in run.net.parameters()]
    with warnings.catch_warnings():
        # EventProp says where a spike only just reached the threshold
        warnings.simplefilter("ignore", SpikeTimeWarning)
        result = audit(run, KINDS, samples=16, draws=3)
    assert all(torch.equal(p, old) for p, old in zip(run.net.parameters(), before, strict=True))
    return run, result


def test_exact_rules_have_no_angle_to_bptt(found) -> None:
    _, result = found
    for kind in ("bptt", "rtrl", "eprop"):
        for angle in result.bptt[kind].values():
            assert angle.cosine == pytest.approx(1, abs=1e-12), kind
            assert angle.ratio == pytest.approx(1, rel=1e-12)
    assert result.bptt["dfa"]["hidden 1"].cosine < 0.99


def test_what_does_not_apply_says_why(found) -> None:
    assert list(found[1].refused) == ["likelihood"]
    assert "likelihood" not in found[1].bptt


def test_angles_to_eventprop_are_symmetric(found) -> None:
    result = found[1]
    mine, theirs = result.eventprop["bptt"]["network"], result.bptt["eventprop"]["network"]
    assert mine.cosine == pytest.approx(theirs.cosine)
    assert mine.ratio == pytest.approx(1 / theirs.ratio)
    assert result.eventprop["eventprop"]["network"].cosine == pytest.approx(1)


def test_soft_gradients_agree_with_differences(found) -> None:
    _, result = found
    scales = [one.scale for one in result.soft]
    assert scales == sorted(scales) and scales[-1] / scales[0] == 128
    # sharp spikes have curvature within a step of the difference
    assert all(one.error < 1e-5 for one in result.soft[:2]), result.soft
    assert all(one.norm > 0 for one in result.soft)


def test_the_soft_network_is_the_one_that_was_meant(found) -> None:
    run, result = found
    one = result.soft[1]
    batch = some(run.splits.train, 16, torch.Generator().manual_seed(0))
    smooth = with_spike(run.net.double(), Soft(fast_sigmoid(one.scale)))
    smooth.neurons[0].detach_reset = False
    truth = gradients(BPTT(), smooth, batch, run.objective)
    assert float(torch.cat(list(truth.values())).norm()) == pytest.approx(one.norm, rel=1e-9)


def test_page_and_numbers(found, tmp_path: Path) -> None:
    run, result = found
    result.write(tmp_path / "audit.json")
    table = json.loads((tmp_path / "audit.json").read_text())
    assert table["bptt"]["eprop"]["network"]["cosine"] == pytest.approx(1)
    html = write_page(tmp_path, run.experiment, result, 16, ["surgrad", "audit"]).read_text()
    for text in ("How good is a surrogate gradient?", "Angle to EventProp", "likelihood", "<svg"):
        assert text in html


def test_networks_of_spike_times_have_no_surrogate() -> None:
    run = build(load("yin_yang_nonleaky"))
    with pytest.raises(ConfigError, match="grid of time steps"):
        audit(run, ["bptt"])
