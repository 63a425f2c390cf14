"""`python -m surgrad` is `surgrad`."""

from __future__ import annotations

import sys

from surgrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
