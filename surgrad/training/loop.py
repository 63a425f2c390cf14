"""The training loop: epochs, the best of them, and one look at the test samples."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from surgrad import __version__
from surgrad.data.loader import loader
from surgrad.errors import SurgradError
from surgrad.smoothing import sharpen
from surgrad.training import checkpoint, folder
from surgrad.training.build import Run, build, streams
from surgrad.training.checkpoint import Progress
from surgrad.training.schema import Experiment
from surgrad.training.scores import Scores, Tally, evaluate, on
from surgrad.training.sinks import BatchDone, EpochDone, Event, Finished, JsonLines, Sink, Started
from surgrad.training.summary import Summary


class DivergedError(SurgradError, ArithmeticError):
    """Training produced a number that is not finite."""


def fit(
    experiment: Experiment,
    out: str | Path,
    *,
    resume: bool = False,
    sinks: Sequence[Sink] = (),
) -> Summary:
    """Train, keep the epoch that is best on the validation samples, test it once.

    The folder appears when everything is built and checked, and holds `config.toml`,
    `metrics.jsonl`, `checkpoint.pt`, `weights.safetensors` and, at the end, `summary.json`.
    Dropout draws from PyTorch's global generator, which is seeded for the run and put back after
    it; weights and the order of samples have generators of their own (see `build`).

    Args:
        experiment: what to train.
        out: the run folder, new or empty.
        resume: go on where the run in the folder stopped; with the same experiment, to the same
            end bit for bit. A folder that is new or empty starts.
        sinks: functions that are called with every event.

    Raises:
        ConfigError: if the folder is in use, or belongs to another experiment.
        DivergedError: if the loss or the gradient is not finite; the last epoch is kept.
        SurgradError: if a file is missing, or the network does not fit the data.
    """
    place = Path(out)
    done = folder.check(place, experiment, resume)
    if done is not None:
        return done
    with _settings(experiment):
        run = build(experiment)
        torch.manual_seed(streams(experiment.seed)[2])
        folder.claim(place, experiment)
        emit = _to([JsonLines(place / folder.METRICS), *sinks])
        progress = Progress()
        if (place / checkpoint.CHECKPOINT).exists():
            progress = checkpoint.restore(place / checkpoint.CHECKPOINT, run)
        emit(Started(run, place, progress.history))
        while not _over(run.experiment, progress):
            record = _epoch(run, progress.epoch + 1, emit)
            best = _keep_best(run, progress, record)
            checkpoint.save(place / checkpoint.CHECKPOINT, run, progress)
            if best:
                checkpoint.save_weights(place / checkpoint.WEIGHTS, progress.weights)
            emit(EpochDone(record, best))
        summary = _finish(run, progress, place)
        emit(Finished(run, place, summary))
    return summary


def _epoch(run: Run, epoch: int, emit: Sink) -> dict[str, Any]:
    start = time.perf_counter()
    sharpen(run.net, (epoch - 1) / max(run.experiment.training.epochs - 1, 1))
    trained, norm = _train(run, epoch, emit)
    found = validate(run)
    _check_finite(found.loss, f"validation loss of epoch {epoch}", run)
    return {
        "epoch": epoch,
        "train": trained.brief(),
        "validation": found.brief(),
        "rates": found.rates,
        "gradient_norm": norm,
        "lr": run.schedule.get_last_lr()[0],
        "seconds": time.perf_counter() - start,
    }


def _train(run: Run, epoch: int, emit: Sink) -> tuple[Scores, float]:
    """One pass through the training samples; the scores and the mean norm of the gradient."""
    settings, net = run.experiment.training, run.net.train()
    parameters = list(net.parameters())
    tally = Tally(run.objective, run.splits.info, net.dt)
    device, norms = parameters[0].device, 0.0
    batches = loader(run.splits.train, settings.batch_size, shuffle=True, generator=run.order)
    for index, one in enumerate(batches, start=1):
        batch = on(one, device)
        run.optimiser.zero_grad()
        result = run.rule.gradients(net, batch, run.objective)
        norm = float(nn.utils.clip_grad_norm_(parameters, settings.clip_norm or math.inf))
        place = f"epoch {epoch}, batch {index}"
        _check_finite(float(result.loss + result.penalty), f"loss in {place}", run)
        _check_finite(norm, f"gradient in {place}", run)
        run.optimiser.step()
        run.schedule.step()
        norms += norm
        tally.add(batch, result.loss, result.output, result.counts)
        emit(BatchDone(epoch, index, tally.scores))
    return tally.scores(), norms / max(run.batches, 1)


def validate(run: Run) -> Scores:
    """The network as it is on the validation samples."""
    return evaluate(run.net, run.splits.validation, run.objective, run.splits.info, _wide(run))


def _keep_best(run: Run, progress: Progress, record: dict[str, Any]) -> bool:
    """Enter an epoch; whether it is the best so far, whose weights are then kept."""
    progress.history.append(record)
    best = progress.best_epoch == 0 or _rank(record) > _rank(
        progress.history[progress.best_epoch - 1]
    )
    if best:
        progress.best_epoch = record["epoch"]
        progress.weights = {k: v.detach().clone() for k, v in run.net.state_dict().items()}
    return best


def _rank(record: dict[str, Any]) -> tuple[float, float]:
    found = record["validation"]
    return found.get("accuracy", 0.0), -found["loss"]


def _over(experiment: Experiment, progress: Progress) -> bool:
    return progress.epoch >= experiment.training.epochs or _impatient(experiment, progress)


def _impatient(experiment: Experiment, progress: Progress) -> bool:
    patience = experiment.training.patience
    return patience is not None and progress.epoch - progress.best_epoch >= patience


def _finish(run: Run, progress: Progress, out: Path) -> Summary:
    run.net.load_state_dict(progress.weights)
    run.net.eval()
    checkpoint.save_weights(out / checkpoint.WEIGHTS, progress.weights)
    test = evaluate(run.net, run.splits.test, run.objective, run.splits.info, _wide(run))
    short = progress.epoch < run.experiment.training.epochs
    summary = Summary(
        name=run.experiment.name,
        seed=run.experiment.seed,
        status="stopped early" if short else "finished",
        epochs=progress.epoch,
        best_epoch=progress.best_epoch,
        test=test.brief(),
        validation=progress.history[progress.best_epoch - 1]["validation"],
        rates=test.rates,
        confusion=test.confusion,
        parameters=sum(p.numel() for p in run.net.parameters()),
        seconds=sum(record["seconds"] for record in progress.history),
        version=__version__,
    )
    summary.write(out / folder.SUMMARY)
    return summary


def _wide(run: Run) -> int:
    training = run.experiment.training
    return training.eval_batch_size or training.batch_size


def _check_finite(value: float, what: str, run: Run) -> None:
    if not math.isfinite(value):
        raise DivergedError(
            what,
            got=value,
            expected="a finite number",
            fix=f"{_remedies(run.experiment)}; the run folder keeps the epoch before",
        )


def _remedies(experiment: Experiment) -> str:
    clip = experiment.training.clip_norm is None
    first = "set training.clip_norm = 1.0, " if clip else ""
    long = "take a larger network.spike.scale, or rule.kind = 'tbptt' for long sequences"
    return f"{first}lower optimiser.lr from {experiment.optimiser.lr:g}, {long}"


def _to(sinks: Sequence[Sink]) -> Sink:
    def emit(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return emit


@contextmanager
def _settings(experiment: Experiment) -> Iterator[None]:
    """The number of threads of the run, and a random state that is the caller's again after it."""
    threads = torch.get_num_threads()
    cuda = experiment.training.device == "cuda" and torch.cuda.is_available()
    with torch.random.fork_rng(devices=None if cuda else []):
        try:
            torch.set_num_threads(experiment.training.threads or threads)
            yield
        finally:
            torch.set_num_threads(threads)
