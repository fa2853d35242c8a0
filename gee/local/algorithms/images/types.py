"""Types of images' bands: casts and `cast` (section 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gee.local.bands.masks import nowhere
from gee.local.bands.names import checked
from gee.local.bands.pixel_types import ALIASES, INTEGERS, cast, named, nearest_to_zero
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import PixelType

CASTS = (*INTEGERS, *ALIASES, "float", "double")


def converted(band: Band, type_: PixelType) -> Band:
    """Band in another type: integers clamped and cut, floats rounded to 32 bits."""
    target = replace(type_, dimensions=band.type.dimensions)

    def compute(grid: Grid) -> Pixels:
        found = band.pixels(grid)
        return found._replace(data=cast(found.data, target))

    return replace(band, type=target, compute=compute)


def _named_cast(name: str) -> Callable[..., Image]:
    type_ = named(name)

    @algorithm(f"Image.{name}", f"Image.to{name.title()}")
    def function(value: Image) -> Image:
        return value.with_bands([converted(band, type_) for band in value.bands])

    return function


MADE = tuple(_named_cast(name) for name in CASTS)


@algorithm("Image.cast")
def cast_bands(image: Image, band_types: dict[str, Any], band_order: list[str] | None) -> Image:
    """Bands in given types, the missing ones fully masked; in the order given, else those that are new by name."""
    types = {name: _type(one) for name, one in band_types.items()}
    own = {band.name: converted(band, types[band.name]) if band.name in types else band for band in image.bands}
    for name in sorted(types):
        own.setdefault(name, masked_band(checked(name), types[name]))
    if band_order is None:
        return image.with_bands(list(own.values()))
    if sorted(band_order) != sorted(own):
        raise EarthEngineError(f"bandOrder must name each of the bands {list(own)} once, but is {band_order}.")
    return image.with_bands([own[name] for name in band_order])


def masked_band(name: str, type_: PixelType) -> Band:
    """Band without a valid pixel."""
    fill = np.float64(nearest_to_zero(type_))

    def compute(grid: Grid) -> Pixels:
        # an array band without pixels has arrays of length 0
        shape = (grid.height, grid.width, *[0] * type_.dimensions)
        return Pixels(np.broadcast_to(fill, shape), nowhere(grid))

    return Band(name, type_, compute)


def _type(value: Any) -> PixelType:
    if isinstance(value, PixelType):
        return value
    if isinstance(value, str):
        return named(value)
    raise EarthEngineError(f"A band's type is a name or a PixelType, not {value!r}.")
