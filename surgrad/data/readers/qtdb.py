"""The QT database of electrocardiograms, coded as level crossings, with a label for every step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from surgrad.data.readers.files import AGAIN
from surgrad.errors import EventError, FormatError
from surgrad.events import SpikeTrain
from surgrad.extras import need


def read_qtdb(path: Path, *, signed: bool = False) -> tuple[SpikeTrain, Tensor]:
    """Spikes and step labels from `QTDB_train.mat` or `QTDB_test.mat`.

    The four channels of `x` are two leads, each with a train of upward and one of downward
    crossings, so 1 is a spike. The published files have one entry of -1 a recording, in channel 0
    of the last step, which marks the end and is no crossing.

    Args:
        path: a MATLAB file with `x`, `(samples, time, 4)` in {-1, 0, 1}, and `y`,
            `(samples, time, classes)`, one-hot or all zero where a step has no label.
        signed: give -1 a unit of its own in each channel, `channel + 4`; left out otherwise.

    Returns:
        Spikes `(time, samples, 4)` or `(time, samples, 8)`, and classes `(samples, time)`, int64,
        -1 where there is no label.

    Raises:
        FormatError: if the file is missing or no MATLAB file, or an array has another form.
        EventError: if an entry of `x` is not -1, 0 or 1.

    References:
        B. Yin, F. Corradi, S. M. Bohté, Nature Machine Intelligence 3 (2021), who feed the signed
        values to four inputs; P. Laguna et al., Computers in Cardiology 24 (1997).
    """
    x, y = _load(path)
    values = np.unique(x)
    if not np.isin(values, (-1, 0, 1)).all():
        strange = values[~np.isin(values, (-1, 0, 1))][0]
        raise EventError(f"x of {path}", got=strange, expected="entries of -1, 0 and 1", fix=AGAIN)
    if not np.isin(np.unique(y), (0, 1)).all() or y.sum(-1).max() > 1:
        raise FormatError(
            f"y of {path}", got="a step with more than one label", expected="one-hot", fix=AGAIN
        )
    labels = np.where(y.any(-1), y.argmax(-1), -1)
    samples, steps, channels = np.nonzero(x if signed else x > 0)
    down = x[samples, steps, channels] < 0
    train = SpikeTrain.from_events(
        steps,
        channels + x.shape[2] * down,
        samples,
        time=x.shape[1],
        batch=len(x),
        features=(x.shape[2] * (1 + signed),),
    )
    return train, torch.from_numpy(labels)


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not path.is_file():
        raise FormatError(f"file {path}", got="no such file")
    try:
        arrays = need("scipy.io", extra="data").loadmat(path)
    except ImportError:
        raise
    # the parser raises whatever a damaged byte leads it to
    except Exception as error:
        raise FormatError(
            f"file {path}", got=str(error), expected="a MATLAB 5 file", fix=AGAIN
        ) from error
    found = [arrays.get(name) for name in "xy"]
    for name, array in zip("xy", found, strict=True):
        if not isinstance(array, np.ndarray) or array.ndim != 3 or not array.size:
            shape = getattr(array, "shape", "none")
            raise FormatError(
                f"{name} of {path}", got=shape, expected="an array (samples, time, ·)", fix=AGAIN
            )
    x, y = np.asarray(found[0]), np.asarray(found[1])
    if x.shape[:2] != y.shape[:2] or x.shape[2] != 4:
        raise FormatError(
            f"x and y of {path}",
            got=f"shapes {x.shape} and {y.shape}",
            expected="(samples, time, 4) and (samples, time, classes)",
        )
    return x, y
