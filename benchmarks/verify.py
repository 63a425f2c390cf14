"""No time is reported for gradients that are wrong, and none is ranked of a silent network."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workloads import Array

# a spike whose membrane lies within rounding of the threshold may fall on either side, and takes
# what follows from it along; so a deep network may be this many times further from the definition
# in float64 than the definition itself is in float32
TOLERANCE, ROUNDINGS = 1e-2, 2.0
# spikes per neuron and step
SILENT = 1e-4


def norms(gradients: dict[str, Array]) -> dict[str, float]:
    """The Euclidean norm of each gradient."""
    return {name: float(np.linalg.norm(g.ravel())) for name, g in gradients.items()}


def errors(found: dict[str, Array], expected: dict[str, Array]) -> dict[str, float]:
    """The norm of each difference, relative to that of what is expected."""
    return {
        name: float(np.linalg.norm((found[name] - right).ravel()))
        / max(float(np.linalg.norm(right.ravel())), 1e-30)
        for name, right in expected.items()
    }


def complaints(report: dict[str, Any]) -> list[str]:
    """What is wrong with the gradients of a contender; nothing where they are right.

    Args:
        report: the answer of a worker to `verify`.
    """
    found = []
    for name, norm in report["gradients"].items():
        if not np.isfinite(norm):
            found.append(f"the gradient of {name} is not finite")
        elif norm == 0.0:
            found.append(f"the gradient of {name} is zero")
    for name, error in report.get("errors", {}).items():
        if not error <= max(TOLERANCE, ROUNDINGS * report["rounding"][name]):
            found.append(f"the gradient of {name} is off by {error:.2g} of its norm")
    return found


def silent(rates: list[float]) -> bool:
    """Whether a layer hardly spikes."""
    return any(rate < SILENT for rate in rates)
