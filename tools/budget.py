"""The size budget of the package: short files, little repetition.

Usage: python tools/budget.py surgrad

A file has at most 400 physical lines. The median file has at most 100 lines of code, which are
the lines that hold a token other than a comment or a docstring. At most 10 % of the lines of code
lie in a window of six that occurs elsewhere in the package too (imports are left out of that).
Files without code, such as an empty `__init__.py`, do not count towards the median.
"""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LONGEST_FILE = 400
MEDIAN_CODE = 100
WINDOW = 6
DUPLICATION = 0.10

LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Source:
    """One file, measured."""

    path: Path
    lines: int
    code: tuple[str, ...]
    comparable: tuple[str, ...]


def _spans(tree: ast.AST) -> tuple[set[int], set[int]]:
    """The line numbers of docstrings (and other bare strings), and those of imports."""
    strings: set[int] = set()
    imports: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                strings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return strings, imports


def measure(path: Path) -> Source:
    """Count one file."""
    text = path.read_text(encoding="utf-8")
    physical = text.splitlines()
    strings, imports = _spans(ast.parse(text))
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            held.update(range(token.start[0], token.end[0] + 1))
    numbers = [n for n in sorted(held - strings) if physical[n - 1].strip()]
    code = tuple(physical[n - 1].strip() for n in numbers)
    comparable = tuple(physical[n - 1].strip() for n in numbers if n not in imports)
    return Source(path, len(physical), code, comparable)


def duplication(sources: list[Source]) -> float:
    """The share of comparable lines that lie in a window seen more than once."""
    windows = Counter(w for s in sources for w in _windows(s.comparable))
    repeated = total = 0
    for source in sources:
        inside: set[int] = set()
        for start, window in enumerate(_windows(source.comparable)):
            if windows[window] > 1:
                inside.update(range(start, start + WINDOW))
        repeated += len(inside)
        total += len(source.comparable)
    return repeated / total if total else 0.0


def _windows(lines: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [lines[i : i + WINDOW] for i in range(len(lines) - WINDOW + 1)]


def check(root: Path) -> tuple[list[str], str]:
    """What breaks the budget, and a table of where the package stands."""
    sources = [measure(path) for path in sorted(root.rglob("*.py"))]
    with_code = [s for s in sources if s.code]
    median = statistics.median([len(s.code) for s in with_code]) if with_code else 0
    repeated = duplication(sources)
    longest = max(sources, key=lambda s: s.lines, default=None)
    problems = [
        f"{s.path}: {s.lines} lines, at most {LONGEST_FILE}: split it by what it does"
        for s in sources
        if s.lines > LONGEST_FILE
    ]
    if median > MEDIAN_CODE:
        problems.append(f"the median file has {median:g} lines of code, at most {MEDIAN_CODE}")
    if repeated > DUPLICATION:
        problems.append(
            f"{repeated:.1%} of the code is repeated (windows of {WINDOW} lines), "
            f"at most {DUPLICATION:.0%}"
        )
    rows = [
        ("files with code", f"{len(with_code)}", ""),
        ("lines of code", f"{sum(len(s.code) for s in sources)}", ""),
        ("median file", f"{median:g}", f"{MEDIAN_CODE}"),
        ("longest file", f"{longest.lines if longest else 0}", f"{LONGEST_FILE}"),
        ("repeated", f"{repeated:.1%}", f"{DUPLICATION:.0%}"),
    ]
    table = "\n".join(
        f"{name:<16} {value:>8} {('of ' + limit) if limit else '':>8}"
        for name, value, limit in rows
    )
    return problems, table


def main(arguments: list[str]) -> int:
    """Print the table; 1 if the budget is broken, 2 if the folder is missing."""
    root = Path(arguments[0]) if arguments else Path("surgrad")
    if not root.is_dir():
        print(f"{root} is not a folder", file=sys.stderr)
        return 2
    problems, table = check(root)
    print(table)
    for problem in problems:
        print(f"budget: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
