"""Images of collections of features (section 12)."""

from __future__ import annotations

import numpy as np

from gee.local.bands.pixel_types import ranged
from gee.local.errors import EarthEngineError
from gee.local.geometry import sphere
from gee.local.geometry.relations import arcs, geometry_of
from gee.local.grids.reprojection import transformed
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import WGS84, Collection, ErrorMargin


@algorithm("Collection.distance", policies=("areas",))
def distance(features: Collection, search_radius: float, max_error: float) -> Image:
    """Image of the metres from pixel centres to the nearest point, line or edge of a polygon, on the sphere.

    Masked beyond the search radius; edges count within polygons too.
    """
    found = [one for one in map(geometry_of, features.elements) if one is not None]
    if any(one.shape is None for one in found):
        raise EarthEngineError("An unbounded geometry has no edges.")
    lines = [line for one in found for line in arcs(one, ErrorMargin(abs(max_error)))]

    def compute(grid: Grid) -> Pixels:
        x, y = (part.ravel() for part in grid.centres())
        lonlat = np.column_stack(transformed(x, y, grid.crs, WGS84))
        known = np.isfinite(lonlat).all(axis=1)
        points = sphere.vectors(np.where(known[:, None], lonlat, 0.0))
        metres = np.full(len(points), np.inf)
        for line in lines:
            metres = np.minimum(metres, sphere.distances(points, line) * sphere.RADIUS)
        valid = known & (metres <= search_radius)
        shape = (grid.height, grid.width)
        return Pixels(np.where(valid, metres, 0.0).reshape(shape), valid.astype(np.float64).reshape(shape))

    return Image((Band("distance", ranged("double", 0.0, search_radius), compute),))
