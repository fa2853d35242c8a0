"""Elementwise operations, once for numbers, arrays and images: formulas on numpy arrays, and the type of their results.

`UNARY[name]`, `BINARY[name]` and `CASTS[name]` have every name of the algorithm list (`firstNonZero` and
`first_nonzero`). Formulas broadcast, take float64 or int64 arrays and give float64, int64 or bool; what they cannot
compute (logarithm of 0, square root of -1) is NaN or infinite: images mask that, numbers and arrays keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gee.local.algorithms.values import ranges, special
from gee.local.bands import pixel_types
from gee.local.values import PixelType

LARGEST = float(2**63 - 1024)  # largest float64 that an int64 holds


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes
    ----------
    formula : of the inputs, in the list's order
    result : type of the result from the types of the inputs
    """

    formula: Callable[..., np.ndarray]
    result: ranges.Rule

    def __call__(self, *values: Any) -> np.ndarray:
        """Result for float64 or int64 arrays that broadcast; NaN and infinities where there is none."""
        with np.errstate(all="ignore"):
            return np.asarray(self.formula(*values))


def whole(values: np.ndarray) -> np.ndarray:
    """Values as int64: the fraction is dropped, NaN is 0, what is too large is clamped."""
    values = np.asarray(values)
    if values.dtype == np.int64:
        return values
    if values.dtype == bool:
        return values.astype(np.int64)
    clamped: np.ndarray = np.clip(np.nan_to_num(np.trunc(values)), -float(2**63), LARGEST)
    return clamped.astype(np.int64)


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quotient a / b, floating; 0 where b is 0."""
    result = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b)))
    np.true_divide(a, b, out=result, where=np.not_equal(b, 0))
    return result


def modulo(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Remainder of a / b with the sign of a; 0 where b is 0 (section 3)."""
    return np.where(np.equal(b, 0), 0, np.fmod(a, np.where(np.equal(b, 0), 1, b)))


def power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Power a ** b, floating."""
    result: np.ndarray = np.power(np.asarray(a, float), b)
    return result


def rounded(a: np.ndarray) -> np.ndarray:
    """Nearest whole number; halves go up."""
    low = np.floor(a)
    result: np.ndarray = low + (a - low >= 0.5)  # not floor(a + 0.5), which is 1 for the float64 below a half
    return result


def ones(a: np.ndarray) -> np.ndarray:
    """Number of one-bits of 64-bit two's complement."""
    values = whole(a).astype(np.uint64)
    values = values - ((values >> np.uint64(1)) & np.uint64(0x5555555555555555))
    values = (values & np.uint64(0x3333333333333333)) + ((values >> np.uint64(2)) & np.uint64(0x3333333333333333))
    values = (values + (values >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((values * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)


def _first(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.broadcast_to(a, np.broadcast_shapes(np.shape(a), np.shape(b)))


def _first_non_zero(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(np.equal(a, 0), b, a)


def _bitwise(formula: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda *values: formula(*(whole(one) for one in values))


def _shift(formula: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda a, b: formula(whole(a), whole(b) & 63)  # as 64-bit machines do: six bits of the count


UNARY: dict[str, Operation] = {
    "abs": Operation(np.abs, ranges.absolute),
    "floor": Operation(np.floor, ranges.monotonic(np.floor)),
    "ceil": Operation(np.ceil, ranges.monotonic(np.ceil)),
    "round": Operation(rounded, ranges.monotonic(rounded)),
    "signum": Operation(np.sign, ranges.sign),
    "not": Operation(lambda a: np.equal(a, 0), ranges.boolean),
    "bitwiseNot": Operation(_bitwise(np.invert), ranges.inverted_bits),
    "bitCount": Operation(ones, lambda a: PixelType("int", 0, 64, a.dimensions)),
    "sin": Operation(np.sin, ranges.within(-1, 1)),
    "cos": Operation(np.cos, ranges.within(-1, 1)),
    "tan": Operation(np.tan, ranges.real),
    "asin": Operation(np.arcsin, ranges.real),
    "acos": Operation(np.arccos, ranges.real),
    "atan": Operation(np.arctan, ranges.real),
    "sinh": Operation(np.sinh, ranges.real),
    "cosh": Operation(np.cosh, ranges.real),
    "tanh": Operation(np.tanh, ranges.within(-1, 1)),
    "sqrt": Operation(np.sqrt, ranges.real),
    "cbrt": Operation(np.cbrt, ranges.real),
    "exp": Operation(np.exp, ranges.real),
    "log": Operation(np.log, ranges.real),
    "log10": Operation(np.log10, ranges.real),
    "gamma": Operation(special.gamma, ranges.real),
    "digamma": Operation(special.digamma, ranges.real),
    "trigamma": Operation(special.trigamma, ranges.real),
    "lanczos": Operation(special.lanczos, ranges.real),
    "erf": Operation(special.erf, ranges.within(-1, 1)),
    "erfc": Operation(special.erfc, ranges.within(0, 2)),
    "erfInv": Operation(special.erf_inv, ranges.real),
    "erfcInv": Operation(special.erfc_inv, ranges.real),
}
BINARY: dict[str, Operation] = {
    "add": Operation(np.add, ranges.summed),
    "subtract": Operation(np.subtract, ranges.subtracted),
    "multiply": Operation(np.multiply, ranges.multiplied),
    "divide": Operation(divide, ranges.divided),
    "mod": Operation(modulo, ranges.remainder),
    "max": Operation(np.maximum, ranges.greatest),
    "min": Operation(np.minimum, ranges.least),
    "first": Operation(_first, ranges.first_of),
    "firstNonZero": Operation(_first_non_zero, pixel_types.union),
    "pow": Operation(power, ranges.float_result),
    "atan2": Operation(lambda x, y: np.arctan2(y, x), ranges.float_result),
    "hypot": Operation(np.hypot, ranges.float_result),
    "gammainc": Operation(special.gammainc, ranges.float_result),
    "and": Operation(lambda a, b: np.not_equal(a, 0) & np.not_equal(b, 0), ranges.boolean),
    "or": Operation(lambda a, b: np.not_equal(a, 0) | np.not_equal(b, 0), ranges.boolean),
    "lt": Operation(np.less, ranges.boolean),
    "lte": Operation(np.less_equal, ranges.boolean),
    "gt": Operation(np.greater, ranges.boolean),
    "gte": Operation(np.greater_equal, ranges.boolean),
    "eq": Operation(np.equal, ranges.boolean),
    "neq": Operation(np.not_equal, ranges.boolean),
    "bitwiseAnd": Operation(_bitwise(np.bitwise_and), ranges.bits),
    "bitwiseOr": Operation(_bitwise(np.bitwise_or), ranges.bits),
    "bitwiseXor": Operation(_bitwise(np.bitwise_xor), ranges.bits),
    "leftShift": Operation(_shift(np.left_shift), ranges.whole),
    "rightShift": Operation(_shift(np.right_shift), ranges.whole),
}
OLD_NAMES = {
    "bitwise_not": "bitwiseNot",
    "bitwise_and": "bitwiseAnd",
    "bitwise_or": "bitwiseOr",
    "bitwise_xor": "bitwiseXor",
    "left_shift": "leftShift",
    "right_shift": "rightShift",
    "first_nonzero": "firstNonZero",
}
UNARY |= {old: UNARY[new] for old, new in OLD_NAMES.items() if new in UNARY}
BINARY |= {old: BINARY[new] for old, new in OLD_NAMES.items() if new in BINARY}
CASTS: dict[str, PixelType] = {
    spelled: pixel_types.named(name)
    for name in (*pixel_types.INTEGERS, *pixel_types.ALIASES, "float", "double")
    for spelled in (name, f"to{name.title()}")
}


def policies_of(name: str) -> tuple[str, ...]:
    """Named choices on which an operation or cast depends."""
    own = {"mod": "modulo_by_zero", "leftShift": "shift_counts", "rightShift": "shift_counts"}.get(
        OLD_NAMES.get(name, name)
    )
    if name in CASTS:
        return ("cast_fractions",)
    real = (BINARY | UNARY)[name].result(ranges.INT64, *[ranges.INT64] * (name in BINARY)).precision == "float"
    return (*([own] if own else []), *(["real_functions"] if real else []), "result_ranges")
