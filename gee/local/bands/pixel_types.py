"""Types of pixels: names, constants, unions and casts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.values import Array, PixelType, Precision

FLOAT = PixelType("float")
DOUBLE = PixelType("double")
BOOLEAN = PixelType("int", 0, 1)

INTEGERS: Mapping[str, tuple[int, int]] = {
    "int8": (-(2**7), 2**7 - 1),
    "uint8": (0, 2**8 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
ALIASES: Mapping[str, str] = {"byte": "uint8", "short": "int16", "int": "int32", "long": "int64"}
ORDER: tuple[Precision, ...] = ("int", "float", "double")


def named(name: str) -> PixelType:
    """Type of a name that casts take: "int8" … "int64", "byte", "short", "int", "long", "float", "double".

    Raises
    ------
    EarthEngineError
        If there is no such type.
    """
    name = ALIASES.get(name.lower(), name.lower())
    if name in INTEGERS:
        return PixelType("int", *INTEGERS[name])
    if name == "float":
        return FLOAT
    if name == "double":
        return DOUBLE
    raise EarthEngineError(
        f"Unknown element type: '{name}'. Expected one of {[*INTEGERS, *ALIASES, 'float', 'double']}."
    )


def of_number(value: float) -> PixelType:
    """Type of a constant: its range is the value (section 1)."""
    return PixelType("int" if isinstance(value, int) else "double", value, value)


def smallest(type_: PixelType) -> str:
    """Name of the smallest full type that holds a type: "uint8" for integers from 0 to 255; "float"; "double"."""
    if type_.precision != "int":
        return type_.precision
    low, high = bounds(type_)
    for name in ("uint8", "int8", "uint16", "int16", "uint32", "int32"):
        if INTEGERS[name][0] <= low and high <= INTEGERS[name][1]:
            return name
    return "int64"


def bounds(type_: PixelType) -> tuple[float, float]:
    """Least and greatest value; infinite where a limit of floats is open."""
    low, high = INTEGERS["int64"] if type_.precision == "int" else (-math.inf, math.inf)
    return (low if type_.low is None else type_.low, high if type_.high is None else type_.high)


def ranged(precision: Precision, low: float, high: float, dimensions: int = 0) -> PixelType:
    """Type from limits that may be infinite; integers beyond 64 bits stop there."""
    if precision == "int":
        floor, ceiling = INTEGERS["int64"]
        whole = [int(min(max(one, floor), ceiling)) if math.isfinite(one) else one for one in (low, high)]
        return PixelType(
            "int",
            floor if whole[0] == -math.inf else whole[0],
            ceiling if whole[1] == math.inf else whole[1],
            dimensions,
        )
    if not math.isfinite(low) or not math.isfinite(high):
        return PixelType(precision, None, None, dimensions)
    return PixelType(precision, float(low), float(high), dimensions)


def wider(*precisions: Precision) -> Precision:
    """Precision that holds several: double before float before int."""
    return max(precisions, key=ORDER.index)


def union(*types: PixelType) -> PixelType:
    """Type that holds values of several; an open limit stays open."""
    lows, highs = zip(*(bounds(one) for one in types), strict=True)
    return ranged(wider(*(one.precision for one in types)), min(lows), max(highs), max(one.dimensions for one in types))


def of_array(array: Array) -> PixelType:
    """Type of a constant array band: the smallest full type (section 1)."""
    dimensions = array.values.ndim
    if array.type.precision != "int":
        return PixelType(array.type.precision, None, None, dimensions)
    if array.values.size == 0:
        return replace(array.type, dimensions=dimensions)
    name = smallest(PixelType("int", int(array.values.min()), int(array.values.max())))
    return replace(named(name), dimensions=dimensions)


def cast(data: np.ndarray, type_: PixelType) -> np.ndarray:
    """Values as a type holds them: integers clamped, fractions dropped toward 0; floats rounded to 32 bits (section 1)."""
    if type_.precision == "int":
        return np.asarray(np.clip(np.trunc(data), *bounds(type_)))
    if type_.precision == "float":
        with np.errstate(over="ignore"):
            return data.astype(np.float32).astype(np.float64)
    return data


def nearest_to_zero(type_: PixelType) -> float:
    """What fills pixels that are unmasked without a value (section 2)."""
    low, high = bounds(type_)
    return float(min(max(0.0, low), high))


def to_json(type_: PixelType) -> dict[str, Any]:
    """As the service describes a type."""
    body: dict[str, Any] = {"type": "PixelType", "precision": type_.precision}
    if type_.low is not None and type_.high is not None:
        body |= {"min": type_.low, "max": type_.high}
    if type_.dimensions:
        body["dimensions"] = type_.dimensions
    return body
