"""Draw an example of a run as a picture for the README, from what its report was drawn from.

Usage: python tools/picture.py runs/demo docs/images/digits-raster.svg [EXAMPLE]
"""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

from surgrad.files import atomic_write
from surgrad.report.contents import Evidence
from surgrad.report.rasters import example
from surgrad.report.svg import VARIABLES, theme

DAY = re.compile(r"--([\w-]+):\s*light-dark\(([^,]+),")


def picture(run: Path, index: int) -> str:
    """The SVG file: the report's colours by day, on the report's card."""
    evidence = Evidence.load(run / "examples.npz")
    with theme():
        svg = example(evidence, evidence.examples[index], "example").svg
    colours = dict(DAY.findall((files("surgrad.report") / "page.css").read_text(encoding="utf-8")))
    for name in VARIABLES:
        svg = svg.replace(f"var(--{name})", colours[name].strip())
    corner = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert corner is not None, "a figure has a viewBox"
    width, height = (float(side) for side in corner.groups())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * 1.5:g}" height="{height * 1.5:g}"'
    )
    card = '<rect width="100%" height="100%" fill="#ffffff"/>'
    svg = svg.replace("<svg", f'{head} font-family="sans-serif"', 1).replace(">", f">{card}", 1)
    return svg + "\n"


def main(arguments: list[str]) -> int:
    """Write the picture; 2 where an argument is missing."""
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    run, target, *chosen = arguments
    atomic_write(Path(target), picture(Path(run), int(chosen[0]) if chosen else 0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
