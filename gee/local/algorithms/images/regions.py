"""Pixels of regions: reduced, sampled, taken out as arrays (section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.grids.reprojection import transformed
from gee.local.pixels import Band, Image
from gee.local.reduction.calling import plain
from gee.local.regions.region_pixels import Found, Wanted, gather, limited_region, region_of, working_projection
from gee.local.table import algorithm
from gee.local.values import WGS84, Array, Collection, Feature, Geometry, PixelType, Projection, Reducer

MOST_SAMPLED = 10_000_000  # pixels of a region that are looked at


@algorithm(
    "Image.reduceRegion",
    policies=(
        "region_edges",
        "mixed_weights",
        "best_effort",
        "empty_reductions",
    ),
)
def reduce_region(  # noqa: PLR0913 -- the arguments of Earth Engine's list
    image: Image,
    reducer: Reducer,
    geometry: Geometry | None,
    scale: float | None,
    crs: Projection | None,
    crs_transform: list[float] | None,
    max_pixels: int,
    tile_scale: float,
    *,
    best_effort: bool,
) -> dict[str, Any]:
    """Outputs of a reducer over the pixels of a region, by name.

    Unweighted reducers take pixels whose centre lies inside; weighted ones all, by the covered share in 8 bits or by
    their mask, whichever is less. Combined ones are weighted if any part is.
    """
    del tile_scale  # changes no result
    wanted = Wanted(scale=scale, crs=crs, crs_transform=crs_transform)
    projection = working_projection(_first(image), wanted)
    region = limited_region(_within(image, geometry), projection, most=max_pixels, best_effort=best_effort)
    found = gather(image, region, weighted=reducer.weighted)
    return reduced(image, reducer, found)


@algorithm(
    "Image.reduceRegions",
    policies=(
        "region_edges",
        "mixed_weights",
    ),
)
def reduce_regions(
    image: Image,
    collection: Collection,
    reducer: Reducer,
    scale: float | None,
    crs: Projection | None,
    crs_transform: list[float] | None,
    tile_scale: float,
    max_pixels_per_region: int | None,
) -> Collection:
    """Features with the outputs of a reducer over each, named as the outputs where the image has one band."""
    del tile_scale  # changes no result
    wanted = Wanted(scale=scale, crs=crs, crs_transform=crs_transform)
    projection = working_projection(_first(image), wanted)
    most = MOST_SAMPLED if max_pixels_per_region is None else max_pixels_per_region
    features = []
    for feature in collection.elements:
        more: Mapping[str, Any] = {}
        if feature.geometry is not None:
            found = gather(image, limited_region(feature.geometry, projection, most=most), weighted=reducer.weighted)
            more = reduced(image, reducer, found, bare=True)
        kept = {name: value for name, value in more.items() if value is not None}
        features.append(feature.with_properties({**feature.properties, **kept}))
    return collection.with_elements(features)


def reduced(image: Image, reducer: Reducer, found: Found, *, bare: bool = False) -> dict[str, Any]:
    """Outputs by name: per band where the reducer has one input (`band`, or `band_output` of several outputs).

    Parameters
    ----------
    bare : whether a single band's outputs are named without it

    Raises
    ------
    EarthEngineError
        If the reducer takes several inputs and the image has not as many bands.
    """
    weights = [np.minimum(mask, found.weights) if reducer.weighted else mask > 0 for mask in found.masks]
    if reducer.inputs != 1:
        if reducer.inputs != len(image.bands):
            raise EarthEngineError(f"Need {reducer.inputs} inputs for Reducer.{reducer.name}, got {len(image.bands)}.")
        outputs = reducer.reduce(found.values, [one * 1.0 for one in weights])
        return {name: plain(one, whole=True) for name, one in zip(reducer.outputs, outputs, strict=True)}
    table: dict[str, Any] = {}
    for band, values, weight in zip(image.bands, found.values, weights, strict=True):
        for name, one in zip(reducer.outputs, reducer.reduce([values], weight * 1.0), strict=True):
            table[_output_name(band.name, name, reducer, bare=bare and len(image.bands) == 1)] = plain(one, whole=True)
    return table


def _output_name(band: str, output: str, reducer: Reducer, *, bare: bool) -> str:
    if output == "groups" and reducer.name == "group":
        return output
    if bare:
        return output
    return band if len(reducer.outputs) == 1 else f"{band}_{output}"


# -- samples ----------------------------------------------------------------------------------------------------------


@algorithm(
    "Image.sample",
    policies=(
        "region_edges",
        "random_samples",
    ),
)
def sample(  # noqa: PLR0913 -- the arguments of Earth Engine's list
    image: Image,
    region: Geometry | None,
    scale: float | None,
    projection: Projection | None,
    factor: float | None,
    num_pixels: int | None,
    seed: int,
    tile_scale: float,
    *,
    drop_nulls: bool,
    geometries: bool,
) -> Collection:
    """One feature per pixel whose centre lies in the region, row by row, with the bands as properties.

    `factor` and `numPixels` choose at random, the same for the same seed, and not as Earth Engine chooses.
    """
    del tile_scale  # changes no result
    if factor is not None and num_pixels is not None:
        raise EarthEngineError("Can't specify both 'factor' and 'numPixels'.")
    working = working_projection(_first(image), Wanted(scale=scale, crs=projection))
    found = gather(image, limited_region(_within(image, region), working, most=MOST_SAMPLED), weighted=False)
    chosen = _chosen(found.weights.size, factor, num_pixels, seed)
    places = _places(found, working.crs, chosen) if geometries else None
    rows = _rows(image, found, chosen)
    kept = [index for index, row in enumerate(rows) if not (drop_nulls and None in row.values())]
    return Collection(
        tuple(
            Feature(None if places is None else places[index], rows[index], str(number))
            for number, index in enumerate(kept)
        )
    )


@algorithm("Image.sampleRegions", policies=("region_edges",))
def sample_regions(
    image: Image,
    collection: Collection,
    properties: list[str] | None,
    scale: float | None,
    projection: Projection | None,
    tile_scale: float,
    *,
    geometries: bool,
) -> Collection:
    """One feature per pixel of each region with the region's properties; pixels with a masked band are left out."""
    del tile_scale  # changes no result
    working = working_projection(_first(image), Wanted(scale=scale, crs=projection))
    features = []
    for feature in collection.elements:
        if feature.geometry is None:
            continue
        found = gather(image, limited_region(feature.geometry, working, most=MOST_SAMPLED), weighted=False)
        chosen = np.arange(found.weights.size)
        places = _places(found, working.crs, chosen) if geometries else None
        copied = _copied(feature.properties, properties)
        for index, row in enumerate(_rows(image, found, chosen)):
            if None not in row.values():
                name = f"{feature.id or 0}_{index}"
                features.append(Feature(None if places is None else places[index], {**copied, **row}, name))
    return Collection(tuple(features))


@algorithm("Image.sampleRectangle")
def sample_rectangle(
    image: Image,
    region: Geometry | None,
    properties: list[str] | None,
    default_value: float | None,
    default_array_value: Array | None,
) -> Feature:
    """Feature with one 2-D array per band, each in the band's own projection; masked pixels need `defaultValue`."""
    if default_array_value is not None:
        raise EarthEngineError("this local Earth Engine does not implement the argument 'defaultArrayValue'.")
    place = _within(image, region)
    arrays: dict[str, Any] = {}
    for band in image.bands:
        grid = region_of(place, working_projection(band, Wanted())).grid
        if grid.width * grid.height > MOST_RECTANGLE:
            raise EarthEngineError(
                f"Too many pixels in sample; must be <= {MOST_RECTANGLE}. Got {grid.width * grid.height}."
            )
        pixels = band.pixels(grid)
        if default_value is None and not pixels.mask.all():
            raise EarthEngineError(
                f"Fully or partially masked band '{band.name}' and no default value set. Set a default value with 'defaultValue'."
            )
        hole = (pixels.mask == 0).reshape(pixels.mask.shape + (1,) * (pixels.data.ndim - 2))
        arrays[band.name] = _as_array(np.where(hole, default_value or 0.0, pixels.data), band)
    return Feature(place, {**_copied(image.properties, properties), **arrays}, image.id)


MOST_RECTANGLE = 262_144  # pixels


def _first(image: Image) -> Band | None:
    return image.bands[0] if image.bands else None


def _within(image: Image, geometry: Geometry | None) -> Geometry:
    place = image.footprint if geometry is None else geometry
    if place is None:
        raise EarthEngineError("Unable to perform this aggregation on an unbounded region: specify a geometry.")
    return place


def _chosen(count: int, factor: float | None, number: int | None, seed: int) -> np.ndarray:
    if factor is not None:
        if not 0 < factor <= 1:
            raise EarthEngineError(f"Parameter 'factor' must be within (0, 1], not {factor}.")
        return np.flatnonzero(np.random.default_rng(abs(seed)).random(count) < factor)
    if number is not None and number < count:
        return np.sort(np.random.default_rng(abs(seed)).choice(count, number, replace=False))
    return np.arange(count)


def _rows(image: Image, found: Found, chosen: np.ndarray) -> list[dict[str, Any]]:
    columns = [
        [pixel_value(values[index], band) if mask[index] > 0 else None for index in chosen]
        for band, values, mask in zip(image.bands, found.values, found.masks, strict=True)
    ]
    return [dict(zip(image.band_names, row, strict=True)) for row in zip(*columns, strict=True)]


def pixel_value(value: Any, band: Band) -> Any:
    """Value of one pixel as a property: a number, or an array."""
    if np.ndim(value):
        return _as_array(value, band)
    return int(value) if band.type.precision == "int" else float(value)


def _as_array(values: np.ndarray, band: Band) -> Array:
    whole = band.type.precision == "int"
    type_ = PixelType(band.type.precision, band.type.low, band.type.high, values.ndim)
    return Array(np.asarray(values).astype(np.int64 if whole else np.float64), type_)


def _places(found: Found, crs: str, chosen: np.ndarray) -> list[Geometry]:
    from shapely import Point

    x, y = transformed(found.x[chosen], found.y[chosen], crs, WGS84)
    return [Geometry(Point(*xy)) for xy in zip(x.tolist(), y.tolist(), strict=True)]


def _copied(properties: Mapping[str, Any], names: Sequence[str] | None) -> dict[str, Any]:
    if names is None:
        return {name: value for name, value in properties.items() if not name.startswith("system:")}
    return {name: properties[name] for name in names if name in properties}
