"""MNIST and Fashion-MNIST: pictures of 28 × 28 pixels as spikes."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from surgrad.data.base import Samples, Splits
from surgrad.data.encoders import constant, latency, log_latency, poisson
from surgrad.data.published.common import describe, find_any, validation
from surgrad.data.readers.idx import read_labelled_images
from surgrad.data.spec import About, Count, DataSpec, NotNegative, Positive
from surgrad.errors import ArgumentError
from surgrad.events import SpikeTrain

PIECE = 5000


class Images(DataSpec, frozen=True):
    """Pictures in idx files; their test files are the test set, validation is cut from training.

    Args:
        encoding: `latency`, one spike a pixel at `t_max (1 - x)` and none where it is black;
            `log_latency`, at `tau log(x / (x - theta))`; `poisson`, at the rate `max_rate x`; or
            `constant`, the pixel itself in every step, as a current.
        time: the number of steps.
        dt: the width of a step in seconds.
        t_max: when the darkest pixel that fires would fire, in seconds; after two thirds of the
            sample if left out.
        tau: the time constant of `log_latency` in seconds.
        theta: its threshold; darker pixels never fire.
        max_rate: the rate of a white pixel, in Hz.
        validation_fraction: of the training samples, the same of every class.
    """

    LABELS: ClassVar[tuple[str, ...]]

    encoding: Literal["latency", "log_latency", "poisson", "constant"] = "latency"
    time: Count = 100
    dt: Positive = 1e-3
    t_max: NotNegative | None = None
    tau: Positive = 20e-3
    theta: Positive = 0.2
    max_rate: Positive = 100.0
    validation_fraction: Positive = 0.1

    @model_validator(mode="after")
    def _within(self) -> Images:
        end = self.time * self.dt
        if self.t_max is not None and self.t_max > end - 0.999 * self.dt:
            raise ArgumentError("t_max", got=self.t_max, expected=f"before the end at {end:g} s")
        return self

    def load(self) -> Splits:
        """Training and validation samples from the training files, test samples from the rest."""
        pixels, labels = self._read("train")
        train, held = validation(labels, self.validation_fraction, self.split_seed)
        generator = torch.Generator().manual_seed(self.split_seed)
        # what `limit` leaves out need not be encoded
        wanted = train[: self.limit]
        spikes = self._encode(pixels[wanted.numpy()], generator)
        samples = Samples(spikes, labels[wanted])
        check = Samples(self._encode(pixels[held.numpy()], generator), labels[held])
        test = Samples(*self._whole("t10k", generator))
        info = describe(self, spikes=spikes, dt=self.dt, labels=self.LABELS)
        return self.splits((samples, check, test), info)

    def _whole(self, part: str, generator: torch.Generator) -> tuple[SpikeTrain | Tensor, Tensor]:
        pixels, labels = self._read(part)
        return self._encode(pixels, generator), labels

    def _read(self, part: str) -> tuple[np.ndarray, Tensor]:
        images, labels = (
            find_any(
                self, f"{self.kind}/{part}-{what}-ubyte.gz", f"{self.kind}/{part}-{what}-ubyte"
            )
            for what in ("images-idx3", "labels-idx1")
        )
        pixels, marks = read_labelled_images(images, labels, len(self.LABELS))
        return pixels, torch.from_numpy(marks)

    def _encode(self, pixels: np.ndarray, generator: torch.Generator) -> SpikeTrain | Tensor:
        if self.encoding == "constant":
            return constant(torch.from_numpy(pixels).float() / 255, time=self.time)
        pieces = []
        for start in range(0, len(pixels), PIECE):
            x = torch.from_numpy(pixels[start : start + PIECE]).float() / 255
            pieces.append(self._code(x, generator))
        return SpikeTrain.cat(pieces)

    def _code(self, x: Tensor, generator: torch.Generator) -> SpikeTrain:
        if self.encoding == "latency":
            t_max = 2 * self.time // 3 * self.dt if self.t_max is None else self.t_max
            return latency(x, time=self.time, dt=self.dt, t_max=t_max)
        if self.encoding == "log_latency":
            return log_latency(x, time=self.time, dt=self.dt, tau=self.tau, theta=self.theta)
        return poisson(self.max_rate * x, time=self.time, dt=self.dt, generator=generator)


class MNIST(Images, frozen=True):
    """Handwritten digits."""

    ABOUT: ClassVar[About] = About(
        summary="handwritten digits, 28 × 28 pixels as spike latencies or rates",
        source="Y. LeCun, C. Cortes, C. Burges (1998)",
        licence="CC BY-SA 3.0, as usually given",
        size="54000 + 6000 + 10000 samples, 10 classes, 784 units",
        files=True,
    )
    LABELS: ClassVar[tuple[str, ...]] = tuple("0123456789")

    kind: Literal["mnist"] = "mnist"


class FashionMNIST(Images, frozen=True):
    """Pieces of clothing, as hard to tell apart as digits are easy."""

    ABOUT: ClassVar[About] = About(
        summary="clothes, 28 × 28 pixels as spike latencies or rates",
        source="H. Xiao, K. Rasul, R. Vollgraf (2017), arXiv 1708.07747",
        licence="MIT",
        size="54000 + 6000 + 10000 samples, 10 classes, 784 units",
        files=True,
    )
    LABELS: ClassVar[tuple[str, ...]] = (
        "T-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "boot",
    )

    kind: Literal["fashion_mnist"] = "fashion_mnist"
