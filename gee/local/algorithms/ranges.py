"""Types of numbers: their names, and what type an operation's result has (interval arithmetic in a wide type).

Integer types have both limits; limits of float and double types are None where they are open.
Section 1 and 3 of the semantics; how ranges grow is not documented: intervals, so that byte + byte does not wrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from gee.local.values import PixelType, Precision

INTEGERS = {
    "int8": PixelType("int", -(2**7), 2**7 - 1),
    "uint8": PixelType("int", 0, 2**8 - 1),
    "int16": PixelType("int", -(2**15), 2**15 - 1),
    "uint16": PixelType("int", 0, 2**16 - 1),
    "int32": PixelType("int", -(2**31), 2**31 - 1),
    "uint32": PixelType("int", 0, 2**32 - 1),
    "int64": PixelType("int", -(2**63), 2**63 - 1),
}
FLOAT, DOUBLE, BOOLEAN = PixelType("float"), PixelType("double"), PixelType("int", 0, 1)
INT64 = INTEGERS["int64"]
NAMED = INTEGERS | {
    "byte": INTEGERS["uint8"],
    "short": INTEGERS["int16"],
    "int": INTEGERS["int32"],
    "long": INTEGERS["int64"],
    "float": FLOAT,
    "double": DOUBLE,
}
SMALLEST = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")  # unsigned first, as [0, 0, 255] → uint8
WIDTH: dict[Precision, int] = {"int": 0, "float": 1, "double": 2}

Rule = Callable[..., PixelType]


def limits(kind: PixelType) -> tuple[float, float]:
    """Both limits, infinite where they are open."""
    return -math.inf if kind.low is None else kind.low, math.inf if kind.high is None else kind.high


def ranged(precision: Precision, low: float, high: float, dimensions: int = 0) -> PixelType:
    """Type of a precision with limits: infinite ones are open; integers stay within 64 bits."""
    if precision == "int":
        low, high = max(math.floor(max(low, -1e30)), -(2**63)), min(math.ceil(min(high, 1e30)), 2**63 - 1)
        return PixelType("int", low, high, dimensions)
    known = math.isfinite(low) and math.isfinite(high)
    return PixelType(precision, low if known else None, high if known else None, dimensions)


def of_number(value: float) -> PixelType:
    """Type of one number: its range is the number; numbers that are not whole are doubles."""
    if isinstance(value, int) or float(value).is_integer():
        return PixelType("int", int(value), int(value))
    return ranged("double", value, value)


def smallest(low: float, high: float) -> PixelType:
    """Smallest full integer type that holds a range."""
    for name in SMALLEST:
        if low >= (INTEGERS[name].low or 0) and high <= (INTEGERS[name].high or 0):
            return INTEGERS[name]
    return INT64


def precision_of(*kinds: PixelType) -> Precision:
    """Widest precision."""
    return max((kind.precision for kind in kinds), key=WIDTH.__getitem__)


def dimensions_of(*kinds: PixelType) -> int:
    """Most axes: scalars go with arrays."""
    return max(kind.dimensions for kind in kinds)


def union(*kinds: PixelType) -> PixelType:
    """Type that holds every value of every type."""
    lows, highs = zip(*(limits(kind) for kind in kinds), strict=True)
    return ranged(precision_of(*kinds), min(lows), max(highs), dimensions_of(*kinds))


def floating(*kinds: PixelType) -> Precision:
    """Precision of results that are never whole by rule: double where an input is, else float."""
    return "double" if precision_of(*kinds) == "double" else "float"


def _corners(formula: Callable[[float, float], float], a: PixelType, b: PixelType) -> tuple[float, float]:
    found = [formula(x, y) for x, y in product(limits(a), limits(b))]
    found = [0.0 if math.isnan(one) else one for one in found]  # 0 times an open limit
    return min(found), max(found)


def summed(a: PixelType, b: PixelType) -> PixelType:
    """Of a + b."""
    low = limits(a)[0] + limits(b)[0]
    return ranged(precision_of(a, b), low, limits(a)[1] + limits(b)[1], dimensions_of(a, b))


def subtracted(a: PixelType, b: PixelType) -> PixelType:
    """Of a - b."""
    low = limits(a)[0] - limits(b)[1]
    return ranged(precision_of(a, b), low, limits(a)[1] - limits(b)[0], dimensions_of(a, b))


def multiplied(a: PixelType, b: PixelType) -> PixelType:
    """Of a · b."""
    return ranged(precision_of(a, b), *_corners(lambda x, y: x * y, a, b), dimensions_of(a, b))


def divided(a: PixelType, b: PixelType) -> PixelType:
    """Of a / b, always floating; open where b may be 0."""
    low, high = limits(b)
    kind = floating(a, b)
    if low <= 0 <= high:
        return PixelType(kind, dimensions=dimensions_of(a, b))
    return ranged(kind, *_corners(lambda x, y: x / y, a, b), dimensions_of(a, b))


def remainder(a: PixelType, b: PixelType) -> PixelType:
    """Of the remainder of a / b, which has the sign of a."""
    most = max(abs(one) for one in limits(b))
    low, high = limits(a)
    bound = max(min(most, max(abs(low), abs(high))), 0)
    return ranged(precision_of(a, b), -bound if low < 0 else 0, bound if high > 0 else 0, dimensions_of(a, b))


def least(a: PixelType, b: PixelType) -> PixelType:
    """Of the smaller."""
    pairs = zip(limits(a), limits(b), strict=True)
    return ranged(precision_of(a, b), *(min(pair) for pair in pairs), dimensions_of(a, b))


def greatest(a: PixelType, b: PixelType) -> PixelType:
    """Of the larger."""
    pairs = zip(limits(a), limits(b), strict=True)
    return ranged(precision_of(a, b), *(max(pair) for pair in pairs), dimensions_of(a, b))


def first_of(a: PixelType, b: PixelType) -> PixelType:
    """Of a, in the precision of both."""
    return ranged(precision_of(a, b), *limits(a), dimensions_of(a, b))


def bits(*kinds: PixelType) -> PixelType:
    """Of an operation on bits: the smallest full integer type that holds the inputs."""
    lows, highs = zip(*(limits(kind) for kind in kinds), strict=True)
    return replace(smallest(min(lows), max(highs)), dimensions=dimensions_of(*kinds))


def inverted_bits(a: PixelType) -> PixelType:
    """Of the bitwise complement -1 - a."""
    low, high = limits(a)
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


def monotonic(formula: Callable[[float], float]) -> Rule:
    """Of a growing function that keeps the precision (floor, ceil, round)."""
    return lambda a: ranged(a.precision, *(formula(x) if math.isfinite(x) else x for x in limits(a)), a.dimensions)


def absolute(a: PixelType) -> PixelType:
    """Of |a|."""
    low, high = limits(a)
    ends = sorted((abs(low), abs(high)))
    return ranged(a.precision, 0 if low <= 0 <= high else ends[0], ends[1], a.dimensions)


def sign(a: PixelType) -> PixelType:
    """Of the sign: -1, 0, 1."""
    return ranged(a.precision, -1, 1, a.dimensions)


def hull(kinds: Sequence[PixelType]) -> PixelType:
    """Type of a list of types: `union`; of none, double."""
    return union(*kinds) if kinds else DOUBLE
