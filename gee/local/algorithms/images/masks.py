"""Masks of images, and values chosen by tests: mask, updateMask, selfMask, unmask, where (sections 2 and 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gee.local.bands.arithmetic import matched, served
from gee.local.bands.masks import both, everywhere, is_everywhere
from gee.local.bands.pixel_types import bounds, nearest_to_zero, union
from gee.local.bands.ragged import aligned
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.regions.coverage import remembered
from gee.local.table import algorithm
from gee.local.values import Geometry, PixelType

Inside = Callable[[Grid], np.ndarray]
HALF = 0.5 - 1 / 510  # of a pixel, in steps of 8 bits


@algorithm("Image.mask", policies=("fractional_masks",))
def mask(image: Image, mask: Image | None) -> Image:
    """Image of the masks, or the image with its masks replaced inside its footprint; new pixels are nearest to 0."""
    if mask is None:
        return image.with_bands([_mask_of(band) for band in image.bands])
    inside = _inside(image)
    others = _numbers(served(image, mask, "mask"))
    return image.with_bands([_replaced(band, other, inside) for band, other in zip(image.bands, others, strict=True)])


def _replaced(band: Band, other: Band, inside: Inside) -> Band:
    fill = nearest_to_zero(band.type)

    def compute(grid: Grid) -> Pixels:
        own, value = band.pixels(grid), _as_mask(other.pixels(grid), other.type)
        if is_everywhere(own.mask):
            return own._replace(mask=value)
        fresh = own.mask == 0
        data = np.where(_like(fresh, own.data.ndim), fill, own.data)
        return own._replace(data=data, mask=np.where(fresh & ~inside(grid), 0.0, value))

    return replace(band, compute=compute)


def _inside(image: Image) -> Inside:
    """Whether pixels lie in an image's footprint, by half of their area."""
    if image.footprint is None or image.footprint.shape is None:
        return lambda grid: np.broadcast_to(np.True_, (grid.height, grid.width))
    covered = remembered([image.footprint])
    return lambda grid: covered(grid) >= HALF


@algorithm("Image.updateMask", policies=("fractional_masks",))
def update_mask(image: Image, mask: Image) -> Image:
    """Image valid only where the mask is too."""
    others = _numbers(served(image, mask, "mask"))
    return image.with_bands([_narrowed(band, one) for band, one in zip(image.bands, others, strict=True)])


@algorithm("Image.selfMask", policies=("fractional_masks",))
def self_mask(image: Image) -> Image:
    """Image valid only where it is not 0; values between 0 and 1 become the mask."""
    return image.with_bands([_narrowed(band, band) for band in _numbers(image.bands)])


@algorithm("Image.unmask")
def unmask(input_: Image, value: Image | None, *, same_footprint: bool) -> Image:
    """Image with value and mask of another (default 0) where its own mask is exactly 0, within its footprint."""
    found = replace(input_, footprint=input_.footprint if same_footprint else _union(input_, value))
    inside = _inside(found)
    values = [None] * len(input_.bands) if value is None else served(input_, value, "value")
    return found.with_bands([_filled(band, one, inside) for band, one in zip(input_.bands, values, strict=True)])


@algorithm("Image.where")
def where(input_: Image, test: Image, value: Image) -> Image:
    """Image with values of another where a test is not 0; kept where test or value is masked."""
    tests = _numbers(served(input_, test, "test"))
    values = served(input_, value, "value")
    return input_.with_bands(
        [_chosen(band, one, other) for band, one, other in zip(input_.bands, tests, values, strict=True)]
    )


def _narrowed(band: Band, other: Band) -> Band:
    def compute(grid: Grid) -> Pixels:
        own = band.pixels(grid)
        return own._replace(mask=both(own.mask, _as_mask(other.pixels(grid), other.type)))

    return replace(band, compute=compute)


def _as_mask(pixels: Pixels, type_: PixelType) -> np.ndarray:
    """Values as a mask: limited to 0 … 1, and 0 where they are masked themselves."""
    low, high = bounds(type_)
    value = pixels.data if low >= 0 and high <= 1 else np.clip(pixels.data, 0.0, 1.0)
    return value if is_everywhere(pixels.mask) else np.where(pixels.mask > 0, value, 0.0)


def _mask_of(band: Band) -> Band:
    def compute(grid: Grid) -> Pixels:
        return Pixels(band.pixels(grid).mask, everywhere(grid))

    return replace(band, type=PixelType("float", 0.0, 1.0), compute=compute)


def _filled(band: Band, other: Band | None, inside: Inside) -> Band:
    zero = PixelType("int", 0, 0)
    type_ = union(band.type, zero if other is None else other.type)

    def compute(grid: Grid) -> Pixels:
        own = band.pixels(grid)
        if is_everywhere(own.mask):
            return own
        gaps = (own.mask == 0) & inside(grid)
        if other is None:
            data = np.where(_like(gaps, own.data.ndim), 0.0, own.data)
            return own._replace(data=data, mask=np.where(gaps, 1.0, own.mask))
        return chosen(gaps, other.pixels(grid), own)

    return replace(band, type=type_, compute=compute)


def _chosen(band: Band, test: Band, value: Band) -> Band:
    def compute(grid: Grid) -> Pixels:
        own, asked, other = band.pixels(grid), test.pixels(grid), value.pixels(grid)
        taken = (asked.data != 0) & (asked.mask > 0) & (other.mask > 0) & (own.mask > 0)
        return chosen(taken, other, own)._replace(mask=own.mask)

    return replace(band, type=union(band.type, value.type), compute=compute)


def chosen(taken: np.ndarray, first: Pixels, second: Pixels) -> Pixels:
    """Pixels of the first where `taken`, else of the second; numbers spread over arrays."""
    mask = np.where(taken, first.mask, second.mask)
    if first.data.ndim != second.data.ndim:
        left, right, lengths = matched(first, second)
        return Pixels(np.where(_like(taken, max(left.ndim, right.ndim)), left, right), mask, lengths)
    (left, right), both_lengths = aligned(first, second)
    data = np.where(_like(taken, left.ndim), left, right)
    if both_lengths is None:
        return Pixels(data, mask)
    return Pixels(data, mask, np.where(taken[..., None], *both_lengths))


def _like(taken: np.ndarray, dimensions: int) -> np.ndarray:
    return taken.reshape(*taken.shape, *[1] * (dimensions - 2))


def _numbers(bands: Sequence[Band]) -> Sequence[Band]:
    for band in bands:
        if band.type.dimensions:
            raise EarthEngineError(f"Band '{band.name}' holds arrays, where numbers are needed.")
    return bands


def _union(image: Image, other: Image | None) -> Geometry | None:
    """Footprint of both; unbounded where one is, and where no value is given, as a constant is."""
    one, two = image.footprint, None if other is None else other.footprint
    if one is None or two is None or one.shape is None or two.shape is None:
        return None
    if one.crs != two.crs:
        raise EarthEngineError("sameFootprint=false of images whose footprints have different projections.")
    return replace(one, shape=one.shape.union(two.shape))
