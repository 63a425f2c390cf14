"""Matplotlib figures as SVG that belongs to the page: its fonts, its colours, unique ids."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# stand-ins that no figure uses otherwise; the page's style sheet says what they look like
SERIES = ("c1", "c2", "c3", "c4", "c5", "c6")
VARIABLES = ("ink", "muted", "line", "card", "accent", "good", "bad", *SERIES)
COLOUR = {name: f"#0100{index:02x}" for index, name in enumerate(VARIABLES, start=1)}
# for pixels, which know no style sheet: readable on light and on dark
PIXEL = {"ink": "#858b95", "c1": "#5990d6", "c2": "#d3913f", "c3": "#3fa394"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "surgrad",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.titlecolor": COLOUR["muted"],
    "axes.labelcolor": COLOUR["muted"],
    "text.color": COLOUR["ink"],
    "xtick.color": COLOUR["line"],
    "ytick.color": COLOUR["line"],
    "xtick.labelcolor": COLOUR["muted"],
    "ytick.labelcolor": COLOUR["muted"],
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "axes.edgecolor": COLOUR["line"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": COLOUR["line"],
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
}


@contextmanager
def theme() -> Iterator[None]:
    """Draw in the page's style, and in no other, whatever the user's own settings are."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        # the browser has fonts for what the one that measures text here lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def panels(heights: list[float], width: float = 3.5) -> tuple[Figure, list[Axes]]:
    """A figure of one column of axes of the given heights, in inches, with a common x axis."""
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, hspace=0.03)  # type: ignore[union-attr]
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    return figure, list(grid[:, 0])


def inline(figure: Figure, name: str, description: str) -> str:
    """The figure as an `<svg>` element to put into a page.

    Args:
        figure: drawn within `theme()`.
        name: unique in the page; begins all its ids.
        description: what a reader who does not see it hears.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, dpi=144, metadata=nothing)
    svg = buffer.getvalue()
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # numbered, as the hashes that matplotlib makes hang on the last digits of its layout
    used = dict.fromkeys(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    names = {old: f"{name}-{index}" for index, old in enumerate(used)}
    svg = re.sub(r"<[^>]+>", lambda tag: _tag(tag[0], names), svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    label = re.sub(r'[<>&"]', " ", description)
    head = f'<svg {box[0] if box else ""} role="img" aria-label="{label}">'
    return re.sub(r">\s+<", "><", head + svg[svg.index(">") + 1 :]).strip()


def _tag(tag: str, names: dict[str, str]) -> str:
    # text is escaped, so that whatever is between < and > is matplotlib's own
    if tag.startswith(("<!--", "<?")):
        return ""
    tag = re.sub(r' id="([^"]+)"', lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", tag)
    tag = re.sub(r'(href="|url\()#([^")]+)', lambda m: f"{m[1]}#{names[m[2]]}", tag)
    tag = tag.replace("xlink:href", "href")
    tag = re.sub(r" d=\"[^\"]*", lambda m: re.sub(r"\s*([MLCQz])\s*", r"\1", m[0]), tag)
    tag = re.sub(r"#0100([0-9a-f]{2})\b", _variable, tag)
    return re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), tag)


def _variable(match: re.Match[str]) -> str:
    index = int(match[1], 16)
    return f"var(--{VARIABLES[index - 1]})" if 0 < index <= len(VARIABLES) else match[0]
