"""Longitudes that go on beyond the antimeridian, and shapes that are there again after a turn of the globe."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gee.local.grids.reprojection import parsed, transformed
from gee.local.values import WGS84, Geometry

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

FULL_TURN = 360.0  # degrees
WEB_MERCATOR, AROUND = "EPSG:3857", 2 * math.pi * 6378137.0


@lru_cache(maxsize=256)
def turn(crs: str) -> float | None:
    """Width of the globe in a CRS whose x is the longitude: degrees, or metres of Web Mercator; None of others."""
    if crs == WEB_MERCATOR:
        return AROUND
    return FULL_TURN if parsed(crs).is_geographic else None


def unwrapped(lonlat: np.ndarray) -> np.ndarray:
    """Longitudes without jumps, dims (point, 2); a ring around a pole goes over the pole and back."""
    found = np.column_stack([np.unwrap(lonlat[:, 0], period=FULL_TURN), lonlat[:, 1]])
    closed = len(found) > 2 and bool(np.array_equal(lonlat[0], lonlat[-1]))
    if not closed or abs(found[-1, 0] - found[0, 0]) < FULL_TURN / 2:
        return found
    pole = math.copysign(90.0, float(lonlat[:, 1].mean()))
    return np.vstack([found, [[found[-1, 0], pole], [found[0, 0], pole], found[0]]])


class Longitudes:
    """Longitudes of a geometry's points, without a jump at the antimeridian.

    Those of a geographic CRS are what they are; of another CRS they lie within half a turn of the geometry's middle.
    """

    def __init__(self, geometry: Geometry) -> None:
        import shapely

        self._crs, self._middle = geometry.crs, 0.0
        self._plain = turn(geometry.crs) == FULL_TURN
        if not self._plain and geometry.shape is not None and not geometry.shape.is_empty:
            x, y = shapely.box(*geometry.shape.bounds).centroid.coords[0]
            self._middle = float(transformed(np.array([x]), np.array([y]), geometry.crs, WGS84)[0][0])

    def of(self, xy: np.ndarray) -> np.ndarray:
        """Longitudes of points, dims (point, 2), in degrees."""
        if self._plain:
            return np.asarray(xy[:, 0])
        lon = transformed(xy[:, 0], xy[:, 1], self._crs, WGS84)[0]
        return np.asarray(lon + FULL_TURN * np.round((self._middle - lon) / FULL_TURN))


def repeated(shape: BaseGeometry, crs: str, *, west: float, east: float) -> BaseGeometry:
    """Shape of a CRS with all turns of it that reach between two x; the shape itself where the CRS has no turn."""
    import shapely
    from shapely.affinity import translate

    width = turn(crs)
    if width is None or shape.is_empty:
        return shape
    left, _, right, _ = shape.bounds
    turns = range(math.ceil((west - right) / width), math.floor((east - left) / width) + 1)
    if list(turns) in ([], [0]):
        return shape
    return shapely.union_all([translate(_valid(shape), width * one) for one in turns])


def within_one_turn(shape: BaseGeometry, crs: str) -> BaseGeometry:
    """Shape whose parts beyond the antimeridian are moved to the other side; itself where it has none."""
    import shapely

    width = turn(crs)
    if width is None or shape.is_empty:
        return shape
    left, low, right, high = shape.bounds
    half = width / 2
    if left >= -half and right <= half:
        return shape
    whole = repeated(shape, crs, west=-half, east=half)
    return shapely.intersection(_valid(whole), shapely.box(-half, low - 1, half, high + 1))


def _valid(shape: BaseGeometry) -> BaseGeometry:
    import shapely

    return shape if shape.is_valid else shapely.make_valid(shape)
