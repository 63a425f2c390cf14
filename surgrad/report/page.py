"""One HTML page that shows a run and needs nothing else."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgrad.errors import FormatError
from surgrad.extras import need
from surgrad.files import atomic_write
from surgrad.report.contents import Evidence

if TYPE_CHECKING:
    from surgrad.report.sections import Section

Table = Mapping[str, Any]


def write_report(run_dir: Path) -> Path:
    """Draw `report.html` from the files of a run.

    What a run does not have is left out: an interrupted one has no test accuracy, a regression
    no confusion matrix. The same files give the same page, byte for byte.

    Args:
        run_dir: holds `config.toml`, and `metrics.jsonl`, `summary.json` and `examples.npz` where
            the run has got so far.

    Returns:
        the path of the page, which is below 2 MB.

    Raises:
        FormatError: if the folder holds no run, or one of its files is damaged.
        MissingExtraError: if matplotlib or jinja2 is not installed.
    """
    need("matplotlib", extra="report")
    need("jinja2", extra="report")
    from surgrad.report.sections import draw

    run = Path(run_dir)
    if not (run / "config.toml").is_file():
        raise FormatError(str(run), got="no config.toml", expected="the folder of a run")
    config = _parsed(run / "config.toml", tomllib.loads)
    summary = flat(_parsed(run / "summary.json", json.loads))
    seen = Evidence.load(run / "examples.npz") if (run / "examples.npz").is_file() else None
    page = render(
        name=str(config.get("name", run.name)),
        status=str(summary.get("status", "unfinished")),
        outline=outline(config),
        tiles=list(_tiles(summary, config, seen)),
        sections=draw(summary, _epochs(run / "metrics.jsonl"), seen),
        command=f"surgrad train {shlex.quote(run.name + '/config.toml')}",
        config=(run / "config.toml").read_text(encoding="utf-8"),
        tables={
            "Seeds": {key: value for key, value in flat(config).items() if key.endswith("seed")},
            "Versions": seen.versions if seen else {"surgrad": summary.get("version", "unknown")},
            "Numbers": {key: v for key, v in summary.items() if not isinstance(v, list)},
        },
    )
    atomic_write(run / "report.html", page)
    return run / "report.html"


def render(
    *,
    name: str,
    status: str,
    outline: str,
    tiles: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    command: str,
    config: str,
    tables: Mapping[str, Table],
) -> str:
    """A page as HTML.

    Args:
        name: its title.
        status: "finished", or what else.
        outline: a line below the title.
        tiles: a few numbers with their names.
        sections: headings, tables and pictures.
        command: what makes the same again.
        config: the experiment file.
        tables: of names and values, by title, at the end.

    Raises:
        MissingExtraError: if jinja2 is not installed.
    """
    jinja2 = need("jinja2", extra="report")
    here = files("surgrad.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((here / "page.html").read_text(encoding="utf-8")).render(
        name=name,
        status=status,
        outline=outline,
        tiles=tiles,
        sections=sections,
        command=command,
        config=config,
        tables=tables,
        style=(here / "page.css").read_text(encoding="utf-8"),
    )


def flat(tree: Table, prefix: str = "") -> dict[str, Any]:
    """Nested tables and lists of plain values as one level of dotted keys; other lists stay.

    Example:
        >>> flat({"test": {"accuracy": 0.9}, "rates": [5.0]})
        {'test.accuracy': 0.9, 'rates.0': 5.0}
    """
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
            value = {str(index): item for index, item in enumerate(value)}
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def outline(config: Table) -> str:
    """The network in one line, from an experiment file.

    Example:
        >>> layers = [{"size": 128, "neuron": "lif", "recurrent": True}]
        >>> outline({"data": {"kind": "digits"}, "network": {"layers": layers}})
        'digits → 128 lif recurrent'
    """
    network = config.get("network", {})
    layers = [
        f"{layer.get('size', '')} {layer.get('neuron', '')}"
        + (" recurrent" if layer.get("recurrent") else "")
        for layer in network.get("layers", [])
    ]
    first = config.get("data", {}).get("kind", "")
    parts = [first, *layers, network.get("readout", {}).get("neuron", "")]
    return " → ".join(part.strip() for part in parts if part.strip())


def _parsed(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        return dict(parse(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError) as error:
        raise FormatError(str(path), got=str(error), expected="what the run wrote") from error


def _epochs(path: Path) -> list[dict[str, Any]]:
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(flat(json.loads(line)))
        except (ValueError, AttributeError):
            # a line that was being written when the run was killed
            continue
    return rows


def _tiles(summary: Table, config: Table, seen: Evidence | None) -> Iterator[tuple[str, str]]:
    for part in ("test", "validation"):
        if f"{part}.accuracy" in summary:
            yield f"{part} accuracy", f"{100 * summary[f'{part}.accuracy']:.2f}\u00a0%"
        elif f"{part}.loss" in summary:
            yield f"{part} loss", f"{summary[f'{part}.loss']:.4g}"
    for key in ("epochs", "best_epoch"):
        if key in summary:
            yield key.replace("_", " "), str(summary[key])
    if "seconds" in summary:
        seconds = summary["seconds"]
        yield (
            "time",
            f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=round(seconds))),
        )
    yield "seed", str(config.get("seed", summary.get("seed", 0)))
    yield "rule", str(config.get("rule", {}).get("kind", "bptt"))
    if seen is not None:
        yield "device", seen.versions.get("device", "unknown")
