"""The range in which a share of all speckle lies without shifting its mean (Lee et al. 2009)."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

from infra.errors import InputError

TERMS = 100_000
CLOSE = 1e-15
NOTHING = 45.0  # exp(-45) is no share of anything


class SigmaRange(NamedTuple):
    """Relative to the mean: lower and upper end, and the standard deviation of what lies between."""

    low: float
    high: float
    deviation: float


@cache
def sigma_range(*, looks: float, sigma: float) -> SigmaRange:
    """Range of gamma distributed speckle with mean 1.

    The mean between I1 and I2 is 1 where ln I1 - I1 = ln I2 - I2, whatever the looks; by parts the variance there is
    1/L - (I2 - I1) (L I1)^L exp(-L I1) / (sigma Γ(L + 1)). The published tables hold these values for 1 to 4 looks.

    Parameters
    ----------
    looks : above 0
    sigma : share of the speckle in the range, above 0, below 1

    Raises
    ------
    InputError
        If a parameter is outside of that.
    """
    if not 0 < looks < math.inf:
        raise InputError(f"speckle: {looks:g} looks", "Give the equivalent number of looks, above 0 (Sentinel-1: 4.4).")
    if not 0 < sigma < 1:
        raise InputError(f"speckle: sigma {sigma:g} is no share of the speckle", "Give one between 0 and 1, as 0.9.")
    outside, inside = 0.0, 1.0  # lower ends whose ranges hold too much, too little
    while inside - outside > CLOSE * inside:
        low = (outside + inside) / 2
        if low in {outside, inside}:
            break
        held = _below(looks, looks * _partner(low)) - _below(looks, looks * low)
        outside, inside = (low, inside) if held > sigma else (outside, low)
    low = (outside + inside) / 2
    high = _partner(low)
    density = math.exp(looks * math.log(looks * low) - looks * low - math.lgamma(looks + 1))
    return SigmaRange(low, high, math.sqrt(max(0.0, 1 / looks - (high - low) * density / sigma)))


def _partner(low: float) -> float:
    """The other value, above 1, with the same ln I - I."""
    level = low - math.log(low)
    high = level + math.log(max(level, 1.0)) + 1.0  # above it; Newton's steps come down without passing it
    for _ in range(100):
        step = (high - math.log(high) - level) / (1 - 1 / high) if high > 1 else 0.0
        high -= step
        if abs(step) <= CLOSE * high:
            break
    return max(high, 1.0)


def _below(shape: float, value: float) -> float:
    """Regularised lower incomplete gamma function P(shape, value), by its series."""
    if value > shape and value - shape - shape * math.log(value / shape) > NOTHING:  # Chernoff's bound of what is above
        return 1.0
    term = total = 1 / shape
    for n in range(1, TERMS):
        term *= value / (shape + n)
        total += term
        if term <= CLOSE * total:
            break
    return total * math.exp(shape * math.log(value) - value - math.lgamma(shape))
