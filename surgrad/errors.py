"""Errors that name what was got, what was expected and the fix."""

from __future__ import annotations


class SurgradError(Exception):
    """The base of all errors raised for a user's mistake.

    Args:
        what: the thing that is wrong, with its name (`network.layers[1].size`, `times`).
        got: what was found there.
        expected: what would have been accepted.
        fix: what to do about it.

    Example:
        >>> print(ShapeError("spikes", got="shape (3,)", expected="(time, 3)", fix="add an axis"))
        spikes: got shape (3,), expected (time, 3). Fix: add an axis
    """

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.got, self.expected, self.fix = what, got, expected, fix
        super().__init__(what)

    def __str__(self) -> str:
        parts = []
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        text = self.what + (": " + ", ".join(parts) if parts else "")
        return f"{text}. Fix: {self.fix}" if self.fix else text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.got, self.expected, self.fix))


def _rebuild(
    kind: type[SurgradError], what: str, got: object, expected: object, fix: str | None
) -> SurgradError:
    return kind(what, got=got, expected=expected, fix=fix)


class ShapeError(SurgradError, ValueError):
    """A tensor has the wrong rank, size or axis order."""


class ArgumentError(SurgradError, ValueError):
    """An argument is outside what the method allows."""


class EventError(SurgradError, ValueError):
    """Spike events are malformed: negative or not finite times, units out of range."""


class FormatError(SurgradError, ValueError):
    """A data file is not what its format says: truncated, wrong magic, wrong checksum."""


class ConfigError(SurgradError, ValueError):
    """An experiment file or a command-line override is wrong."""


class RuleError(SurgradError, ValueError):
    """A learning rule is used where its mathematics does not hold."""


class MissingExtraError(SurgradError, ImportError):
    """An optional dependency is needed and not installed."""
