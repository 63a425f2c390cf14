"""Build the documentation into site/; any warning fails the build.

Usage: python tools/build_docs.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def build() -> tuple[int, str]:
    """The exit status, and all that the builder said."""
    path = os.pathsep.join([str(ROOT / "tools" / "pages"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = COLOUR.sub("", done.stdout)
    # what mkdocstrings and griffe only log does not stop a strict build
    warned = re.search(r"^.*\b(?:warning|error)\b.*$", said, re.I | re.M)
    return done.returncode or int(warned is not None), said


def main() -> int:
    """Say nothing but where the pages lie, unless something is wrong."""
    status, said = build()
    if status:
        print(said, file=sys.stderr)
        return status
    print(f"The documentation lies at {ROOT / 'site' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
