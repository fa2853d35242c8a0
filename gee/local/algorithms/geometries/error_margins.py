"""Error margins (section 16)."""

from __future__ import annotations

import math

from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.values import ErrorMargin

INFINITE = 2e7  # metres: half the Earth's circumference; from here on any approximation will do
SMALLEST = 0.001  # metres


@algorithm("ErrorMargin")
def error_margin(value: float | None, unit: str) -> ErrorMargin:
    """Tolerance; negative values count as positive, 20,000 km and more as infinite."""
    if unit == "infinite":
        return ErrorMargin(None, "infinite")
    if unit not in {"meters", "projected"}:
        raise EarthEngineError(f"Invalid unit: '{unit}'. One of 'meters', 'projected' or 'infinite' is needed.")
    if value is None:
        raise EarthEngineError(f"A margin in '{unit}' needs a value.")
    value = abs(value)
    if unit == "meters" and value >= INFINITE:
        return ErrorMargin(None, "infinite")
    if math.isnan(value) or (unit == "meters" and 0 < value < SMALLEST):
        raise EarthEngineError(
            f"Invalid ErrorMargin value: {_java(value)}. When units are 'meters', value must be either >= 0.001, or 0 to "
            "disallow any lossy reprojection."
        )
    return ErrorMargin(value, unit)


def _java(value: float) -> str:
    """As the service writes small numbers: 1.0E-4."""
    if math.isnan(value):
        return "NaN"
    mantissa, power = f"{value:e}".split("e")
    return f"{float(mantissa)!r}E{int(power)}"
