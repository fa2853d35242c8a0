"""Numbers as texts."""

from __future__ import annotations

import math


def text_of(value: float) -> str:
    """Shortest text that is the number again; whole numbers without a point (not documented: section 15)."""
    if isinstance(value, bool):
        return str(value).lower()
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
