"""`surgrad evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table


def evaluate(run: Path, /, *, split: Literal["test", "validation", "train"] = "test") -> int:
    """Rebuild the network of a run with its best weights and score it.

    Args:
        run: a run folder.
        split: the samples.
    """
    import torch

    from surgrad.training import checkpoint, folder
    from surgrad.training.build import build
    from surgrad.training.scores import evaluate as score
    from surgrad.training.screen import rates

    experiment = folder.read(run)
    torch.set_num_threads(experiment.training.threads or torch.get_num_threads())
    built = build(experiment)
    checkpoint.load_weights(run / checkpoint.WEIGHTS, built.net)
    samples = getattr(built.splits, split)
    size = experiment.training.eval_batch_size or experiment.training.batch_size
    found = score(built.net, samples, built.objective, built.splits.info, size)
    table = Table("", f"{split} samples", title=f"{experiment.name}, seed {experiment.seed}")
    table.add_row("samples", str(len(samples)))
    table.add_row("loss", f"{found.loss:.4f}")
    if found.accuracy is not None:
        table.add_row("accuracy", f"{100 * found.accuracy:.2f} %")
    table.add_row("rates", rates(found.rates))
    Console(highlight=False, markup=False).print(table)
    return 0
