from __future__ import annotations

import json
from pathlib import Path

import pytest

from surgrad import cli
from surgrad.report import Evidence
from surgrad.training.loop import fit
from surgrad.training.schema import from_table

EXPERIMENT = {
    "name": "a-small-run",
    "data": {"kind": "digits", "limit": 60, "time": 15, "t_max": 10e-3},
    "network": {"layers": [{"neuron": "lif", "size": 8, "learn": ["tau_mem"]}]},
    "training": {"epochs": 1, "batch_size": 30, "eval_batch_size": 180},
}


def test_a_report_is_made_from_the_weights_and_redrawn_from_the_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    summary = fit(from_table(EXPERIMENT), run)
    assert cli.main(["report", str(run)]) == 0
    assert capsys.readouterr().out.strip() == str(run / "report.html")
    seen, first = Evidence.load(run / "examples.npz"), (run / "report.html").read_bytes()
    assert seen.samples == 256
    assert len(seen.layers[0].rates) == 8
    assert len({int(one.target) for one in seen.examples}) > 1
    assert f"{100 * summary.test['accuracy']:.2f}\u00a0%" in first.decode()
    # from here on the weights are not needed
    (run / "weights.safetensors").unlink()
    (run / "report.html").unlink()
    assert cli.main(["report", str(run)]) == 0
    assert (run / "report.html").read_bytes() == first


def test_a_folder_without_a_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"status": "finished"}))
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "no config.toml" in " ".join(capsys.readouterr().err.split())
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]
