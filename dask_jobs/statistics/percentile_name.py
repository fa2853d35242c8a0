"""How percentiles are called."""

from __future__ import annotations


def percentile_name(percentile: float) -> str:
    """Name of a percentile, at least two digits before the point: p05, p50, p02.5, p100. They sort as the numbers do."""
    whole, _, fraction = f"{percentile:.8f}".partition(".")
    fraction = fraction.rstrip("0")
    return f"p{int(whole):02d}" + (f".{fraction}" if fraction else "")
