"""The fenced code blocks of a Markdown page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w+-]*)[^\n]*\n(?P<text>.*?)^\1```\s*$", re.M | re.S
)


class Block(NamedTuple):
    """One block: its language as written behind the fence, its text, its first line's number."""

    language: str
    text: str
    line: int


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """All fenced blocks of a page, or those in one language."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        indent = len(match["indent"])
        body = "".join(line[indent:] for line in match["text"].splitlines(keepends=True))
        found.append(Block(match["language"], body, text.count("\n", 0, match.start()) + 2))
    return [block for block in found if language is None or block.language == language]


def commands(page: Path) -> list[str]:
    """The shell commands of a page, one a line, continued lines joined, comments dropped."""
    joined = [block.text.replace("\\\n", " ") for block in blocks(page, "sh")]
    lines = [line.split(" #")[0].strip() for text in joined for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
