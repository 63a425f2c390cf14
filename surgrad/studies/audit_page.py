"""The page of an audit: how good is a surrogate gradient?"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from surgrad import __version__
from surgrad.files import atomic_write
from surgrad.report.figures import Picture
from surgrad.report.page import outline, render
from surgrad.report.sections import Section
from surgrad.report.svg import theme
from surgrad.studies.audit import Audit
from surgrad.studies.gradients import Angle
from surgrad.studies.pictures import curves
from surgrad.training.schema import Experiment

_TABLE = (
    "The gradient of one batch under each rule: the cosine of its angle to back-propagation "
    "through time with the surrogate derivative, and its length in units of that one's."
)
_SOFT = (
    "Every spike is replaced by a smooth one, forward and backward; its gradient is the derivative "
    "of what that network computes, resets included; how far central differences along random "
    "directions disagree with it stands in the table below. "
    "As the soft spike sharpens, the smooth network becomes the spiking one, and its gradient "
    "vanishes almost everywhere and is huge elsewhere. The curves are the cosines of each rule's "
    "gradient, in the spiking network, to that derivative."
)
_EVENT = (
    "EventProp is the exact gradient of spike times; no spike appears or vanishes in its eyes. "
    "Where surrogate gradients differ from it, they count what a missing spike would have done."
)


def write_page(
    out: Path, experiment: Experiment, found: Audit, samples: int, tokens: Sequence[str]
) -> Path:
    """Write `report.html` into a folder.

    Args:
        out: the folder.
        experiment: that was audited.
        found: the angles.
        samples: in the batch.
        tokens: the command that makes the same.

    Returns:
        the path of the page.
    """
    with theme():
        sections = [part for part in _sections(found) if part.rows or part.pictures]
    page = render(
        name=f"{experiment.name}: gradients",
        status="finished",
        outline=outline(experiment.model_dump()),
        tiles=list(_tiles(found, samples)),
        sections=sections,
        command=shlex.join(tokens),
        config=experiment.to_toml(),
        tables={
            "Versions": {"surgrad": __version__},
            "Numbers": {"samples": samples, "seed": experiment.seed, "draws": found.draws},
        },
    )
    atomic_write(out / "report.html", page)
    return out / "report.html"


def _tiles(found: Audit, samples: int) -> Iterator[tuple[str, str]]:
    best = found.closest
    yield "BPTT to the soft network, at best", f"{best.angles['bptt']['network'].cosine:.3f}"
    yield "at the scale", f"{best.scale:g}"
    if "bptt" in found.eventprop:
        yield "BPTT to EventProp", f"{found.eventprop['bptt']['network'].cosine:.3f}"
    yield "samples", str(samples)


def _sections(found: Audit) -> Iterator[Section]:
    yield _angles("bptt", "Angle to BPTT", _TABLE, found.layers, found.bptt)
    yield Section("soft", "How good is a surrogate gradient?", _SOFT, list(_pictures(found)))
    head = ("scale of the soft spike", "length of its gradient", "disagreement with differences")
    rows = [[f"{s.scale:g}", f"{s.norm:.3g}", f"{s.error:.1e}"] for s in found.soft]
    text = "The largest over the directions, in units of a typical derivative along one of them."
    yield Section("differences", "Soft networks", text, (), head, rows)
    yield _angles("event", "Angle to EventProp", _EVENT, found.layers, found.eventprop)
    rows = [[kind, reason] for kind, reason in found.refused.items()]
    yield Section(
        "refused",
        "Not applicable",
        "What has no gradient here, and why.",
        (),
        ("rule", "why"),
        rows,
    )


def _angles(
    name: str, title: str, text: str, layers: Sequence[str], found: dict[str, dict[str, Angle]]
) -> Section:
    head = ("rule", *(f"{layer}: cosine, length" for layer in layers))
    rows = [[kind, *map(told, by.values())] for kind, by in found.items()]
    return Section(name, title, text, (), head, rows)


def told(angle: Angle) -> str:
    """An angle in a cell.

    Example:
        >>> told(Angle(0.98765, 1.25)), told(Angle(float("nan"), 0.0))
        ('0.988, 1.25', 'no gradient')
    """
    if not math.isfinite(angle.cosine):
        return "no gradient"
    return f"{angle.cosine:.3f}, {angle.ratio:.3g}"


def _pictures(found: Audit) -> Iterator[Picture]:
    order = list(found.bptt)
    scales = [one.scale for one in found.soft]
    for index, layer in enumerate(found.layers):
        lines = {
            kind: (scales, [one.angles[kind][layer].cosine for one in found.soft]) for kind in order
        }
        yield curves(
            f"soft-{index}",
            f"{layer}: cosine to the soft network's gradient",
            lines,
            x="scale of the soft spike",
            x_scale="log",
            level=0.0,
            order=order,
        )
    yield curves(
        "soft-norm",
        "Length of the soft network's gradient",
        {"soft": (scales, [one.norm for one in found.soft])},
        x="scale of the soft spike",
        x_scale="log",
        scale="log",
    )
