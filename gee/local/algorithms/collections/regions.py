"""Pixels of a region through all images of a collection (section 6)."""

from __future__ import annotations

from typing import Any

import numpy as np

from gee.local.algorithms.images.regions import pixel_value
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.geometry.shapes import shape_in
from gee.local.geometry.turns import within_one_turn
from gee.local.grids.reprojection import transformed
from gee.local.pixels import Image
from gee.local.reduction.stacks import stacks_of
from gee.local.regions.region_pixels import Region, Wanted, gather, region_of, working_projection
from gee.local.table import algorithm
from gee.local.values import WGS84, Collection, Geometry, Projection

MOST_VALUES = 1_048_576
FOOTPRINT_BEND = 1e-5  # degrees by which edges of footprints may lie off


@algorithm(
    "ImageCollection.getRegion",
    policies=(
        "ranges",
        "region_rows",
        "region_edges",
    ),
)
def get_region(
    collection: Collection,
    geometry: Geometry,
    scale: float | None,
    crs: Projection,
    crs_transform: list[float] | None,
    context: Context,
) -> list[list[Any]]:
    """Rows [id, longitude, latitude, time, bands …] after one of their names: per pixel, all images that reach it.

    Masked values are null; a pixel's images stand in the collection's order.
    """
    projection = working_projection(None, Wanted(scale=scale, crs=crs, crs_transform=crs_transform))
    region = region_of(geometry, projection)
    names = [name for name, _, _ in stacks_of(collection, context.policies)]
    header: list[Any] = ["id", "longitude", "latitude", "time", *names]
    count = region.count * max(len(names), 1) * len(collection.elements)
    if count > MOST_VALUES:
        raise EarthEngineError(
            f"Too many values: {region.count} pixels x {len(names)} bands x {len(collection.elements)} images > {MOST_VALUES}."
        )
    series = [_rows(image, names, region) for image in collection.elements]
    pixels = len(series[0]) if series else 0
    return [header, *(row for at in range(pixels) for row in (rows[at] for rows in series) if row is not None)]


def _rows(image: Image, names: list[str], region: Region) -> list[list[Any] | None]:
    """Row of each pixel of a region; None where the image does not reach."""
    found = gather(image, region, weighted=False)
    lon, lat = transformed(found.x, found.y, region.grid.crs, WGS84)
    order = [image.band_names.index(name) for name in names]
    index = image.properties.get("system:index") or (image.id or "").rsplit("/", 1)[-1] or None
    reach = _reached(image, lon, lat)
    return [
        [
            index,
            float(lon[at]),
            float(lat[at]),
            image.properties.get("system:time_start"),
            *(
                pixel_value(found.values[band][at], image.bands[band]) if found.masks[band][at] > 0 else None
                for band in order
            ),
        ]
        if reach[at]
        else None
        for at in range(lon.size)
    ]


def _reached(image: Image, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    import shapely

    shape = None if image.footprint is None else shape_in(image.footprint, WGS84, tolerance=FOOTPRINT_BEND)
    if shape is None:
        return np.ones(lon.shape, bool)
    return np.asarray(shapely.intersects_xy(within_one_turn(shape, WGS84), lon, lat))
