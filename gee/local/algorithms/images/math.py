"""Arithmetic of images: unary and binary operators by band, and functions of values (section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from gee.local.algorithms.values import arithmetic
from gee.local.bands.arithmetic import combined, mapped, paired
from gee.local.bands.masks import finite
from gee.local.bands.names import named_band
from gee.local.bands.pixel_types import bounds, of_number, ranged, union
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import Array, PixelType


def _unary(name: str, operation: arithmetic.Operation) -> Callable[..., Image]:
    def formula(data: np.ndarray) -> np.ndarray:
        return np.asarray(operation(data), np.float64)

    @algorithm(f"Image.{name}", policies=("log_domain", *arithmetic.policies_of(name)))
    def function(value: Image) -> Image:
        return value.with_bands([mapped(band, formula, operation.result(band.type)) for band in value.bands])

    return function


def _binary(name: str, operation: arithmetic.Operation) -> Callable[..., Image]:
    def formula(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray(operation(left, right), np.float64)

    @algorithm(f"Image.{name}", policies=("log_domain", "fractional_masks", *arithmetic.policies_of(name)))
    def function(image1: Image, image2: Image) -> Image:
        bands = [
            combined(first, second, formula, operation.result(first.type, second.type))
            for first, second in paired(image1, image2)
        ]
        return Image(tuple(bands), footprint=image1.footprint)

    return function


MADE = (
    *(_unary(name, operation) for name, operation in arithmetic.UNARY.items()),
    *(_binary(name, operation) for name, operation in arithmetic.BINARY.items()),
)


@algorithm("Image.clamp")
def clamp(input_: Image, low: float, high: float) -> Image:
    """Values limited to `low` … `high`."""

    def limited(type_: PixelType) -> PixelType:
        precision = "double" if type_.precision == "int" and (low % 1 or high % 1) else type_.precision
        ends = np.clip(bounds(type_), low, high)
        return ranged(precision, float(ends[0]), float(ends[1]))

    return input_.with_bands(
        [mapped(band, lambda data: np.clip(data, low, high), limited(band.type)) for band in input_.bands]
    )


@algorithm("Image.unitScale")
def unit_scale(input_: Image, low: float, high: float) -> Image:
    """Values with `low` at 0 and `high` at 1, not limited; always floating."""
    if low == high:
        raise EarthEngineError(f"low and high must differ, but both are {low}.")

    def scaled(data: np.ndarray) -> np.ndarray:
        return (data - low) / (high - low)

    def type_of(type_: PixelType) -> PixelType:
        least, most = sorted((end - low) / (high - low) for end in bounds(type_))
        return ranged("float" if type_.precision == "float" else "double", least, most)

    return input_.with_bands([mapped(band, scaled, type_of(band.type)) for band in input_.bands])


@algorithm("Image.polynomial")
def polynomial(image: Image, coefficients: list[float]) -> Image:
    """Polynomial of each value; the coefficient of the zeroth power first."""
    if not coefficients:
        raise EarthEngineError("A polynomial needs at least one coefficient.")

    def valued(data: np.ndarray) -> np.ndarray:
        return np.asarray(np.polynomial.polynomial.polyval(data, np.asarray(coefficients)))

    return image.with_bands([mapped(band, valued, PixelType("double")) for band in image.bands])


@algorithm("Image.normalizedDifference")
def normalized_difference(input_: Image, band_names: list[str] | None) -> Image:
    """(first - second) / (first + second), band `nd`; masked where either is negative, 0 where both are 0."""
    names = input_.band_names[:2] if band_names is None else band_names
    if len(names) != 2:
        raise EarthEngineError(f"normalizedDifference needs two bands, not {len(names)}.")
    first, second = (named_band(input_, name) for name in names)
    divide = arithmetic.BINARY["divide"]

    def formula(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray(np.where((one < 0) | (other < 0), np.nan, divide(one - other, one + other)))

    band = combined(first, second, formula, PixelType("float", -1.0, 1.0))
    return Image((Band("nd", band.type, band.compute, band.projection),), footprint=input_.footprint)


@algorithm("Image.interpolate")
def interpolate(
    image: Image, x: list[float], y: list[float], behavior: Literal["extrapolate", "clamp", "mask", "input"]
) -> Image:
    """First band through a piecewise linear function; beyond its ends as `behavior` says."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if xs.shape != ys.shape or xs.size < 2 or (np.diff(xs) <= 0).any():
        raise EarthEngineError("x and y must have one length of at least 2, and x must increase strictly.")
    if behavior not in ("extrapolate", "clamp", "mask", "input"):
        raise EarthEngineError(f"Unknown behavior '{behavior}'; one of extrapolate, clamp, mask, input.")

    def formula(data: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.interp(data, xs, ys)
        outside = (data < xs[0]) | (data > xs[-1])
        if behavior == "clamp" or not outside.any():
            return result
        if behavior == "extrapolate":
            low = ys[0] + (data - xs[0]) * (ys[1] - ys[0]) / (xs[1] - xs[0])
            high = ys[-1] + (data - xs[-1]) * (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
            return np.where(outside, np.where(data < xs[0], low, high), result)
        return np.where(outside, data if behavior == "input" else np.nan, result)

    return image.with_bands([mapped(band, formula, PixelType("double")) for band in image.bands[:1]])


@algorithm("Image.remap")
def remap(image: Image, from_: list[Any], to: list[Any], default_value: Any, band_name: str | None) -> Image:
    """Band `remapped` of values replaced by a table; what is not in it is masked, or the default."""
    band = image.bands[0] if band_name is None and image.bands else named_band(image, band_name or "")
    if len(from_) != len(to):
        raise EarthEngineError(f"Parameters 'from' and 'to' must have one length, not {len(from_)} and {len(to)}.")
    keys, values = (np.asarray([_number(one) for one in some], np.float64) for some in (from_, to))
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    last = (
        np.append(keys[1:] != keys[:-1], True) if keys.size else np.zeros(0, bool)
    )  # a key given twice: the later one
    keys, values = keys[last], values[last]
    default = None if default_value is None else _number(default_value)
    types = [of_number(_number(one)) for one in [*to, *([] if default is None else [default])]]

    def compute(grid: Grid) -> Pixels:
        found = band.pixels(grid)
        if keys.size == 0:
            data, hit = np.zeros_like(found.data), np.zeros(found.data.shape, bool)
        else:
            at = np.minimum(np.searchsorted(keys, found.data), keys.size - 1)
            data, hit = values[at], keys[at] == found.data
        return finite(np.where(hit, data, np.nan if default is None else default), found.mask)

    type_ = union(*types) if types else band.type
    return image.with_bands([Band("remapped", type_, compute, band.projection)])


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, Array) and value.values.size == 1:
        one: float = value.values.reshape(-1)[0].item()
        return one
    raise EarthEngineError(f"Only numbers can be remapped here, not {value!r}.")
