"""What every data set's options have in common: the `[data]` table of an experiment file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from pydantic import BaseModel, Field

from surgrad.errors import FormatError

if TYPE_CHECKING:
    from surgrad.data.base import Info, Samples, Splits, Target

Count: TypeAlias = Annotated[int, Field(ge=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0)]

ROOT_VARIABLE = "SURGRAD_DATA"


@dataclass(frozen=True)
class About:
    """One line of the catalogue.

    Attributes:
        summary: what the data are.
        source: who made them, with the reference.
        licence: under what they may be used.
        size: samples and their shape.
        files: whether files must be there; what is generated or embedded needs none.
    """

    summary: str
    source: str
    licence: str
    size: str
    files: bool


class DataSpec(BaseModel, ABC, frozen=True, extra="forbid", allow_inf_nan=False):
    """The options of a data set; `load()` turns them into samples.

    Args:
        split_seed: seeds what is drawn: splits, generated samples and random codes.
        limit: keep only the first so many training samples.
        root: the folder that holds the data sets' folders; else `$SURGRAD_DATA`, else
            `~/.cache/surgrad`.
    """

    ABOUT: ClassVar[About]

    kind: str
    split_seed: int = Field(default=0, ge=0)
    limit: Count | None = None
    root: Path | None = None

    @abstractmethod
    def load(self) -> Splits:
        """Read or generate the samples."""

    def info(
        self,
        *,
        features: tuple[int, ...],
        time: int,
        dt: float,
        classes: int | None = None,
        labels: tuple[str, ...] = (),
        target: Target = "class",
        outputs: int = 0,
        note: str = "",
    ) -> Info:
        """What the samples are, see `Info`; its name, source and licence are the catalogue's."""
        from surgrad.data.base import Info

        about = self.ABOUT
        return Info(
            self.kind, features, time, dt, classes, labels, target, about.source, about.licence,
            outputs, note,
        )  # fmt: skip

    def splits(self, parts: Sequence[Samples], info: Info) -> Splits:
        """Train, validation and test, with `limit` applied to the first."""
        from surgrad.data.base import Splits

        train, validation, test = parts
        if self.limit is not None and self.limit < len(train):
            train = train.subset(range(self.limit))
        return Splits(train, validation, test, info)


def data_root(root: Path | None = None) -> Path:
    """The folder under which data sets are looked for.

    Args:
        root: where the user says; else `$SURGRAD_DATA`, else `~/.cache/surgrad`.

    Example:
        >>> data_root(Path("/data")).as_posix()
        '/data'
    """
    if root is not None:
        return root.expanduser()
    named = os.environ.get(ROOT_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "surgrad"


def find_file(kind: str, name: str, root: Path | None = None) -> Path:
    """The path of a data set's file, `<root>/<name>`.

    Args:
        kind: the data set, for the message.
        name: the file with its folder, as in `"yin_yang/train_samples.npy"`.
        root: as in `data_root`.

    Raises:
        FormatError: if it is not there; says where it was looked for and how to get it.
    """
    path = data_root(root) / name
    if not path.is_file():
        raise FormatError(
            f"data set {kind}",
            got=f"no file {path}",
            expected=f"{name} under the data root",
            fix=f"run `surgrad data get {kind}`, or set {ROOT_VARIABLE} or data.root to the folder "
            f"that holds {Path(name).parts[0]}/",
        )
    return path
