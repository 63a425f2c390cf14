"""`surgrad report`."""

from __future__ import annotations

from pathlib import Path


def report(run: Path, /) -> int:
    """Draw the report of a run anew, as one HTML page in its folder.

    Args:
        run: a run folder; its examples are made from the weights where they are missing.
    """
    from surgrad.report import examine, write_report
    from surgrad.training import checkpoint, folder
    from surgrad.training.build import build

    weights = run / checkpoint.WEIGHTS
    if weights.is_file() and not (run / "examples.npz").is_file():
        built = build(folder.read(run))
        checkpoint.load_weights(weights, built.net)
        examine(built, run)
    print(write_report(run))
    return 0
