"""Run a trained network on one test batch and keep what its report shows."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from surgrad import __version__
from surgrad.data.base import Info
from surgrad.events import SpikeTrain
from surgrad.learning.base import Batch
from surgrad.liveness import SATURATED_NEURON
from surgrad.network import Network, Record
from surgrad.neurons import SpikingNeuron
from surgrad.objectives import Loss, Objective, predict
from surgrad.objectives.objective import as_objective
from surgrad.report.contents import Array, Constants, Evidence, Example, Layer, Trace
from surgrad.spikes import Surrogate
from surgrad.surrogates import SurrogateDerivative
from surgrad.timing.layers import SpikeTimeLayer
from surgrad.timing.network import SpikeTimes
from surgrad.training.build import Run
from surgrad.training.scores import on

Spiking: TypeAlias = SpikingNeuron | SpikeTimeLayer

BINS = 80
# samples that are recorded at a time: memory grows with this and not with the batch
CHUNK = 16
# what an example keeps at most of hidden layers and of spikes
LAYERS, EVENTS = 3, 200_000
# test samples of a run that are looked at, spread over all of them
SAMPLES = 256


def collect(
    net: Network,
    batch: tuple,
    objective: Objective | Loss | Callable[..., Tensor],
    info: Info,
) -> Evidence:
    """Gather rasters, potentials, rates and `U - ϑ` of a trained network.

    The network runs in evaluation mode without gradients, a few samples at a time. Of classes
    the first two right and the first two wrong samples are kept; of a class in each step, of
    values and of spikes the two best and the two worst.

    Args:
        net: the trained network, on the device of the batch; not changed.
        batch: `(inputs, targets)` or `(inputs, targets, lengths)` of the test samples.
        objective: that of the run.
        info: what the data set is.
    """
    whole = Batch.of(batch, net)
    tallies = {
        index: _Tally(name, neuron, net.dt)
        for index, (name, neuron) in enumerate(zip(net.names, net.neurons, strict=True))
        if isinstance(neuron, Spiking)
    }
    outputs, was_training = [], net.training
    net.eval()
    with torch.no_grad():
        for index in torch.arange(whole.inputs.shape[1]).split(CHUNK):
            part, record = _select(whole, index), Record("s", "v")
            outputs.append(net.run(part.inputs, lengths=part.lengths, record=record)[0])
            valid = torch.arange(part.time)[:, None] < part.valid.cpu()
            for stage, tally in tallies.items():
                tally.add(*(record[stage][key].cpu().flatten(2)[valid] for key in ("s", "v")))
        chosen = _choose(whole, torch.cat(outputs, 1), as_objective(objective, net.dt), info.target)
        examples = [_example(net, whole, info.target, *one) for one in chosen]
    net.train(was_training)
    return Evidence(
        dt=net.dt,
        target=info.target,
        labels=list(info.labels),
        spiking_output=net.neurons[-1].spiking,
        samples=whole.inputs.shape[1],
        layers=[tally.layer() for tally in tallies.values()],
        constants=list(_constants(net)),
        examples=examples,
        versions=_versions(outputs[0].device),
    )


def examine(run: Run, out: Path) -> Evidence:
    """Collect the evidence of a finished run and save it in its folder as `examples.npz`.

    Args:
        run: what `surgrad.training.build` makes, with the trained weights.
        out: the run folder.
    """
    test = run.splits.test
    places = torch.linspace(0, len(test) - 1, min(len(test), SAMPLES)).round().long().tolist()
    batch = on(test.__getitems__(places), next(run.net.parameters()).device)
    evidence = collect(run.net, batch, run.objective, run.splits.info)
    evidence.save(out / "examples.npz")
    return evidence


class _Tally:
    """Counts, chunk by chunk, what would not fit at once."""

    def __init__(self, name: str, neuron: Spiking, dt: float) -> None:
        self.name, self.dt = name, dt
        self.threshold, self.row = _threshold(neuron), _row(neuron)
        self.level = 0.1 if self.row is not None and np.isinf(self.row.half_width) else 0.0
        self.steps, self.inside, self.spikes = 0, 0, torch.zeros((), dtype=torch.float64)
        self.edges, self.counts, self.curve = torch.zeros(2), torch.zeros(1), torch.zeros(2, 0)

    def add(self, s: Tensor, potential: Tensor) -> None:
        """Count `(steps of all samples, neurons)`."""
        v = potential.float() - self.threshold
        if not self.steps and v.numel():
            self._scale(v)
        self.steps += len(s)
        self.spikes = self.spikes + s.double().sum(0)
        low, high = self.edges[0], self.edges[-1]
        self.counts = self.counts + torch.histogram(v.clamp(low, high), self.edges).hist.double()
        if self.row is not None and v.numel():
            self.inside += int((self.row.h(v) > self.level * self.curve[1].max()).sum())

    def _scale(self, v: Tensor) -> None:
        # the first chunk says where to look
        few = v.flatten()[:: max(1, v.numel() // 100_000)]
        low, high = few.quantile(torch.tensor([0.002, 0.998])).tolist()
        self.edges = torch.linspace(min(low, -0.25), max(high, 0.25), BINS + 1)
        if self.row is not None:
            # evenly over the picture, and closer at the threshold, where a steep one is a needle
            near = torch.linspace(-4, 4, 81) ** 3 / self.row.scale
            near = near[(near > self.edges[0]) & (near < self.edges[-1])]
            at = (
                torch.cat([self.edges, self.edges[:-1] + self.edges.diff() / 2, near]).sort().values
            )
            self.curve = torch.stack([at, self.row.h(at)])

    def layer(self) -> Layer:
        probability = torch.atleast_1d(self.spikes) / max(self.steps, 1)
        return Layer(
            name=self.name,
            rates=(probability / self.dt).numpy(),
            silent=float((probability == 0).double().mean()),
            saturated=float((probability >= SATURATED_NEURON).double().mean()),
            edges=self.edges.numpy(),
            counts=self.counts.numpy(),
            surrogate="" if self.row is None else f"{self.row.name} {self.row.scale:g}",
            curve=self.curve.numpy(),
            level=self.level,
            inside=self.inside / max(float(self.counts.sum()), 1.0),
        )


def _threshold(neuron: Spiking) -> Tensor:
    return neuron.threshold().detach().cpu().float().flatten()


def _row(neuron: Spiking) -> SurrogateDerivative | None:
    # an exact spike needs no surrogate derivative, and one by chance has none
    spike = (neuron.spike or Surrogate()) if isinstance(neuron, SpikingNeuron) else None
    return getattr(spike, "derivative", None)


def _select(batch: Batch, index: Tensor) -> Batch:
    def take(value: SpikeTrain | Tensor) -> SpikeTrain | Tensor:
        if isinstance(value, SpikeTrain):
            return value.select(index)
        return value[index] if value.dim() == 1 else value[:, index]

    lengths = None if batch.lengths is None else batch.lengths[index]
    return Batch(take(batch.inputs), take(batch.targets), lengths)


def _choose(
    batch: Batch, output: Tensor, objective: Objective, target: str
) -> list[tuple[int, str, float, Array]]:
    """Place, group, score and prediction of the samples to show."""
    samples = range(output.shape[1])
    if target in ("values", "spikes"):
        parts = [_select(batch, torch.tensor([i])) for i in samples]
        losses = [
            objective.data(output[:, [i]], parts[i].targets, parts[i].lengths) for i in samples
        ]
        return _extremes([float(loss) for loss in losses], "low loss", "high loss", None)
    truth = torch.as_tensor(batch.targets)
    answer = predict(objective, output, batch.lengths, truth)
    if target == "class":
        right = (answer == truth).tolist()
        places = [*[i for i in samples if right[i]][:2], *[i for i in samples if not right[i]][:2]]
        names = ("wrong", "right")
        return [(i, names[right[i]], float(right[i]), answer[i].cpu().numpy()) for i in places]
    labelled = (truth >= 0) & (torch.arange(len(truth))[:, None].to(truth) < batch.valid)
    wrong = ((answer != truth) & labelled).sum(0) / labelled.sum(0).clamp(min=1)
    found = _extremes(wrong.tolist(), "best", "worst", answer.cpu().numpy())
    return [(i, group, 1 - share, prediction) for i, group, share, prediction in found]


def _extremes(
    values: Sequence[float], low: str, high: str, answers: Array | None
) -> list[tuple[int, str, float, Array]]:
    """The two lowest and the two highest."""
    order = sorted(range(len(values)), key=values.__getitem__)
    pairs = [*((i, low) for i in order[:2]), *((i, high) for i in order[2:][-2:])]
    nothing = np.zeros(0)
    return [(i, n, values[i], nothing if answers is None else answers[:, i]) for i, n in pairs]


def _example(
    net: Network, batch: Batch, target: str, index: int, group: str, score: float, answer: Array
) -> Example:
    sample, record = _select(batch, torch.tensor([index])), Record("s", "v")
    output = net.run(sample.inputs, lengths=sample.lengths, record=record)[0]
    if isinstance(net, SpikeTimes):
        output = record[-1]["s"]
    time = int(sample.valid)
    hidden = [
        _trace(name, neuron, *(layer[key][:time].flatten(1).cpu() for key in ("s", "v")))
        for name, neuron, layer in zip(net.names[:-1], net.neurons, record.layers, strict=False)
        if isinstance(neuron, Spiking)
    ]
    return Example(
        index=index,
        group=group,
        score=score,
        size=int(np.prod(sample.inputs.shape[2:])),
        input=_plain(sample.inputs[:time]),
        hidden=hidden[:LAYERS],
        output=output[:time, 0].flatten(1).float().cpu().numpy(),
        target=_plain(sample.targets if target == "class" else sample.targets[:time]),
        prediction=answer[:time] if answer.ndim else answer,
    )


def _plain(values: SpikeTrain | Tensor) -> Array:
    """Of one sample step and unit of the spikes; values and classes as they are."""
    if isinstance(values, SpikeTrain):
        step, unit, _ = values.events()
        return _thin(torch.stack([step, unit], 1))
    one = values[0] if values.dim() == 1 else values[:, 0]
    return one.flatten(1).cpu().numpy() if one.dim() > 1 else one.cpu().numpy()


def _thin(events: Tensor) -> Array:
    return events[:: max(1, -(-len(events) // EVENTS))].cpu().numpy().astype(np.int32)


def _trace(name: str, neuron: Spiking, s: Tensor, v: Tensor) -> Trace:
    # the busiest neuron, the median one of those that fire, and the silent one closest to firing
    order = np.lexsort((v.amax(0).numpy(), s.sum(0).numpy()))[::-1]
    active = int((s.sum(0) > 0).sum())
    picks = sorted({min(place, len(order) - 1) for place in (0, active // 2, active)})
    chosen = torch.from_numpy(order[picks].copy())
    threshold = _threshold(neuron).expand(s.shape[1])
    return Trace(
        layer=name,
        size=s.shape[1],
        events=_thin((s > 0.5).nonzero()),
        neurons=chosen.numpy(),
        potentials=v[:, chosen].float().numpy(),
        thresholds=threshold[chosen].numpy(),
    )


def _constants(net: Network) -> Iterator[Constants]:
    for layer, neuron in zip(net.names, net.neurons, strict=True):
        for name, value in neuron.constants.items():
            initial = value.initial.cpu().numpy().ravel()
            if value.learn or np.ptp(initial) > 0:
                final = value().detach().cpu().numpy().ravel()
                yield Constants(layer, name, value.learn, initial, final)


def _versions(device: torch.device) -> dict[str, str]:
    return {
        "surgrad": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
    }
