"""`surgrad doctor`."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from surgrad import __version__

Row = tuple[str, str]

_REQUIREMENT = re.compile(r"""([\w.-]+).*extra\s*==\s*["'](\w+)["']""")


def doctor(*experiment: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Look at the installation and the data; with an experiment, at the health of its network.

    Args:
        experiment: a TOML file or the name of a shipped experiment, and overrides.
    """
    console = Console(highlight=False, markup=False)
    if experiment:
        from surgrad.cli.health import examine
        from surgrad.cli.overrides import experiment_of

        examine(console, experiment_of(experiment)[0])
        return 0
    from surgrad.data.spec import ROOT_VARIABLE, data_root

    for title, rows in (
        ("Installation", _installation()),
        ("Extras", _extras()),
        (f"Data in {data_root()} (set {ROOT_VARIABLE} to look elsewhere)", _data()),
    ):
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        for row in rows:
            table.add_row(*row)
        console.print(table, "")
    return 0


def _installation() -> Iterator[Row]:
    import torch

    yield "surgrad", __version__
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    for package in ("torch", "numpy", "numba"):
        yield package, _version(package)
    yield "processors", f"{os.cpu_count()}, of which torch uses {torch.get_num_threads()}"
    cuda = torch.cuda.is_available()
    yield "CUDA", torch.cuda.get_device_name() if cuda else "none; everything runs on the processor"


def _extras() -> Iterator[Row]:
    try:
        wanted = [_REQUIREMENT.match(line) for line in requires("surgrad") or []]
    except PackageNotFoundError:
        yield "surgrad", "runs from its source and is not installed: pip install ."
        return
    for found in wanted:
        if found and found[2] not in ("dev", "all"):
            yield found[1], f"{_version(found[1])} (surgrad[{found[2]}])"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _data() -> Iterator[Row]:
    from surgrad.data.catalogue import DATASETS
    from surgrad.data.checksums import forms
    from surgrad.data.spec import data_root

    for kind, spec in DATASETS.items():
        if not spec.ABOUT.files:
            yield kind, "needs no files"
            continue
        states = forms(kind, data_root())
        found = [form for form, state in states.items() if state not in ("missing", "damaged")]
        damaged = "damaged; " if "damaged" in states.values() else ""
        yield kind, "there" if found else f"{damaged}surgrad data get {kind}"
