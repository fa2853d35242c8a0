"""What type an operation's result has: interval arithmetic in a wide type.

Integer types have both limits; limits of float and double types are None where they are open.
Section 1 and 3 of the semantics; how ranges grow is not documented: intervals, so that byte + byte does not wrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

from gee.local.bands.pixel_types import BOOLEAN, bounds, named, ranged, union, wider
from gee.local.bands.pixel_types import smallest as smallest_name
from gee.local.values import PixelType, Precision

Rule = Callable[..., PixelType]
INT64 = named("int64")


def precision_of(*kinds: PixelType) -> Precision:
    """Widest precision."""
    return wider(*(kind.precision for kind in kinds))


def dimensions_of(*kinds: PixelType) -> int:
    """Most axes: scalars go with arrays."""
    return max(kind.dimensions for kind in kinds)


def floating(*kinds: PixelType) -> Precision:
    """Precision of results that are never whole by rule: double where an input is, else float."""
    return "double" if precision_of(*kinds) == "double" else "float"


def _corners(formula: Callable[[float, float], float], a: PixelType, b: PixelType) -> tuple[float, float]:
    found = [formula(x, y) for x, y in product(bounds(a), bounds(b))]
    found = [0.0 if math.isnan(one) else one for one in found]  # 0 times an open limit
    return min(found), max(found)


def summed(a: PixelType, b: PixelType) -> PixelType:
    """Of a + b."""
    low = bounds(a)[0] + bounds(b)[0]
    return ranged(precision_of(a, b), low, bounds(a)[1] + bounds(b)[1], dimensions_of(a, b))


def subtracted(a: PixelType, b: PixelType) -> PixelType:
    """Of a - b."""
    low = bounds(a)[0] - bounds(b)[1]
    return ranged(precision_of(a, b), low, bounds(a)[1] - bounds(b)[0], dimensions_of(a, b))


def multiplied(a: PixelType, b: PixelType) -> PixelType:
    """Of a · b."""
    return ranged(precision_of(a, b), *_corners(lambda x, y: x * y, a, b), dimensions_of(a, b))


def divided(a: PixelType, b: PixelType) -> PixelType:
    """Of a / b, always floating; open where b may be 0."""
    low, high = bounds(b)
    kind = floating(a, b)
    if low <= 0 <= high:
        return PixelType(kind, dimensions=dimensions_of(a, b))
    return ranged(kind, *_corners(lambda x, y: x / y, a, b), dimensions_of(a, b))


def remainder(a: PixelType, b: PixelType) -> PixelType:
    """Of the remainder of a / b, which has the sign of a."""
    most = max(abs(one) for one in bounds(b))
    low, high = bounds(a)
    bound = max(min(most, max(abs(low), abs(high))), 0)
    return ranged(precision_of(a, b), -bound if low < 0 else 0, bound if high > 0 else 0, dimensions_of(a, b))


def least(a: PixelType, b: PixelType) -> PixelType:
    """Of the smaller."""
    low, high = (min(pair) for pair in zip(bounds(a), bounds(b), strict=True))
    return ranged(precision_of(a, b), low, high, dimensions_of(a, b))


def greatest(a: PixelType, b: PixelType) -> PixelType:
    """Of the larger."""
    low, high = (max(pair) for pair in zip(bounds(a), bounds(b), strict=True))
    return ranged(precision_of(a, b), low, high, dimensions_of(a, b))


def first_of(a: PixelType, b: PixelType) -> PixelType:
    """Of a, in the precision of both."""
    return ranged(precision_of(a, b), *bounds(a), dimensions_of(a, b))


def bits(*kinds: PixelType) -> PixelType:
    """Of an operation on bits: the smallest full integer type that holds the inputs."""
    held = replace(union(*kinds), precision="int")
    return replace(named(smallest_name(held)), dimensions=dimensions_of(*kinds))


def inverted_bits(a: PixelType) -> PixelType:
    """Of the bitwise complement -1 - a."""
    low, high = bounds(a)
    return ranged("int", -1 - high, -1 - low, a.dimensions)


def whole(*kinds: PixelType) -> PixelType:
    """Of shifts: 64-bit integers."""
    return replace(INT64, dimensions=dimensions_of(*kinds))


def boolean(*kinds: PixelType) -> PixelType:
    """Of comparisons: 0 or 1."""
    return replace(BOOLEAN, dimensions=dimensions_of(*kinds))


def float_result(*kinds: PixelType) -> PixelType:
    """Where the list says that the result's type is float."""
    return PixelType("float", dimensions=dimensions_of(*kinds))


def real(*kinds: PixelType) -> PixelType:
    """Of a function with real values: double for doubles, else float."""
    return PixelType(floating(*kinds), dimensions=dimensions_of(*kinds))


def within(low: float, high: float) -> Rule:
    """Of a function with real values in a range, or with whole ones where the input is whole."""
    return lambda a: ranged(floating(a), low, high, a.dimensions)


def monotonic(formula: Callable[[Any], Any]) -> Rule:
    """Of a growing function that keeps the precision (floor, ceil, round)."""

    def rule(a: PixelType) -> PixelType:
        low, high = (formula(x) if math.isfinite(x) else x for x in bounds(a))
        return ranged(a.precision, low, high, a.dimensions)

    return rule


def absolute(a: PixelType) -> PixelType:
    """Of |a|."""
    low, high = bounds(a)
    ends = sorted((abs(low), abs(high)))
    return ranged(a.precision, 0 if low <= 0 <= high else ends[0], ends[1], a.dimensions)


def sign(a: PixelType) -> PixelType:
    """Of the sign: -1, 0, 1."""
    return ranged(a.precision, -1, 1, a.dimensions)
