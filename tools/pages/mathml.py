r"""A Markdown extension: `$...$` and `$$...$$` become MathML while the page is built.

Browsers draw MathML themselves, so that the pages need no script and no network.
"""

from __future__ import annotations

import re

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

BLOCK = re.compile(r"^(?P<indent>[ ]*)\$\$\n(?P<tex>.+?)\n[ ]*\$\$[ ]*$", re.M | re.S)
INLINE = re.compile(
    r"(?P<code>`+)(?:.+?)(?P=code)|(?<![\\$\w])\$(?P<tex>[^\s$](?:[^$\n]*[^\s$])?)\$(?![\w$])"
)


class _Formulas(Preprocessor):
    """Runs behind the fenced code blocks, which are stashed away by then."""

    def run(self, lines: list[str]) -> list[str]:
        text = BLOCK.sub(self._block, "\n".join(lines))
        return INLINE.sub(self._inline, text).split("\n")

    def _block(self, match: re.Match[str]) -> str:
        tex = " ".join(match["tex"].split())
        held = self.md.htmlStash.store(f"<p>{convert(tex, display='block')}</p>")
        return f"\n{match['indent']}{held}\n"

    def _inline(self, match: re.Match[str]) -> str:
        if match["tex"] is None:
            return match[0]
        return self.md.htmlStash.store(convert(match["tex"]))


class MathML(Extension):
    """`markdown_extensions: [mathml]`."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.preprocessors.register(_Formulas(md), "mathml", 24)


def makeExtension(**options: object) -> MathML:
    """What Markdown looks for."""
    return MathML(**options)
