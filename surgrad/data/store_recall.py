"""Store and recall: a value shown once is asked for much later, other values come in between."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import model_validator
from torch.nn.functional import one_hot

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import poisson
from surgrad.data.spec import About, Count, DataSpec, Positive
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain

GROUPS = ("zero", "one", "store", "recall")


class StoreRecall(DataSpec, frozen=True):
    """A stream of values 0 and 1; the one that comes with "store" is to be told at "recall".

    A sample is a row of phases of equal length. In each, one of two groups of units fires and shows
    a random value, but in the last one; in the first the group "store" fires as well, in the
    last the group "recall" fires alone. The class is that of the steps of the last phase, the
    others have none: what has to be held in between are spikes long past.

    Args:
        delay: from the end of the first phase to the beginning of the last, in seconds; a multiple
            of the phase.
        phase: the length of a phase in seconds; a multiple of the step.
        group: units in each of the four groups.
        rate: of the units of an active group, in hertz.
        train: training samples; a fifth of it are for validation and as many for the test.
        dt: the width of a step in seconds.

    Example:
        >>> splits = StoreRecall(train=10).load()
        >>> spikes, classes = splits.train[0]
        >>> spikes.shape, sorted(set(classes[:1100, 0].tolist())), classes[1100:].unique().numel()
        ((1200, 1, 40), [-1], 1)

    References:
        G. Bellec, D. Salaj, A. Subramoney, R. Legenstein, W. Maass, NeurIPS 2018, and G. Bellec et
        al., Nature Communications 11 (2020), who draw the commands at random within longer
        streams; here there is one of each.
    """

    ABOUT: ClassVar[About] = About(
        summary="a value shown once is asked for a second later",
        source="G. Bellec et al. (2018), arXiv 1803.09574, generated",
        licence="generated",
        size="1000 + 200 + 200 samples, 2 classes of steps, 40 units",
        files=False,
    )

    kind: Literal["store_recall"] = "store_recall"
    delay: Positive = 1.0
    phase: Positive = 0.1
    group: Count = 10
    rate: Positive = 50.0
    train: Count = 1000
    dt: Positive = 1e-3

    @model_validator(mode="after")
    def _fits(self) -> StoreRecall:
        for name, whole, part in (
            ("delay", self.delay, self.phase),
            ("phase", self.phase, self.dt),
        ):
            if round(whole / part) < 1 or abs(whole / part - round(whole / part)) > 1e-6:
                raise ArgumentError(
                    f"{name} of store_recall",
                    got=f"{whole:g} s",
                    expected=f"a multiple of {part:g} s",
                )
        if self.rate * self.dt > 1:
            raise ArgumentError(
                "rate of store_recall", got=self.rate, expected=f"at most {1 / self.dt:g} Hz"
            )
        return self

    @property
    def phases(self) -> int:
        """With the first and the last."""
        return round(self.delay / self.phase) + 2

    @property
    def steps(self) -> int:
        """Of a phase."""
        return round(self.phase / self.dt)

    def load(self) -> Splits:
        """Three parts with draws of their own; both values are stored equally often, about."""
        generator = torch.Generator().manual_seed(self.split_seed)
        fifth = max(1, self.train // 5)
        parts = [self._draw(count, generator) for count in (self.train, fifth, fifth)]
        info = self.info(
            features=(len(GROUPS) * self.group,),
            time=self.phases * self.steps,
            dt=self.dt,
            classes=2,
            labels=GROUPS[:2],
            target="step_class",
        )
        return self.splits(parts, info)

    def _draw(self, count: int, generator: torch.Generator) -> Samples:
        values = torch.randint(2, (count, self.phases), generator=generator)
        active = torch.zeros(count, self.phases, len(GROUPS))
        active[..., :2] = one_hot(values, 2)
        active[:, -1, :2] = 0
        active[:, 0, 2] = 1
        active[:, -1, 3] = 1
        rates = (self.rate * active).repeat_interleave(self.group, 2)
        # a phase has constant rates: as many samples first, then one behind the other
        short = poisson(rates.flatten(0, 1), time=self.steps, dt=self.dt, generator=generator)
        step, unit, piece = short.events()
        spikes = SpikeTrain.from_events(
            step + piece % self.phases * self.steps,
            unit,
            piece // self.phases,
            time=self.phases * self.steps,
            features=rates.shape[2:],
            batch=count,
        )
        classes = torch.full((count, self.phases * self.steps), -1)
        classes[:, -self.steps :] = values[:, :1]
        return Samples(spikes, classes)
