"""Networks of spike times by command: the schema, training, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from surgrad.errors import ConfigError
from surgrad.timing import SpikeResponse
from surgrad.training import checkpoint, schema
from surgrad.training.build import build
from surgrad.training.loop import fit

TIMED = {
    "data.dt": 2.5e-4,
    "data.time": 80,
    "network": {
        "kind": "spike_times",
        "layers": [{"neuron": "nonleaky", "size": 12}],
        "readout": {"neuron": "spike_response", "delays": [0.0, 2e-3], "tau": 5e-3},
    },
    "loss": {"kind": "first_spike_time", "early": 0.01},
    "regularisers": [{"kind": "wake"}],
}


def experiment(tiny: Callable[..., schema.Experiment], **changes: Any) -> schema.Experiment:
    return tiny(**(TIMED | changes))


def test_trains_resumes_and_loads(tmp_path: Path, tiny: Callable[..., schema.Experiment]) -> None:
    whole = fit(experiment(tiny), tmp_path / "whole")
    fit(experiment(tiny, **{"training.epochs": 2}), tmp_path / "parts")
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train"]["loss"] for line in lines]
    assert losses[-1] < losses[0] and len(whole.rates) == 2
    run = build(experiment(tiny))
    assert isinstance(run.net.neurons[1], SpikeResponse)
    checkpoint.load_weights(tmp_path / "whole" / "weights.safetensors", run.net)
    assert run.experiment.to_toml() == schema.load(tmp_path / "whole" / "config.toml").to_toml()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": {"kind": "max_over_time"}}, "first_spike_time"),
        ({"rule": {"kind": "eprop"}}, "bptt"),
        ({"regularisers": [{"kind": "rate_bound", "upper": 9.0}]}, "weight_sum"),
        ({"network.layers": [{"neuron": "nonleaky"}]}, "the number of neurons"),
        ({"network.layers": [{"neuron": "cuba_lif", "size": 3}]}, "lif_equal"),
        ({"network.layers": [{"neuron": "nonleaky", "size": 3, "tau": 20}]}, "did you mean"),
        ({"network.layers": [{"neuron": "nonleaky", "size": 3, "delays": [0]}]}, "spike_response"),
    ],
)
def test_what_does_not_fit_is_refused(
    changes: dict[str, Any], message: str, tiny: Callable[..., schema.Experiment]
) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(tiny, **changes)


def test_steps_refuse_what_belongs_to_times(tiny: Callable[..., schema.Experiment]) -> None:
    with pytest.raises(ConfigError, match="max_over_time"):
        tiny(loss={"kind": "first_spike_time"})
    with pytest.raises(ConfigError, match="rate_bound"):
        tiny(regularisers=[{"kind": "wake"}])
