"""One file from which a run goes on as if it had never stopped."""

from __future__ import annotations

import io
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor, nn

from surgrad.errors import FormatError
from surgrad.files import atomic_write
from surgrad.training.build import Run

CHECKPOINT, WEIGHTS = "checkpoint.pt", "weights.safetensors"


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        history: the record of each epoch.
        best_epoch: the epoch whose weights are kept, 0 before the first.
        weights: the network's state after it.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The number of epochs done."""
        return len(self.history)


def save(path: Path, run: Run, progress: Progress) -> None:
    """Write everything that the next epoch depends on, at once or not at all."""
    buffer = io.BytesIO()
    parts = {name: part.state_dict() for name, part in _parts(run).items()}
    torch.save({**parts, "random": _random_state(run), "progress": asdict(progress)}, buffer)
    atomic_write(path, buffer.getvalue())


def restore(path: Path, run: Run) -> Progress:
    """Put a run, just built, into the state that was saved.

    Raises:
        FormatError: if the file is damaged or belongs to another network.
    """
    device = next(run.net.parameters()).device
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        for name, part in _parts(run).items():
            part.load_state_dict(saved[name])
        _set_random_state(run, saved["random"])
        return Progress(**saved["progress"])
    except Exception as error:  # torch's reader raises whatever it stumbles over
        raise _damaged(path, error, "train again into another folder") from None


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write weights as safetensors."""
    atomic_write(path, tensor_bytes({name: t.cpu().contiguous() for name, t in weights.items()}))


def load_weights(path: Path, net: nn.Module) -> None:
    """Read the weights that `save_weights` wrote into a network of the same kind.

    Raises:
        FormatError: if the file is missing, damaged or belongs to another network.
    """
    try:
        net.load_state_dict(parse_tensors(path.read_bytes()))
    except OSError as error:
        raise FormatError(
            str(path), got=error.strerror, expected="the weights of a run", fix="train it first"
        ) from None
    except Exception as error:  # safetensors has an exception of its own, without a public base
        raise _damaged(path, error, "train again, or take the weights of another run") from None


def _damaged(path: Path, error: Exception, fix: str) -> FormatError:
    reason = str(error).strip().partition("\n")[0][:120] or type(error).__name__
    return FormatError(str(path), got=reason, expected="what this run's network saved", fix=fix)


def _parts(run: Run) -> dict[str, Any]:
    return {
        "net": run.net,
        "optimiser": run.optimiser,
        "schedule": run.schedule,
        "rule": run.rule,
    }


def _random_state(run: Run) -> dict[str, Any]:
    numpy: Any = np.random.get_state(legacy=True)
    name, keys, position, has_gauss, gauss = numpy
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": (str(name), torch.from_numpy(keys.copy()), position, has_gauss, gauss),
        "order": run.order.get_state(),
    }


def _set_random_state(run: Run, state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([part.cpu() for part in state["cuda"]])
    random.setstate(state["python"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy(), position, has_gauss, gauss))
    run.order.set_state(state["order"].cpu())
