"""Functions of bands: paired by position, arrays with numbers, masks combined (sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gee.local.bands.masks import both, finite
from gee.local.bands.ragged import aligned, belonging
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.values import PixelType

Unary = Callable[[np.ndarray], np.ndarray]
Binary = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mapped(band: Band, function: Unary, type_: PixelType) -> Band:
    """Band of a function of each number; what is not finite is masked."""

    def compute(grid: Grid) -> Pixels:
        found = band.pixels(grid)
        return finite(_blank(function(found.data), found), found.mask, found.lengths)

    return replace(band, type=replace(type_, dimensions=band.type.dimensions), compute=compute, size=None)


def combined(first: Band, second: Band, function: Binary, type_: PixelType) -> Band:
    """Band of a function of each pair of numbers, valid where both are; named and placed as the first.

    A number with an array goes with each of its elements; two arrays must have one shape.
    """
    dimensions = max(first.type.dimensions, second.type.dimensions)
    if first.type.dimensions and second.type.dimensions and first.type.dimensions != second.type.dimensions:
        raise EarthEngineError(
            f"Bands '{first.name}' and '{second.name}' have arrays of {first.type.dimensions} and "
            f"{second.type.dimensions} dimensions."
        )

    def compute(grid: Grid) -> Pixels:
        one, other = first.pixels(grid), second.pixels(grid)
        left, right, lengths = matched(one, other)
        mask = both(one.mask, other.mask)
        result = Pixels(function(left, right), mask, lengths)
        return finite(_blank(result.data, result), mask, lengths)

    return replace(first, type=replace(type_, dimensions=dimensions), compute=compute, size=None)


def matched(one: Pixels, other: Pixels) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Data of two bands that numpy can combine, and the lengths of the result.

    Raises
    ------
    EarthEngineError
        If both are arrays and differ in shape at a pixel that is valid in both.
    """
    if one.data.ndim == other.data.ndim == 2:
        return one.data, other.data, None
    if one.data.ndim == 2:
        return _beside(one.data, other.data), other.data, other.lengths
    if other.data.ndim == 2:
        return one.data, _beside(other.data, one.data), one.lengths
    (left, right), lengths = aligned(one, other)
    if lengths is None:
        return left, right, None
    wrong = (lengths[0] != lengths[1]).any(axis=-1) & (both(one.mask, other.mask) > 0)
    if wrong.any():
        first, second = (tuple(each[wrong][0].tolist()) for each in lengths)
        raise EarthEngineError(f"Arrays must have the same lengths on all axes, not {first} and {second}.")
    return left, right, np.minimum(*lengths)


def paired(image1: Image, image2: Image) -> list[tuple[Band, Band]]:
    """Bands by position, a single one with each of the other side; named and placed as section 3 says.

    Raises
    ------
    EarthEngineError
        If the images differ in their number of bands and neither has one.
    """
    first, second = image1.bands, image2.bands
    if len(first) == len(second):
        return list(zip(first, second, strict=True))
    if len(second) == 1:
        return [(band, second[0]) for band in first]
    if len(first) == 1:
        return [(replace(first[0], name=band.name), band) for band in second]
    raise EarthEngineError(
        f"Images must contain the same number of bands or one band, but have {len(first)} and {len(second)}."
    )


def served(image: Image, other: Image, what: str) -> list[Band]:
    """Bands of another image for each band of this one: a single one serves all.

    Raises
    ------
    EarthEngineError
        If it has another number of bands than one or the image's.
    """
    if len(other.bands) == 1:
        return [other.bands[0]] * len(image.bands)
    if len(other.bands) != len(image.bands):
        raise EarthEngineError(
            f"The {what} must have one band or as many as the image, {len(image.bands)}, not {len(other.bands)}."
        )
    return list(other.bands)


def _beside(data: np.ndarray, arrays: np.ndarray) -> np.ndarray:
    return data.reshape(*data.shape, *[1] * (arrays.ndim - 2))


def _blank(data: np.ndarray, like: Pixels) -> np.ndarray:
    """Data with 0 where nothing belongs to the pixel's array."""
    inside = belonging(like)
    return data if inside is None else np.where(inside, data, 0.0)
