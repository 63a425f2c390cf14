"""The health of an experiment's network: rates, paths through the kernels, one batch."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from rich.console import Console
from rich.table import Table

from surgrad.events import SpikeTrain
from surgrad.kernels.choice import why
from surgrad.kernels.engine import obstacle
from surgrad.network import Sequential, Stage, spread
from surgrad.neurons import Neuron, SpikingNeuron
from surgrad.spikes import Soft, present
from surgrad.training.build import Run, build, some
from surgrad.training.schema import Experiment
from surgrad.training.scores import on
from surgrad.training.screen import describe


def examine(console: Console, experiment: Experiment) -> None:
    """Print whether a network is alive before training, and what a batch takes.

    Raises:
        SurgradError: if a file is missing, or the network does not fit the data.
    """
    run = build(experiment)
    console.print(describe(run), soft_wrap=True)
    table = Table("layer", "rate", "silent", "saturated", "verdict", box=None)
    for layer in run.health:
        table.add_row(
            layer.name,
            f"{layer.rate:.3g} Hz",
            f"{100 * layer.silent:.0f} %",
            f"{100 * layer.saturated:.0f} %",
            layer.verdict,
        )
    console.print(table)
    for layer in run.health:
        if layer.advice:
            console.print(layer.advice, style="yellow")
    for line in paths(run):
        console.print(line, soft_wrap=True)
    loss, norm, seconds = _one_batch(run)
    epoch = seconds * run.batches
    console.print(
        f"a batch of {experiment.training.batch_size}: loss {loss:.4f}, gradient norm {norm:.3g}, "
        f"{1e3 * seconds:.0f} ms; about {epoch:.1f} s an epoch of {run.batches} batches, "
        f"{epoch * experiment.training.epochs / 60:.1f} minutes in all",
        soft_wrap=True,
    )


def paths(run: Run) -> Iterator[str]:
    """Which path each layer takes through the kernels, and why."""
    net = run.net
    if not isinstance(net, Sequential):
        return
    inputs = run.splits.train.inputs
    density = inputs.density() if isinstance(inputs, SpikeTrain) else None
    rates = [layer.rate * net.dt for layer in run.health] + [0.0]
    values = inputs if isinstance(inputs, SpikeTrain) else ()
    for stage, rate in zip(net.stages, rates, strict=False):
        spike = stage.neuron.spike if isinstance(stage.neuron, SpikingNeuron) else None
        hindrance = obstacle(spike, torch.empty(0))
        if type(stage.neuron).run is not Neuron.run:
            hindrance = f"{type(stage.neuron).__name__} goes on step by step, not by a tableau"
        yield _path(stage, values, density, hindrance)
        values = stage.neuron.size or ()
        # smooth spikes are analogue values
        density = None if isinstance(present(spike), Soft) else rate


def _path(
    stage: Stage, values: SpikeTrain | tuple[int, ...], density: float | None, hindrance: str | None
) -> str:
    """The path of a stage, driven by the spikes of a data set or by neurons of some features."""
    images = None if density is None else spread(stage, values)
    if images is not None:
        # what a window lets through is at most what spikes in it
        behind = min(1.0, (density or 0.0) * images.geometry.window**2)
        return why(stage.name, behind, hindrance, convolution=True)
    convolves = any(isinstance(module, torch.nn.Conv2d) for module in stage.connection)
    product = "convolution" if convolves else "product"
    if density is None and hindrance is None:
        return f"{stage.name} uses a dense {product}: its input is analogue, not spikes."
    if convolves and hindrance is None:
        return f"{stage.name} uses a dense convolution: events cannot drive its connection."
    return why(stage.name, 1.0 if density is None else density, hindrance)


def _one_batch(run: Run) -> tuple[float, float, float]:
    """Loss, norm of the gradient, and seconds of a training batch."""
    net = run.net.train()
    batch = some(run.splits.train, run.experiment.training.batch_size, run.order)
    start = time.perf_counter()
    result = run.rule.gradients(net, on(batch, next(net.parameters()).device), run.objective)
    norm = torch.nn.utils.get_total_norm([p.grad for p in net.parameters() if p.grad is not None])
    return float(result.loss), float(norm), time.perf_counter() - start
