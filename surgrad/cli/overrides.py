"""`FILE --key.path value …`: an experiment and what replaces parts of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from surgrad.errors import ConfigError
from surgrad.training.problems import did_you_mean
from surgrad.training.schema import Experiment, load

Override = tuple[str, str]


def experiment_of(tokens: Sequence[str], flags: Iterable[str] = ()) -> tuple[Experiment, list[str]]:
    """The experiment that a command line names.

    Args:
        tokens: a file or name and overrides, in any order.
        flags: the command's own options, for suggestions.

    Returns:
        the experiment, and the tokens that name it, for a message that repeats them.

    Raises:
        ConfigError: if there is not exactly one file, or an override is incomplete or wrong.
    """
    files, overrides = split(tokens)
    if len(files) != 1:
        raise ConfigError(
            "command line",
            got=" and ".join(map(repr, files)) if files else "no experiment",
            expected="one FILE, and pairs of --key.path value",
            fix="`surgrad experiments ls` lists what is shipped",
        )
    for path, _ in overrides:
        meant = did_you_mean(path, flags)
        if meant and path.split(".")[0] not in Experiment.model_fields:
            raise ConfigError(f"--{path}", got="an unknown option", fix=meant)
    return load(files[0], overrides), [files[0], *(f"--{path}={v}" for path, v in overrides)]


def split(tokens: Sequence[str]) -> tuple[list[str], list[Override]]:
    """Files, and pairs of path and value.

    Example:
        >>> split(["digits", "--training.epochs", "3", "--seed=1"])
        (['digits'], [('training.epochs', '3'), ('seed', '1')])
    """
    files: list[str] = []
    overrides: list[Override] = []
    rest = iter(tokens)
    for token in rest:
        if not token.startswith("--"):
            files.append(token)
            continue
        path, equals, value = token[2:].partition("=")
        overrides.append((path.replace("-", "_"), value if equals else _next(rest, path)))
    return files, overrides


def _next(rest: Iterator[str], path: str) -> str:
    value = next(rest, None)
    if value is None or value.startswith("--"):
        raise ConfigError(
            f"--{path}",
            got="nothing behind it" if value is None else value,
            expected="a value",
            fix=f"write --{path} VALUE; switches need true or false",
        )
    return value
