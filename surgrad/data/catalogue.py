"""Every data set by its kind, and the type of the `[data]` table."""

from __future__ import annotations

from typing import Annotated, TypeAlias, get_args

from pydantic import Field

from surgrad.data.digits import Digits
from surgrad.data.mackey_glass import MackeyGlass
from surgrad.data.precise_spikes import PreciseSpikes
from surgrad.data.published import Published
from surgrad.data.randman import Randman
from surgrad.data.random_patterns import RandomPatterns
from surgrad.data.spec import DataSpec
from surgrad.data.store_recall import StoreRecall
from surgrad.data.temporal_xor import TemporalXOR
from surgrad.data.yin_yang import YinYang

AnyData: TypeAlias = Annotated[
    Digits
    | YinYang
    | Randman
    | TemporalXOR
    | RandomPatterns
    | PreciseSpikes
    | StoreRecall
    | MackeyGlass
    | Published,
    Field(discriminator="kind"),
]

DATASETS: dict[str, type[DataSpec]] = {
    spec.model_fields["kind"].default: spec for spec in get_args(get_args(AnyData)[0])
}
