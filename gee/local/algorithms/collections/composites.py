"""Images of a collection put together: mosaics, bands side by side, arrays; collections joined and cast (section 13)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gee.local.algorithms.images.bands import add_bands
from gee.local.algorithms.images.reductions import common_footprint
from gee.local.algorithms.images.types import cast_bands
from gee.local.bands.names import checked, joined
from gee.local.bands.pixel_types import union
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.reduction.bands_together import bands_together
from gee.local.reduction.calling import Output
from gee.local.reduction.stacks import images_of, over, stacks_of
from gee.local.table import algorithm
from gee.local.values import Collection, Projection

MOST_BANDS = 5000


@algorithm(
    "ImageCollection.mosaic",
    policies=(
        "ranges",
        "partial_mosaics",
    ),
)
def mosaic(collection: Collection, context: Context) -> Image:
    """Images painted over each other, the last on top, band by band; fractional masks let through what is below."""
    bands = [
        Band(name, type_, partial(over, stack), Projection())
        for name, type_, stack in stacks_of(collection, context.policies)
    ]
    return Image(tuple(bands), footprint=common_footprint(collection))


@algorithm(
    "ImageCollection.qualityMosaic",
    policies=(
        "ranges",
        "quality_ties",
    ),
)
def quality_mosaic(collection: Collection, quality_band: str, context: Context) -> Image:
    """Per pixel all bands of the image whose quality is highest, of several the last; masked quality never wins."""
    stacks = stacks_of(collection, context.policies)
    if not stacks:
        return Image()
    names = [name for name, _, _ in stacks]
    if quality_band not in names:
        raise EarthEngineError(f"Band pattern '{quality_band}' did not match any bands. Available bands: {names}")
    at = names.index(quality_band)

    def best(grid: Grid) -> list[Output]:
        shape = (grid.height, grid.width)
        highest = np.full(shape, -np.inf)
        data, masks = ([np.zeros(shape) for _ in stacks] for _ in range(2))
        for step in range(len(stacks[at][2])):
            quality = stacks[at][2][step].pixels(grid)
            wins = (quality.mask > 0) & (quality.data >= highest)
            highest = np.where(wins, quality.data, highest)
            for index, (_, _, stack) in enumerate(stacks):
                pixels = stack[step].pixels(grid)
                data[index] = np.where(wins, pixels.data, data[index])
                masks[index] = np.where(wins, pixels.mask, masks[index])
        return list(zip(data, masks, strict=True))

    bands = bands_together(names, [type_ for _, type_, _ in stacks], best, projection=Projection())
    return Image(tuple(bands), footprint=common_footprint(collection))


@algorithm("ImageCollection.toBands")
def to_bands(collection: Collection) -> Image:
    """All bands of all images, `id_band`, in the order of the collection."""
    bands: list[Band] = []
    for number, image in enumerate(images_of(collection)):
        prefix = str(_index(image) or number).rsplit("/", 1)[-1]
        bands += [replace(band, name=checked(f"{prefix}_{band.name}")) for band in image.bands]
    if len(bands) > MOST_BANDS:
        raise EarthEngineError(f"The image would have {len(bands)} bands; the maximum is {MOST_BANDS}.")
    return Image(joined((), bands), footprint=common_footprint(collection))


@algorithm("ImageCollection.toArray", policies=("ranges",))
def to_array(collection: Collection, context: Context) -> Image:
    """Array per pixel, axis 0 the images that are valid in all bands, axis 1 the bands; masked where there is none."""
    stacks = stacks_of(collection, context.policies)
    if not stacks:
        return Image()
    if any(type_.dimensions for _, type_, _ in stacks):
        raise EarthEngineError("Bands must have scalar values, not array values.")
    type_ = replace(union(*(one for _, one, _ in stacks)), dimensions=2)

    def compute(grid: Grid) -> Pixels:
        pixels = [[band.pixels(grid) for band in stack] for _, _, stack in stacks]
        data = np.stack([np.stack([one.data for one in stack], axis=-1) for stack in pixels], axis=-1)
        masks = np.stack([np.minimum.reduce([one.mask for one in step]) for step in zip(*pixels, strict=True)], axis=-1)
        return _compacted(data, masks)

    return Image((Band("array", type_, compute, Projection()),), footprint=common_footprint(collection))


@algorithm("ImageCollection.toArrayPerBand", policies=("ranges",))
def to_array_per_band(collection: Collection, axis: int, context: Context, *, drop_masked: bool) -> Image:
    """Array per pixel and band of the images' values; masked where any is, or with `dropMasked` shorter instead."""
    stacks = stacks_of(collection, context.policies)
    wrong = next((name for name, type_, _ in stacks if type_.dimensions), None)
    if wrong is not None:
        raise EarthEngineError(f"the band '{wrong}' has arrays, which this local Earth Engine does not concatenate.")
    if axis != 0:
        raise EarthEngineError(f"Axis {axis} is more than the dimensions of the bands, 0.")

    def compute(stack: list[Band], grid: Grid) -> Pixels:
        pixels = [band.pixels(grid) for band in stack]
        data = np.stack([one.data for one in pixels], axis=-1)
        masks = np.stack([one.mask for one in pixels], axis=-1)
        return _compacted(data, masks) if drop_masked else Pixels(data, masks.min(axis=-1))

    bands = [
        Band(name, replace(type_, dimensions=1), partial(compute, stack), Projection()) for name, type_, stack in stacks
    ]
    return Image(tuple(bands), footprint=common_footprint(collection))


def _compacted(data: np.ndarray, masks: np.ndarray) -> Pixels:
    """Arrays whose first axis keeps only the valid steps; mask of the pixel is the greatest of theirs.

    Parameters
    ----------
    data : dims (y, x, step, …)
    masks : dims (y, x, step)
    """
    valid = masks > 0
    mask = masks.max(axis=-1)
    if valid.all():
        return Pixels(data, mask)
    order = np.argsort(~valid, axis=-1, kind="stable")
    count = valid.sum(axis=-1)
    more = (1,) * (data.ndim - 3)
    kept = np.arange(valid.shape[-1]) < count[..., None]
    moved = np.take_along_axis(data, order.reshape(order.shape + more), axis=2)
    data = np.where(kept.reshape(kept.shape + more), moved, 0.0)[:, :, : max(int(count.max()), 1)]
    lengths = np.empty((*count.shape, data.ndim - 2), np.int64)
    lengths[..., 0] = count
    lengths[..., 1:] = data.shape[3:]
    return Pixels(data, mask, lengths)


@algorithm("ImageCollection.combine")
def combine(primary: Collection, secondary: Collection, *, overwrite: bool) -> Collection:
    """Images of the first that the second has too (by `system:index`), with its bands added."""
    others = {_index(image): image for image in images_of(secondary)}
    both = [
        add_bands(image, others[_index(image)], None, overwrite=overwrite)
        for image in images_of(primary)
        if _index(image) in others
    ]
    return primary.with_elements(both)


def _index(image: Image) -> Any:
    return image.properties.get("system:index", image.id)


@algorithm("ImageCollection.cast")
def cast(collection: Collection, band_types: dict[str, Any], band_order: list[str]) -> Collection:
    """Images with their bands in given types and order; missing ones are fully masked."""
    if sorted(band_order) != sorted(band_types):
        raise EarthEngineError("The names in bandOrder must match the keys of bandTypes.")
    kept = [
        image.with_bands([band for band in image.bands if band.name in band_types]) for image in images_of(collection)
    ]
    return collection.with_elements([cast_bands(image, band_types, band_order) for image in kept])
