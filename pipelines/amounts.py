"""Amounts as people read them: bytes, durations, compute, counts. For terminals and pages alike."""

from __future__ import annotations


def size(count: float | None) -> str:
    """Bytes as people read them."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def number(count: float) -> str:
    """Large count as people read it."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= factor:
            return f"{count / factor:.1f}{unit}"
    return f"{count:.0f}"


def seconds(value: float | None) -> str:
    """Duration as people read it."""
    if value is None:
        return "-"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def eecu_hours(value: float) -> str:
    """Compute of Earth Engine as people read it: seconds where it is little."""
    return f"{value * 3600:.3g} EECU-s" if value < 0.1 else f"{value:.3g} EECU-h"


def core_hours(value: float) -> str:
    """Compute as people read it: seconds of one core where it is little."""
    return f"{value * 3600:.0f} core-s" if value < 0.1 else f"{value:.1f} core-h"
