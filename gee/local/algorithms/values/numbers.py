"""Numbers: the elementwise operations, casts, formats (sections 1, 3 and 15)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

from gee.local.algorithms.values.arithmetic import BINARY, CASTS, UNARY, Operation, policies_of
from gee.local.bands import pixel_types
from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.texts.numbers import text_of
from gee.local.values import PixelType

CONVERSION = re.compile(r"^(?P<prefix>[^%]*)%(?P<flags>[#\-+ 0,(]*)(?P<width>\d*)(?:\.(?P<digits>\d+))?(?P<kind>[sdoxXeEfgGaA])(?P<suffix>[^%]*)$")  # fmt: skip
INT64 = 2**63


def type_of(value: float) -> PixelType:
    """Type of a number: whole ones of 64 bits, all others doubles."""
    return PixelType("int", value, value) if isinstance(value, int) and abs(value) < INT64 else pixel_types.DOUBLE


def as_array(value: float) -> np.ndarray:
    """Number as a 0-d array: int64 where it is whole by type and fits, else float64."""
    return np.asarray(value, np.int64 if type_of(value).precision == "int" else float)


def as_number(value: np.ndarray, kind: PixelType) -> float:
    """Number of a 0-d array: an int where the type is one."""
    if kind.precision == "int" and np.isfinite(value):
        return min(int(value), INT64 - 1)  # the largest float64 below 2**63 is 1024 less
    return float(value)


def _elementwise(name: str, operation: Operation) -> Callable[..., float]:
    """Operation on one or two numbers; numbers are doubles, whatever float type the table gives."""

    def apply(*values: float) -> float:
        kind = operation.result(*(type_of(one) for one in values))
        return as_number(operation(*(as_array(one) for one in values)), kind)

    if name in BINARY:

        @algorithm(f"Number.{name}", policies=policies_of(name))
        def binary(left: float, right: float) -> float:
            return apply(left, right)

        return binary

    @algorithm(f"Number.{name}", policies=policies_of(name))
    def unary(input_: float) -> float:
        return apply(input_)

    return unary


def _cast(name: str, kind: PixelType) -> Callable[..., float]:
    @algorithm(f"Number.{name}", policies=policies_of(name))
    def function(input_: float) -> float:
        if kind.precision == "int" and not math.isfinite(input_):
            raise EarthEngineError(f"{input_} is no whole number.")
        return as_number(pixel_types.cast(as_array(input_), kind), kind)

    return function


MADE = (
    *(_elementwise(name, one) for name, one in (UNARY | BINARY).items()),
    *(_cast(name, kind) for name, kind in CASTS.items()),
)


@algorithm("Number.clamp")
def clamp(number: float, min_: float, max_: float) -> float:
    """Number within limits."""
    return number if min_ <= number <= max_ else (min_ if number < min_ else max_)


@algorithm("Number.unitScale")
def unit_scale(number: float, min_: float, max_: float) -> float:
    """Number such that min is 0 and max is 1, without clamping; 0 where they are equal."""
    return 0.0 if min_ == max_ else (number - min_) / (max_ - min_)


@algorithm("Number.parse")
def parse(input_: str, radix: int) -> float:
    """Number of a text: whole in any radix, else decimal."""
    text = input_.strip()
    try:
        return int(text.replace("_", "?"), radix)  # Python alone reads 1_000
    except ValueError:
        pass
    if radix != 10 or not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(NaN|Infinity)", text):
        raise EarthEngineError(f"Cannot parse '{input_}' as a number of radix {radix}.")
    return float(text)


@algorithm("Number.format", policies=("number_text",))
def format_number(number: float, pattern: str) -> str:
    """Number as one printf conversion says, with what stands before and after it; halves are rounded away from 0."""
    match = CONVERSION.match(pattern)
    if match is None:
        raise EarthEngineError(
            f"Invalid format '{pattern}': exactly one '%' with a conversion of [sdoxXeEfgGaA] is needed."
        )
    sign, body = _converted(number, match)
    return match["prefix"] + _padded(sign, body, match) + match["suffix"]


def _converted(number: float, match: re.Match[str]) -> tuple[str, str]:
    """Sign and digits."""
    kind, flags = match["kind"], match["flags"]
    if kind == "s" or not math.isfinite(number):
        return "", text_of(number)[: int(match["digits"]) if kind == "s" and match["digits"] else None]
    if kind in "oxX":
        body = format(int(number) % 2**64, kind)
        return "", {"o": "0", "x": "0x", "X": "0X"}[kind] + body if "#" in flags else body
    sign = "-" if math.copysign(1, number) < 0 and (kind != "d" or int(number)) else ""
    size = abs(int(number)) if kind == "d" else abs(number)
    body = DIGITS[kind.lower()](size, 6 if match["digits"] is None else int(match["digits"]), match["digits"] is None)
    if "," in flags:
        whole, point, rest = body.partition(".")
        body = format(int(whole), ",") + point + rest
    return sign or ("+" if "+" in flags else " " if " " in flags else ""), body.upper() if kind.isupper() else body


def _fixed(size: float, digits: int, _default: bool) -> str:  # noqa: FBT001 -- one shape for all conversions
    return format(Decimal(repr(size)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP), "f")


def _scientific(size: float, digits: int, _default: bool) -> str:  # noqa: FBT001 -- one shape for all conversions
    exact = Decimal(repr(size))
    if not exact:
        return format(0.0, f".{digits}e")
    power = exact.adjusted()
    short = exact.quantize(Decimal(1).scaleb(power - digits), ROUND_HALF_UP)
    power = short.adjusted()
    mantissa = short.scaleb(-power).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{mantissa:f}e{power:+03d}"


def _general(size: float, digits: int, default: bool) -> str:  # noqa: FBT001 -- one shape for all conversions
    digits = max(digits, 1)
    short = _scientific(size, digits - 1, default)
    power = Decimal(short).adjusted() if size else 0
    if not -4 <= power < digits:
        return short
    return _fixed(size, max(digits - 1 - power, 0), default)


def _hexadecimal(size: float, digits: int, default: bool) -> str:  # noqa: FBT001 -- one shape for all conversions
    if not default:
        raise EarthEngineError(f"'%.{digits}a' is not known here: only %a.")
    mantissa, power = float(size).hex().split("p")
    whole, _, rest = mantissa.partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}p{int(power)}"


DIGITS: dict[str, Callable[[Any, int, bool], str]] = {
    "d": lambda size, _digits, _default: str(size),
    "f": _fixed,
    "e": _scientific,
    "g": _general,
    "a": _hexadecimal,
}


def _padded(sign: str, body: str, match: re.Match[str]) -> str:
    flags, width = match["flags"], int(match["width"] or 0)
    if "(" in flags and sign == "-":
        sign, body = "(", body + ")"
    if "-" in flags:
        return (sign + body).ljust(width)
    if "0" in flags and match["kind"] != "s":
        return sign + body.rjust(width - len(sign), "0")
    return (sign + body).rjust(width)
