"""Images: made from constants and assets, their bands chosen, named and put together (section 4)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from gee.local.bands.masks import everywhere
from gee.local.bands.names import checked, joined, selected
from gee.local.bands.pixel_types import of_array, of_number
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import Array, Date, PixelType

BANDS_LIMIT = 5000  # of one image


def constant_band(name: str, value: float | Array, type_: PixelType | None = None) -> Band:
    """Band of one value everywhere, valid everywhere."""
    if isinstance(value, Array):
        block = np.asarray(value.values, np.float64)
        made = of_array(value)
    else:
        block, made = np.asarray(float(value)), of_number(value)

    def compute(grid: Grid) -> Pixels:
        return Pixels(np.broadcast_to(block, (grid.height, grid.width, *block.shape)), everywhere(grid))

    return Band(name, type_ or made, compute)


@algorithm("Image.constant")
def constant(value: Any) -> Image:
    """Image of a number or an array (band `constant`), or of a list of them (`constant_0`, `constant_1` …)."""
    if isinstance(value, list):
        return Image(tuple(constant_band(f"constant_{index}", _pixel(one)) for index, one in enumerate(value)))
    return Image((constant_band("constant", _pixel(value)),))


def _pixel(value: Any) -> float | Array:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float | Array):
        return value
    raise EarthEngineError(f"Parameter 'value' must be a number, an Array or a list of them, not {value!r}.")


@algorithm("Image.load")
def load(id_: str, version: int, context: Context) -> Image:
    """Image of the catalogue."""
    if context.catalogue is None:
        raise EarthEngineError(f"Image asset '{id_}' not found (does not exist or caller does not have access).")
    if version != -1:
        raise EarthEngineError(f"version {version} of an asset is not kept by this local Earth Engine.")
    image: Image = context.catalogue.load_image(id_)
    return image


@algorithm("Image.bandNames")
def band_names(image: Image) -> list[str]:
    """Names in order."""
    return image.band_names


@algorithm("Image.bandTypes")
def band_types(image: Image) -> dict[str, PixelType]:
    """Type of each band by name."""
    return {band.name: band.type for band in image.bands}


@algorithm("Image.date")
def date(image: Image) -> Date | None:
    """Date of `system:time_start`; null where there is none."""
    start = image.properties.get("system:time_start")
    return start if start is None or isinstance(start, Date) else Date(int(start))


@algorithm("Image.select")
def select(input_: Image, band_selectors: list[Any], new_names: list[str] | None = None) -> Image:
    """Bands by name, pattern on the whole name, or index, in the order of the selectors."""
    image = input_.with_bands(selected(input_, band_selectors))
    if new_names is None:
        return image
    renamed: Image = rename(image, new_names)
    return renamed


@algorithm("Image.rename")
def rename(input_: Image, names: list[str]) -> Image:
    """Same bands under other names."""
    if len(names) != len(input_.bands):
        raise EarthEngineError(
            f"The number of names ({len(names)}) must match the number of bands ({len(input_.bands)})."
        )
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise EarthEngineError(
            f"Can't add a band named '{twice}' to image because a band with this name already exists. "
            f"Existing bands: [{', '.join(dict.fromkeys(names))}]."
        )
    return input_.with_bands(
        [replace(band, name=checked(name)) for band, name in zip(input_.bands, names, strict=True)]
    )


@algorithm("Image.regexpRename")
def regexp_rename(input_: Image, regex: str, replacement: str, *, all_: bool) -> Image:
    """Names with what a pattern matches replaced, everywhere or once; `$1` is the first group."""
    group = re.sub(r"\$(\d)", r"\\\1", replacement.replace("\\", "\\\\"))
    try:
        names = [re.sub(regex, group, name, count=0 if all_ else 1) for name in input_.band_names]
    except re.error as error:
        raise EarthEngineError(f"Invalid regular expression '{regex}': {error}.") from error
    renamed: Image = rename(input_, names)
    return renamed


@algorithm("Image.addBands")
def add_bands(dst_img: Image, src_img: Image, names: list[str] | None, *, overwrite: bool) -> Image:
    """Bands of both; a name that is taken gets `_1`, `_2` …, or replaces the band where it is."""
    more = src_img.bands if names is None else selected(src_img, list(names))
    if not overwrite:
        return dst_img.with_bands(joined(dst_img.bands, more))
    news = {band.name: band for band in more}
    kept = [news.pop(band.name, band) for band in dst_img.bands]
    return dst_img.with_bands([*kept, *news.values()])


@algorithm("Image.cat")
def cat(images: list[Any]) -> Image:
    """Bands of all, names suffixed where they clash; metadata of the first."""
    parts = [one if isinstance(one, Image) else constant(one) for one in images]
    if not parts:
        return Image()
    bands: tuple[Band, ...] = ()
    for part in parts:
        bands = joined(bands, part.bands)
    return parts[0].with_bands(bands)


@algorithm("Image.slice")
def slice_(image: Image, start: int, end: int | None) -> Image:
    """Bands from `start` to before `end`; negative positions count from the end."""
    return image.with_bands(image.bands[start:end])


@algorithm("Image.metadata")
def metadata(image: Image, property_: str, name: str | None) -> Image:
    """Constant double band of a property's value."""
    value = image.properties.get(property_)
    value = value.millis if isinstance(value, Date) else value
    if not isinstance(value, int | float):
        raise EarthEngineError(f"Property '{property_}' is {'missing' if value is None else 'not a number'}.")
    band = constant_band(checked(name or property_), float(value))
    return image.with_bands([band])
