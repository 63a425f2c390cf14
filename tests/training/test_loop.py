"""A run: the right epoch is kept, the test samples are seen once, what goes wrong is said."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from surgrad.data.base import Batch, Samples, Splits
from surgrad.data.digits import Digits
from surgrad.data.mackey_glass import MackeyGlass
from surgrad.errors import ArgumentError, ConfigError, RuleError
from surgrad.learning import BPTT
from surgrad.training import folder
from surgrad.training.build import build, make_schedule, streams
from surgrad.training.loop import DivergedError, fit
from surgrad.training.schema import Experiment
from surgrad.training.scores import Scores, evaluate
from surgrad.training.sinks import BatchDone, EpochDone, Event, Finished, Started
from surgrad.training.summary import Summary

Make = Callable[..., Experiment]


class Counting(Samples):
    """Samples that write down what is asked of them, and when."""

    def __init__(self, samples: Samples, log: list[object]) -> None:
        super().__init__(samples.inputs, samples.targets, samples.lengths)
        self.log = log

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        self.log.extend(indices)
        return super().__getitems__(indices)


def test_the_test_samples_are_seen_once_with_the_best_weights_after_all_else(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[object] = []
    load = Digits.load

    def counting(self: Digits) -> Splits:
        splits = load(self)
        return splits._replace(test=Counting(splits.test, log))

    monkeypatch.setattr(Digits, "load", counting)
    summary = fit(tiny(), tmp_path / "run", sinks=[lambda event: log.append(type(event))])
    seen = [entry for entry in log if isinstance(entry, int)]
    assert Counter(seen) == Counter(range(359))
    first = log.index(seen[0])
    assert [e for e in log[:first] if e is EpochDone] == [EpochDone] * 3
    assert log[first + 359 :] == [Finished]
    # and the number that was reported is that of the weights that were kept
    run = build(tiny())
    run.net.load_state_dict(load_file(tmp_path / "run" / "weights.safetensors"))
    found = evaluate(run.net, run.splits.test, run.objective, run.splits.info, 180)
    assert found.brief() == summary.test


def test_xi_of_the_file_makes_hidden_neurons_louder(tiny: Make) -> None:
    plain, loud = build(tiny()), build(tiny(**{"network.xi": 0.25}))
    first, louder = (next(p for p in run.net.parameters() if p.dim() == 2) for run in (plain, loud))
    assert torch.allclose(louder, 4 * first)
    assert loud.health[0].rate > 2 * plain.health[0].rate


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([(0.5, 0.9), (0.6, 2.0), (0.6, 1.0), (0.6, 1.0), (0.5, 0.1)], 3),
        ([(None, 0.5), (None, 0.2), (None, 0.3), (None, 0.2), (None, 0.4)], 2),
    ],
)
def test_the_epoch_best_on_validation_is_kept(
    scores: list[tuple[float | None, float]],
    best: int,
    tiny: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = iter(scores)
    states: list[dict[str, torch.Tensor]] = []

    def validate(run: Any) -> Scores:
        accuracy, loss = next(given)
        states.append({k: v.clone() for k, v in run.net.state_dict().items()})
        return Scores(loss, accuracy, [1.0], [])

    monkeypatch.setattr("surgrad.training.loop.validate", validate)
    summary = fit(tiny(**{"training.epochs": 5}), tmp_path / "run")
    assert summary.best_epoch == best
    assert summary.validation["loss"] == scores[best - 1][1]
    kept = load_file(tmp_path / "run" / "weights.safetensors")
    assert all(torch.equal(kept[name], states[best - 1][name]) for name in kept)
    assert not all(torch.equal(kept[name], states[best - 2][name]) for name in kept)


def test_patience_ends_a_run(tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([3.0, 2.0, 2.5, 2.0, 1.0])
    monkeypatch.setattr(
        "surgrad.training.loop.validate", lambda run: Scores(next(losses), 0.5, [], [])
    )
    summary = fit(tiny(**{"training.epochs": 5, "training.patience": 2}), tmp_path / "run")
    assert (summary.status, summary.epochs, summary.best_epoch) == ("stopped early", 4, 2)


def test_the_files_of_a_run(tiny: Make, tmp_path: Path) -> None:
    summary = fit(tiny(), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.toml", "metrics.jsonl", "summary.json", "weights.safetensors", "checkpoint.pt"
    }  # fmt: skip
    assert folder.read(tmp_path / "run") == tiny()
    assert Summary.read(tmp_path / "run" / "summary.json") == summary
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    for record in records:
        assert set(record) == {
            "epoch", "train", "validation", "rates", "gradient_norm", "lr", "seconds"
        }  # fmt: skip
        assert set(record["train"]) == set(record["validation"]) == {"loss", "accuracy"}
        assert len(record["rates"]) == 1 and 0 < record["rates"][0] < 1000
        assert record["gradient_norm"] > 0
    assert summary.seconds == pytest.approx(sum(record["seconds"] for record in records))
    assert sum(map(sum, summary.confusion)) == 359
    right = sum(row[i] for i, row in enumerate(summary.confusion))
    assert summary.test["accuracy"] == pytest.approx(right / 359)
    # 64 × 12 + 12 × 10 weights and 12 time constants
    assert summary.parameters == 900


def test_training_learns(tiny: Make, tmp_path: Path) -> None:
    layer = {"size": 40, "tau_mem": 20e-3}
    changes = {"training.epochs": 5, "optimiser": {"lr": 1e-2}, "data.limit": 300}
    summary = fit(tiny(**changes, **{"network.layers": [layer]}), tmp_path / "run")
    assert summary.test["accuracy"] > 0.5


def test_the_same_seed_is_the_same_run_and_another_is_another(tiny: Make, tmp_path: Path) -> None:
    runs = [fit(tiny(seed=seed), tmp_path / name) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert runs[0].test == runs[1].test
    assert runs[0].test != runs[2].test


def test_a_run_leaves_the_random_state_of_its_caller_alone(tiny: Make, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    fit(tiny(**{"training.epochs": 1, "training.threads": 2}), tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", ["constant", "cosine", "step", "one_cycle"])
def test_schedules_of_any_length(kind: str, steps: int, tiny: Make) -> None:
    experiment = tiny(**{"training.epochs": steps, "schedule.kind": kind, "optimiser.lr": 0.1})
    parameter = torch.nn.Parameter(torch.zeros(()))
    optimiser = torch.optim.SGD([parameter], lr=0.1)
    schedule = make_schedule(experiment, optimiser, batches=1)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert all(0 < rate <= 0.1 for rate in rates)
    if kind == "one_cycle" and steps > 1:
        assert rates[-1] < rates[0] < max(rates[1:]) or steps == 2
    else:
        assert rates[0] == 0.1


def test_one_seed_gives_independent_ones() -> None:
    assert len({stream for seed in range(50) for stream in streams(seed)}) == 150


class Poisoned(BPTT):
    """Back-propagation that finds something not finite in its fifth batch."""

    batches, what = 0, "loss"

    def gradients(self, net: Any, batch: tuple, loss: Any) -> Any:
        result = super().gradients(net, batch, loss)
        type(self).batches += 1
        if type(self).batches == 6:  # the first is the rehearsal of `build`
            if self.what == "loss":
                result.loss.fill_(math.nan)
            else:
                next(net.parameters()).grad[0] = math.inf
        return result


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_run_that_diverges_says_where_and_keeps_the_epoch_before(
    what: str, tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Poisoned.batches, Poisoned.what = 0, what
    experiment = tiny()
    monkeypatch.setattr(type(experiment.rule), "maker", staticmethod(Poisoned))
    with pytest.raises(DivergedError, match=f"{what} in epoch 2, batch 2"):
        fit(experiment, tmp_path / "run")
    monkeypatch.undo()
    kept = load_file(tmp_path / "run" / "weights.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())
    summary = fit(tiny(), tmp_path / "run", resume=True)
    assert summary.test == fit(tiny(), tmp_path / "again").test


def test_values_are_learned_without_an_accuracy(tiny: Make, tmp_path: Path) -> None:
    data = {"kind": "mackey_glass", "limit": 4}
    experiment = tiny(data=data, loss={"kind": "mean_squared_error"})
    assert isinstance(experiment.data, MackeyGlass)
    summary = fit(experiment, tmp_path / "run")
    assert set(summary.test) == {"loss"}
    assert summary.confusion == []


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"loss": {"kind": "mean_squared_error"}}, ArgumentError, "loss.kind"),
        ({"network.layers.0.connection": {"kind": "conv2d"}}, ArgumentError, "connection"),
        ({"training.device": "cuda"}, ArgumentError, "training.device"),
        (
            {"data": {"kind": "digits", "encoding": "poisson", "max_rate": 1e-9}},
            ArgumentError,
            "spike",
        ),
    ],
)
def test_what_is_refused_leaves_no_folder(
    changes: dict[str, Any], error: type[Exception], match: str, tiny: Make, tmp_path: Path
) -> None:
    if changes.get("training.device") and torch.cuda.is_available():
        pytest.skip("there is a device")
    with pytest.raises(error, match=match):
        fit(tiny(**changes), tmp_path / "runs" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_rule_that_does_not_apply_leaves_no_folder(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuleError("this rule", got="a network", expected="another")

    monkeypatch.setattr(BPTT, "gradients", refuse)
    with pytest.raises(RuleError):
        fit(tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folders_in_use_are_refused_and_empty_ones_taken(tiny: Make, tmp_path: Path) -> None:
    short = tiny(**{"training.epochs": 1})
    (tmp_path / "empty").mkdir()
    fit(short, tmp_path / "empty")
    with pytest.raises(ConfigError, match="--resume"):
        fit(short, tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="a file"):
        fit(short, tmp_path / "file")
    with pytest.raises(ConfigError, match="place to write"):
        fit(short, tmp_path / "file" / "below")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"no config\.toml"):
        fit(short, tmp_path / "mine", resume=True)


def test_events_come_in_order(tiny: Make, tmp_path: Path) -> None:
    events: list[Event] = []
    fit(tiny(**{"training.epochs": 2}), tmp_path / "run", sinks=[events.append])
    epoch = [BatchDone, BatchDone, BatchDone, EpochDone]
    assert [type(event) for event in events] == [Started, *epoch, *epoch, Finished]
    scores = events[3].scores()  # type: ignore[union-attr]
    assert sum(map(sum, scores.confusion)) == 90 * 1
