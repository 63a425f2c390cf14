"""Run experiments with several seeds, skip what is there, and print mean ± standard deviation.

    python tools/results.py experiments/digits.toml experiments/yin_yang.toml --seeds 5
    python tools/results.py experiments/fsdd_speaker.toml --vary data.held_out_speaker theo lucas

Runs lie in runs/results/, one folder each; one that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = Path("runs/results")


def main() -> None:
    parser = argparse.ArgumentParser(description="Run experiments with several seeds.")
    parser.add_argument("experiments", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--vary", nargs="+", default=[], metavar=("KEY", "VALUE"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    key, *values = options.vary or [""]
    variants = [{key: value} for value in values] if key else [{}]
    for seed in range(options.seeds):
        for experiment in options.experiments:
            for changes in variants:
                run(experiment, seed, changes, options.threads)
    print("| experiment | runs | test | validation | epochs | seconds a run |")
    print("|---|---|---|---|---|---|")
    for experiment in options.experiments:
        for changes in variants:
            print(row(experiment, changes, options.seeds))


def folder(experiment: Path, seed: int, changes: dict[str, str]) -> Path:
    return RUNS / "-".join((experiment.stem, *changes.values(), str(seed)))


def run(experiment: Path, seed: int, changes: dict[str, str], threads: int) -> None:
    out = folder(experiment, seed, changes)
    if (out / "summary.json").exists():
        return
    fixed = {"seed": str(seed), "training.threads": str(threads)}
    words = [word for key, value in (fixed | changes).items() for word in (f"--{key}", value)]
    command = ["train", str(experiment), "--out", str(out), "--resume", *words]
    subprocess.run([sys.executable, "-m", "surgrad", *command], check=True)


def row(experiment: Path, changes: dict[str, str], seeds: int) -> str:
    paths = [folder(experiment, seed, changes) / "summary.json" for seed in range(seeds)]
    found = [json.loads(path.read_text()) for path in paths]
    test, validation = (scores([s[part] for s in found]) for part in ("test", "validation"))
    seconds = statistics.median(s["seconds"] for s in found)
    name = " ".join((experiment.stem, *changes.values()))
    return (
        f"| {name} | {len(found)} | {test} | {validation} | {found[0]['epochs']} | {seconds:.0f} |"
    )


def scores(parts: list[dict[str, float]]) -> str:
    """The accuracy, or the loss of an experiment without classes."""
    if "accuracy" in parts[0]:
        return spread([part["accuracy"] for part in parts])
    losses = [part["loss"] for part in parts]
    return f"loss {statistics.mean(losses):.3g}, {max(losses):.3g} at most"


def spread(values: list[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.2f} ± {100 * deviation:.2f} %"


if __name__ == "__main__":
    main()
