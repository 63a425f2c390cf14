r"""What docstrings say for `help()`, turned into what the pages can show.

Mathematics, `.. math::` and `:math:`, becomes `$$...$$` and `$...$`. A section `Example:` becomes
`Examples:`, which the builder knows, so that its doctest is shown as code.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

DIRECTIVE = re.compile(
    r"^(?P<indent>[ ]*)\.\. math::(?P<first>[^\n]*)\n(?P<rest>(?:(?P=indent)[ ]+[^\n]*\n|[ ]*\n)*)",
    re.M,
)
ROLE = re.compile(r":math:`([^`]+)`")


def _formula(match: re.Match[str]) -> str:
    body = " ".join((match["first"] + " " + textwrap.dedent(match["rest"])).split())
    indent = match["indent"]
    return f"{indent}$$\n{indent}{body}\n{indent}$$\n\n"


EXAMPLE = re.compile(r"^(\s*)Example:$", re.M)


def to_dollars(text: str) -> str:
    r"""A docstring with its mathematics in dollars.

    Example:
        >>> to_dollars(":math:`x` and\n.. math:: y\n")
        '$x$ and\n$$\ny\n$$\n\n'
    """
    return ROLE.sub(r"$\1$", DIRECTIVE.sub(_formula, text + "\n")).rstrip("\n") + "\n"


class Mathematics(griffe.Extension):
    """Rewrites each docstring once it is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            obj.docstring.value = to_dollars(text).rstrip("\n")
