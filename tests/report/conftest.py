"""Folders of runs that never ran, with known numbers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surgrad.report import write_report
from surgrad.report.contents import Constants, Evidence, Example, Layer, Trace
from surgrad.surrogates import fast_sigmoid

CONFIG = """name = {name}
seed = 7

[data]
kind = "digits"
split_seed = 3

[network]
spike = {{ kind = "surrogate", derivative = "fast_sigmoid", scale = 100 }}
layers = [{{ size = 128, neuron = "cuba_lif", recurrent = true, learn = ["tau_mem"] }}]
readout = {{ neuron = "li" }}

[rule]
kind = "bptt"
"""


def _layer(draw: np.random.Generator, name: str, neurons: int) -> Layer:
    rates = draw.gamma(1.6, 18.0, neurons) * (draw.random(neurons) > 0.08)
    v = np.concatenate([draw.normal(-0.9, 0.35, 40_000), draw.normal(-0.3, 0.4, 9_000)])
    edges = np.linspace(-2.4, 1.2, 81)
    points = np.sort(np.concatenate([np.linspace(-2.4, 1.2, 161), np.linspace(-1, 1, 81) ** 3]))
    curve = np.stack([points, fast_sigmoid(100).h(torch.tensor(points)).numpy()])
    return Layer(
        name=name,
        rates=rates,
        silent=float((rates == 0).mean()),
        saturated=0.0,
        edges=edges,
        counts=np.histogram(v, edges)[0],
        surrogate="fast_sigmoid 100",
        curve=curve,
        level=0.1,
        inside=0.034,
    )


def _events(draw: np.random.Generator, steps: int, units: int, count: int) -> np.ndarray:
    flat = np.sort(draw.choice(steps * units, count, replace=False, shuffle=False))
    return np.stack([flat // units, flat % units], 1).astype(np.int32)


def _potential(draw: np.random.Generator, steps: int) -> np.ndarray:
    drive = draw.normal(0.0, 0.3, (steps, 3)) + np.linspace(0.08, 0.02, 3)
    u = np.zeros((steps, 3))
    for n in range(1, steps):
        u[n] = 0.95 * u[n - 1] + drive[n] - (u[n - 1] > 1)
    return u


def _readout(draw: np.random.Generator, steps: int, outputs: int, winner: int) -> np.ndarray:
    steps_of = draw.normal(0, 0.12, (steps, outputs))
    steps_of[:, winner] += 0.05
    return steps_of.cumsum(0).astype(np.float32)


def _example(
    draw: np.random.Generator, index: int, group: str, target: str, size: dict[str, int]
) -> Example:
    steps, outputs, spikes = size["steps"], size["classes"], size["spikes"]
    true = index % outputs
    predicted = true if group == "right" else (true + 1) % outputs
    wanted: Any = np.array(true)
    found: Any = np.array(predicted)
    output = _readout(draw, steps, outputs, predicted)
    if target == "step_class":
        wanted = np.repeat(np.arange(4), -(-steps // 4))[:steps] % outputs
        found = np.where(draw.random(steps) < 0.1, 1, np.roll(wanted, 3))
    elif target == "values":
        wanted = np.sin(np.arange(steps)[:, None] / 9 + np.arange(outputs))
        output, found = wanted + draw.normal(0, 0.1, wanted.shape), np.zeros(0)
    elif target == "spikes":
        wanted, found = _events(draw, steps, outputs, 30), np.zeros(0)
        output = (draw.random((steps, outputs)) < 0.03).astype(float)
        output[wanted[::2, 0], wanted[::2, 1]] = 1
    hidden = [
        Trace(
            layer=f"hidden {n + 1}",
            size=size["neurons"],
            events=_events(draw, steps, size["neurons"], spikes),
            neurons=np.array([17, 4, 88]),
            potentials=_potential(draw, steps),
            thresholds=np.ones(3),
        )
        for n in range(size["layers"])
    ]
    values = target == "values"
    entered = wanted[:, :1] if values else _events(draw, steps, size["inputs"], spikes)
    return Example(
        index, group, 0.25, size["inputs"], entered, hidden, output, wanted, found
    )  # fmt: skip


def evidence(target: str = "class", labels: Sequence[str] = (), **sizes: int) -> Evidence:
    """Made up, the same at every call."""
    size = {"steps": 100, "classes": 10, "neurons": 128, "layers": 1, "inputs": 64, "spikes": 350}
    size |= {"classes": 2} if target == "values" else {}
    size |= sizes
    draw = np.random.default_rng(1)
    kinds = {"class": ("right", "wrong"), "step_class": ("best", "worst")}
    groups = kinds.get(target, ("low loss", "high loss"))
    layers = [_layer(draw, f"hidden {n + 1}", size["neurons"]) for n in range(size["layers"])]
    final = draw.gamma(9, 2.4e-3, size["neurons"])
    return Evidence(
        dt=1e-3,
        target=target,
        labels=list(labels or [str(k) for k in range(size["classes"])]),
        spiking_output=target == "spikes",
        samples=256,
        layers=layers,
        constants=[
            Constants("hidden 1", "tau_mem", True, np.full(size["neurons"], 20e-3), final),
            Constants("read-out", "tau_mem", True, np.array([20e-3]), np.array([31e-3])),
        ],
        examples=[_example(draw, i, groups[i // 2], target, size) for i in range(4)],
        versions={"surgrad": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "device": "cpu"},
    )


def metrics(epochs: int, *, accuracy: bool = True, layers: int = 1) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`."""
    draw = np.random.default_rng(0)
    rows = []
    for n in range(1, epochs + 1):
        fall = float(np.exp(-n / 6))
        parts: dict[str, Any] = {
            "train": {"loss": 2.3 * fall + 0.03}, "validation": {"loss": 2.2 * fall + 0.12}
        }  # fmt: skip
        if accuracy:
            parts["train"]["accuracy"] = 1 - 0.9 * fall
            parts["validation"]["accuracy"] = 0.97 - 0.87 * fall + float(draw.normal(0, 0.004))
        rates = [float(12 + 8 * (1 - fall) + k) for k in range(layers)]
        norm = float(5 * fall * draw.lognormal(0, 0.3) + 0.1)
        rows.append({"epoch": n, **parts, "rates": rates, "gradient_norm": norm, "seconds": 1.5})
    return rows


def run(
    folder: Path,
    seen: Evidence | None,
    *,
    name: str = "digits",
    epochs: int = 20,
    **changes: Any,
) -> Path:
    """Write a run folder and return it."""
    classes = len(seen.labels) if seen else 10
    draw = np.random.default_rng(2)
    matrix = np.diag(draw.integers(30, 40, classes))
    matrix[draw.integers(0, classes, 12), draw.integers(0, classes, 12)] += 1
    accuracy = seen is None or seen.target in ("class", "step_class")
    test = {"loss": 0.1437, "accuracy": 0.9638} if accuracy else {"loss": 0.01437}
    summary = {
        "status": "finished",
        "test": test,
        "validation": {key: value * 1.001 for key, value in test.items()},
        "epochs": epochs,
        "best_epoch": max(1, epochs - 3),
        "seconds": 83.21,
        "seed": 7,
        "rates": [19.2],
        "version": "0.1.0",
    } | ({"confusion": matrix.tolist()} if accuracy else {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(CONFIG.format(name=json.dumps(name)), encoding="utf-8")
    lines = metrics(epochs, accuracy=accuracy, layers=len(seen.layers) if seen else 1)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    (folder / "summary.json").write_text(json.dumps(summary | changes))
    if seen is not None:
        seen.save(folder / "examples.npz")
    return folder


@pytest.fixture
def made_up() -> Callable[..., Evidence]:
    """See `evidence`."""
    return evidence


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """See `run`; the folder is new."""
    return lambda seen=None, **changes: run(tmp_path / "some run", seen, **changes)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two layers, with its report; not to be changed."""
    folder = run(tmp_path_factory.mktemp("runs") / "some run", evidence(layers=2))
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """A headless browser; its absence is a failure where tests are meant to be complete."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium on this machine")
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found
