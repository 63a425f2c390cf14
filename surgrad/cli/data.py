"""`surgrad data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from surgrad.errors import ArgumentError, ConfigError

if TYPE_CHECKING:
    from surgrad.data.base import Samples, Splits
    from surgrad.data.spec import DataSpec

app = App(name="data", help="List, fetch and show data sets.")

WORDS = {"whole": "there", "present": "there", "missing": "not there", "damaged": "damaged"}


@app.command
def ls(*, root: Path | None = None) -> int:
    """List the data sets, and whether their files are there.

    Args:
        root: the folder of the data; `$SURGRAD_DATA` or `~/.cache/surgrad` by default.
    """
    from surgrad.data.catalogue import DATASETS
    from surgrad.data.spec import data_root

    table = Table("name", "what it is", "licence", "files", box=None)
    for name, spec in DATASETS.items():
        about = spec.ABOUT
        table.add_row(name, about.summary, about.licence, _files(name, about.files, root))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"\nFiles are looked for in {data_root(root)}.", soft_wrap=True)
    return 0


@app.command
def get(name: str, /, *, form: str | None = None, root: Path | None = None) -> int:
    """Fetch the files of a data set, or check those that are there.

    A transfer that was cut goes on where it was.

    Args:
        name: as `surgrad data ls` lists it.
        form: which of several forms of the data, where there are more; `official` for instance.
        root: the folder of the data; `$SURGRAD_DATA` or `~/.cache/surgrad` by default.
    """
    from surgrad.data.checksums import forms
    from surgrad.data.download import download
    from surgrad.data.sources import SOURCES
    from surgrad.data.spec import data_root

    _spec(name)
    if name not in SOURCES:
        print(f"{name} needs no files")
        return 0
    place = data_root(root)
    states = forms(name, place, closely=True)
    there = [one for one, state in states.items() if WORDS[state] == "there"]
    if form in there or (form is None and there):
        print(f"{name} is there ({', '.join(there)}) in {place}, and whole as far as is known")
        others = [one for one, items in SOURCES[name].items() if items[0].urls and one not in there]
        if others and form is None:
            print(f"to fetch it in another form: surgrad data get {name} --form {others[0]}")
        return 0
    with _Bars() as bars:
        fetched = download(name, place, form=form, progress=bars.update)
    for path in fetched:
        print(f"fetched {path}")
    return 0


@app.command
def show(
    name: str,
    /,
    *options: Annotated[str, Parameter(allow_leading_hyphen=True)],
    index: int = 0,
    part: Literal["train", "validation", "test"] = "train",
    svg: Path | None = None,
) -> int:
    """Say what a data set holds, and draw one sample.

    Any key of the `[data]` table can be given: `surgrad data show nmnist --source small`.

    Args:
        name: as `surgrad data ls` lists it.
        options: pairs of `--key value`.
        index: which sample to draw.
        part: of which samples.
        svg: draw it into this file instead of the terminal.
    """
    from surgrad.cli.sample import describe, draw, save

    splits = _load(name, options)
    samples: Samples = getattr(splits, part)
    if not 0 <= index < len(samples):
        raise ArgumentError(
            "--index", got=index, expected=f"0 to {len(samples) - 1}, the samples of {part}"
        )
    console = Console(highlight=False, markup=False)
    describe(console, splits, _spec(name).ABOUT)
    title = f"{part} sample {index}"
    if svg is None:
        draw(console, samples, index, splits.info, title)
    else:
        save(svg, samples, index, splits.info, f"{name}, {title}")
        console.print(f"drawn into {svg}", soft_wrap=True)
    return 0


def _spec(name: str) -> type[DataSpec]:
    from surgrad.data.catalogue import DATASETS
    from surgrad.training.problems import did_you_mean

    if name not in DATASETS:
        raise ConfigError(
            "data set",
            got=name,
            expected="one of " + ", ".join(DATASETS),
            fix=did_you_mean(name, DATASETS, "`surgrad data ls` lists them"),
        )
    return DATASETS[name]


def _load(name: str, options: tuple[str, ...]) -> Splits:
    """The data set with the options of the command line."""
    from pydantic import ValidationError

    from surgrad.cli.overrides import split
    from surgrad.training import toml
    from surgrad.training.problems import config_error

    spec = _spec(name)
    stray, pairs = split(options)
    if stray:
        raise ConfigError("command line", got=" ".join(stray), expected="pairs of --key value")
    table: dict[str, object] = {}
    for key, value in pairs:
        toml.override(table, key, toml.value_of(value))
    try:
        return spec.model_validate({"kind": name, **table}).load()
    except ValidationError as error:
        raise config_error(f"data set {name}", error, spec, table) from None


def _files(name: str, needed: bool, root: Path | None) -> str:
    from surgrad.data.checksums import forms
    from surgrad.data.spec import data_root

    states = forms(name, data_root(root))
    found = {form: WORDS[state] for form, state in states.items() if state != "missing"}
    if not found:
        return "not there" if needed else "none needed"
    return ", ".join(
        word if len(states) == 1 else f"{word} ({form})" for form, word in found.items()
    )


class _Bars:
    """One progress bar a file."""

    def __init__(self) -> None:
        from rich import progress

        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, progress.TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, name: str, done: int, total: int | None) -> None:
        """Move a file's bar."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name)
        self._progress.update(self._tasks[name], completed=done, total=total)
