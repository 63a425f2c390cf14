"""How the batteries speak."""

from __future__ import annotations


def hold(subject: str, holds: object, claim: str) -> None:
    """Raise the claim, of the subject, unless it holds."""
    if not holds:
        raise AssertionError(f"{subject}: {claim}")
