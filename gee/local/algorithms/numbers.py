"""Numbers."""

from __future__ import annotations

from gee.local.table import algorithm


@algorithm("Number.add")
def add(left: float, right: float) -> float:
    """Sum."""
    return left + right
