"""`surgrad validate`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def validate(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *overrides: Annotated[str, Parameter(allow_leading_hyphen=True)],
) -> int:
    """Say all that is wrong with an experiment file; exit code 0 if nothing is.

    Args:
        file: a TOML file, or the name of an experiment that comes with surgrad.
        overrides: pairs of `--key.path value`.
    """
    from surgrad.cli.overrides import experiment_of

    experiment, _ = experiment_of([file, *overrides])
    layers = [layer.neuron for layer in (*experiment.network.layers, experiment.network.readout)]
    print(
        f"{file} is valid: {experiment.name}, {experiment.data.kind}, {' → '.join(layers)}, "
        f"{experiment.loss.kind}, {experiment.rule.kind}, {experiment.training.epochs} epochs"
    )
    return 0
