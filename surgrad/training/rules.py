"""All learning rules, wherever they live, by the names that experiment files use."""

from __future__ import annotations

from surgrad.learning import RULES as GRADIENTS
from surgrad.learning import Rule
from surgrad.plasticity import RULES as PLASTICITY
from surgrad.timing import RULES as TIMING

RULES: dict[str, type[Rule]] = {**GRADIENTS, **TIMING, **PLASTICITY}
