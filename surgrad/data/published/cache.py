"""Spikes that took long to make, kept on disk under what they were made from."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from surgrad.data.readers.files import load_arrays
from surgrad.errors import SurgradError
from surgrad.events import SpikeTrain
from surgrad.files import atomic_write

ARRAYS = {"indptr": "i", "indices": "i", "lengths": "i", "shape": "i"}


def cache_folder() -> Path:
    """Where encoded spikes are kept; it can be removed at any time."""
    return Path.home() / ".cache" / "surgrad" / "encoded"


def cached(name: str, key: Mapping[str, object], make: Callable[[], SpikeTrain]) -> SpikeTrain:
    """The spikes that `make` returns, from the disk if they were made before.

    Args:
        name: begins the file's name.
        key: all that the spikes depend on, as JSON can write it: the checksum of the recordings,
            the options, the checksum of the code (`code_of`).
        make: makes them.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = cache_folder() / f"{name}-{digest[:24]}.npz"
    if path.is_file():
        try:
            return _load(path)
        except SurgradError:
            path.unlink(missing_ok=True)
    train = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, _dump(train))
    except OSError as error:
        warnings.warn(f"the encoded spikes could not be kept in {path}: {error}", stacklevel=2)
    return train


def code_of(*functions: Callable[..., object]) -> str:
    """The checksum of the modules of functions, so that spikes of older code are not used."""
    state = hashlib.sha256()
    for function in functions:
        state.update(Path(str(sys.modules[function.__module__].__file__)).read_bytes())
    return state.hexdigest()


def _dump(train: SpikeTrain) -> bytes:
    file = io.BytesIO()
    np.savez(
        file,
        indptr=train.indptr.numpy(),
        indices=train.indices.numpy(),
        lengths=train.valid.numpy(),
        shape=np.array(train.shape),
    )
    return file.getvalue()


def _load(path: Path) -> SpikeTrain:
    arrays = load_arrays(path, ARRAYS)
    indptr, indices, lengths = (
        torch.from_numpy(arrays[name]) for name in ("indptr", "indices", "lengths")
    )
    time, batch, *features = arrays["shape"].tolist()
    return SpikeTrain(
        indptr,
        indices,
        time=time,
        batch=batch,
        features=features,
        lengths=None if bool((lengths == time).all()) else lengths,
    )
