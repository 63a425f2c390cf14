"""The parts of a page, from what a run left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from surgrad.report import figures
from surgrad.report.contents import Evidence
from surgrad.report.figures import Picture
from surgrad.report.rasters import example, label
from surgrad.report.svg import SERIES, theme

_EXAMPLES = {
    "class": "The first right and the first wrong ones of a test batch: input, hidden spikes, "
    "membrane potentials and the read-out.",
    "step_class": "Those of a test batch with the most and the fewest steps right.",
    "values": "Those of a test batch with the least and the most loss.",
    "spikes": "Those of a test batch with the least and the most loss.",
}
_NEURONS = (
    "Each layer on a test batch: its firing rates; how far the membrane U was from the threshold "
    "ϑ, with the surrogate derivative h at the same height (neurons learn where the two overlap); "
    "and the parameters that are learnt or differ from neuron to neuron, before and after training."
)


class Section(NamedTuple):
    """A heading, a sentence, a table (its head, and rows that begin with a name) and pictures."""

    id: str
    title: str
    text: str
    pictures: Sequence[Picture] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def draw(
    summary: Mapping[str, Any], epochs: Sequence[dict[str, Any]], seen: Evidence | None
) -> list[Section]:
    """Those sections for which the run has something to show.

    Args:
        summary: of the run, by dotted keys.
        epochs: the same of each epoch.
        seen: what the network did on a test batch, if that is known.
    """
    with theme():
        return [section for section in _sections(summary, epochs, seen) if section.pictures]


def _sections(
    summary: Mapping[str, Any], epochs: Sequence[dict[str, Any]], seen: Evidence | None
) -> Iterator[Section]:
    if epochs:
        names = [layer.name for layer in seen.layers] if seen else []
        pictures = figures.curves(epochs, summary.get("best_epoch"), names)
        yield Section("curves", "Training", "", pictures)
    matrix = np.array(summary.get("confusion") or [])
    if matrix.ndim == 2 and matrix.sum():
        labels = [label(seen, index) for index in range(len(matrix))]
        picture = figures.confusion(matrix, labels)
        text = "The test samples, by class. " + picture.title
        yield Section("confusion", "Confusion", text, [picture._replace(title="")])
    if seen is None:
        return
    drawn = [example(seen, one, f"example-{index}") for index, one in enumerate(seen.examples)]
    yield Section("examples", "Examples", _EXAMPLES[seen.target], drawn)
    more = len(seen.layers) > figures.LAYERS
    text = _NEURONS + (f" The first {figures.LAYERS} of {len(seen.layers)} layers." if more else "")
    yield Section("neurons", "Neurons", text, list(_neurons(seen)))


def _neurons(seen: Evidence) -> Iterator[Picture]:
    for index, layer in enumerate(seen.layers[: figures.LAYERS]):
        colour = SERIES[index % len(SERIES)]
        yield figures.rates(layer, colour, f"rates-{index}")
        yield figures.surrogate(layer, colour, f"surrogate-{index}")
        yield from _constants(seen, [layer.name], colour)
    spiking = [layer.name for layer in seen.layers]
    others = {one.layer for one in seen.constants if one.layer not in spiking}
    yield from _constants(seen, sorted(others), "accent")


def _constants(seen: Evidence, layers: Sequence[str], colour: str) -> Iterator[Picture]:
    for index, one in enumerate(seen.constants):
        if one.layer in layers:
            yield figures.constants(one, colour, f"constants-{index}")
