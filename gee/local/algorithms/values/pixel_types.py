"""Pixel types as values (section 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gee.local.bands import pixel_types
from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.values import PixelType


@algorithm("PixelType")
def pixel_type(precision: Any, min_value: float | None, max_value: float | None, dimensions: int) -> PixelType:
    """Type from a precision ("int", "float", "double") or from another type."""
    if isinstance(precision, PixelType):
        low = precision.low if min_value is None else min_value
        high = precision.high if max_value is None else max_value
        return replace(precision, low=low, high=high, dimensions=dimensions or precision.dimensions)
    if precision not in pixel_types.ORDER:
        raise EarthEngineError(f"Invalid precision: '{precision}'. One of 'int', 'float' or 'double' is needed.")
    if precision == "int" and (min_value is None or max_value is None):
        raise EarthEngineError("Integer types need both minValue and maxValue.")
    if min_value is not None and max_value is not None and min_value > max_value:
        raise EarthEngineError(f"minValue {min_value} exceeds maxValue {max_value}.")
    if dimensions < 0:
        raise EarthEngineError(f"dimensions must not be negative, but is {dimensions}.")
    return PixelType(precision, min_value, max_value, dimensions)


@algorithm("PixelType.dimensions")
def dimensions(pixel_type: PixelType) -> int:
    """Number of axes."""
    return pixel_type.dimensions


@algorithm("PixelType.minValue")
def min_value(pixel_type: PixelType) -> float | None:
    """Least value, or null."""
    return pixel_type.low


@algorithm("PixelType.maxValue")
def max_value(pixel_type: PixelType) -> float | None:
    """Greatest value, or null."""
    return pixel_type.high


@algorithm("PixelType.precision")
def precision(pixel_type: PixelType) -> str:
    """Either "int", "float" or "double"."""
    return pixel_type.precision


def _full(name: str) -> Callable[[], PixelType]:
    @algorithm(f"PixelType.{name}")
    def function() -> PixelType:
        return pixel_types.named(name)

    return function


MADE = tuple(_full(name) for name in (*pixel_types.INTEGERS, "float", "double"))
