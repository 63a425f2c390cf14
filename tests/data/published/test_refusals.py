"""What every published data set refuses: files that are not there, options that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from surgrad.data.published.dvs_gesture import DVSGesture
from surgrad.data.published.fsdd import FSDD
from surgrad.data.published.heidelberg import SHD, SSC
from surgrad.data.published.images import MNIST, FashionMNIST
from surgrad.data.published.nmnist import NMNIST
from surgrad.data.published.qtdb import QTDB
from surgrad.data.spec import DataSpec
from surgrad.errors import ArgumentError, FormatError


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (MNIST, "mnist/train-images-idx3-ubyte.gz"),
        (FashionMNIST, "fashion_mnist/train-images-idx3-ubyte.gz"),
        (FSDD, "fsdd/fsdd.npz"),
        (QTDB, "qtdb_ecg/QTDB_train.mat"),
        (NMNIST, "nmnist/Train"),
        (DVSGesture, "dvs_gesture/trials_to_train.txt"),
        (SHD, "shd/shd_train.h5"),
        (SSC, "ssc/ssc_train.h5"),
    ],
)
def test_says_which_file_is_missing_and_how_to_get_it(
    tmp_path: Path, spec: type[DataSpec], name: str, refuses
) -> None:
    kind = spec.model_fields["kind"].default
    with refuses(FormatError, tmp_path / name, f"surgrad data get {kind}", "SURGRAD_DATA"):
        spec.model_validate({"root": tmp_path}).load()


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        (MNIST, {"t_max": 0.1}),
        (MNIST, {"encoding": "morse"}),
        (MNIST, {"dt": -1e-3}),
        (MNIST, {"dt": float("nan")}),
        (MNIST, {"steps": 3}),
        (NMNIST, {"source": "0to7", "dt": 0.5e-3}),
        (NMNIST, {"downsample": 0}),
        (SHD, {"pool": 3}),
        (SHD, {"validation_speakers": 0}),
        (FSDD, {"held_out_speaker": "alice"}),
        (FSDD, {"validation_speaker": "theo"}),
        (FSDD, {"validation_speaker": "theo", "held_out_speaker": "theo"}),
        (FSDD, {"ear": {"channels": 0}}),
        (QTDB, {"units": 5}),
    ],
)
def test_refuses_options_before_it_reads(spec: type[DataSpec], options: dict) -> None:
    with pytest.raises((ValidationError, ArgumentError)):
        spec.model_validate(options)
