"""What the tests of readers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from surgrad.errors import SurgradError

Refuses = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def refuses() -> Refuses:
    """A block that must end in an error of a kind, which names a file and every given word."""

    @contextmanager
    def check(kind: type[SurgradError], path: Path, *words: str) -> Iterator[None]:
        with pytest.raises(kind) as caught:
            yield
        message = str(caught.value)
        assert type(caught.value) is kind
        assert str(path) in message
        for word in words:
            assert word in message
        assert message.count("\n") < 20

    return check
