"""Errors tell what, got, expected and the fix."""

from __future__ import annotations

import copy
import pickle

import pytest

from surgrad import errors
from surgrad.errors import ArgumentError, ShapeError, SurgradError

KINDS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, SurgradError) and value is not SurgradError
]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "spikes"),
        ({"got": 3}, "spikes: got 3"),
        ({"expected": "one"}, "spikes: expected one"),
        ({"got": 0, "expected": 1}, "spikes: got 0, expected 1"),
        ({"fix": "add one"}, "spikes. Fix: add one"),
        ({"got": "", "expected": 1, "fix": "add one"}, "spikes: got , expected 1. Fix: add one"),
    ],
)
def test_the_text_holds_what_is_known(parts: dict, text: str) -> None:
    assert str(SurgradError("spikes", **parts)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_a_process_boundary(kind: type[SurgradError]) -> None:
    error = kind("spikes", got=3, expected=(1, 2), fix="add one")
    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(again) is kind
        assert str(again) == str(error)
        assert (again.got, again.expected) == (3, (1, 2))


def test_errors_are_caught_as_what_python_users_expect() -> None:
    as_values = {kind for kind in KINDS if issubclass(kind, ValueError)}
    assert set(KINDS) - as_values == {errors.MissingExtraError}
    assert issubclass(errors.MissingExtraError, ImportError)
    with pytest.raises(ValueError, match="spikes"):
        raise ShapeError("spikes")
    with pytest.raises(SurgradError):
        raise ArgumentError("tau")
