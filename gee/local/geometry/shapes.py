"""Shapes of geometries in another CRS: edges are bent as far as a tolerance asks, geodesic ones along great circles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.geometry.turns import FULL_TURN, Longitudes, turn, unwrapped
from gee.local.grids.reprojection import transformed
from gee.local.values import WGS84, Geometry

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

ROUNDS = 14  # halvings of an edge
EDGES_LIMIT = 2_000_000


def shape_in(geometry: Geometry, crs: str, *, tolerance: float) -> BaseGeometry | None:
    """Shape of a geometry in a CRS; None where it is unbounded.

    Across the antimeridian x goes on beyond 180 degrees (`gee.local.geometry.turns` brings such shapes back).

    Parameters
    ----------
    tolerance : largest distance of the straight edges that come out from the true ones, in units of `crs`

    Raises
    ------
    EarthEngineError
        If it has no coordinates in that CRS, or too many edges.
    """
    if geometry.shape is None:
        return None
    if geometry.crs == crs and not geometry.geodesic:
        return geometry.shape

    if geometry.geodesic and turn(geometry.crs) is not None:
        geometry = replace(geometry, shape=rebuilt(geometry.shape, unwrapped))
    width = turn(crs)
    longitudes = None if width is None else Longitudes(geometry)

    def place(xy: np.ndarray) -> np.ndarray:
        found = np.column_stack(transformed(xy[:, 0], xy[:, 1], geometry.crs, crs))
        if not np.isfinite(found).all():
            raise EarthEngineError(f"A geometry has no coordinates in the projection {crs}.")
        if width is not None and longitudes is not None:
            found[:, 0] += width * np.round((longitudes.of(xy) / FULL_TURN) - found[:, 0] / width)
        return found

    return bent(geometry, place, tolerance=tolerance)


def rectangle(west: float, south: float, east: float, north: float) -> Polygon:
    """Polygon from its lower left corner on, counterclockwise."""
    import shapely

    return shapely.Polygon([(west, south), (east, south), (east, north), (west, north)])


def bent(geometry: Geometry, place: Callable[[np.ndarray], np.ndarray], *, tolerance: float) -> BaseGeometry:
    """Shape of a bounded geometry on another plane.

    Parameters
    ----------
    place : coordinates there of points, dims (point, 2), in the geometry's CRS
    tolerance : as in `shape_in`, in units of the plane; infinite where its edges are straight there already
    """
    if geometry.shape is None:
        raise EarthEngineError("An unbounded geometry has no shape.")
    return _shape(geometry.shape, _Bend(geometry, place, tolerance))


class _Bend:
    """Coordinates of lines from a geometry's CRS to a plane, with points added between."""

    def __init__(self, geometry: Geometry, place: Callable[[np.ndarray], np.ndarray], tolerance: float) -> None:
        self._source, self.points = geometry.crs, place
        self._geodesic, self._tolerance = geometry.geodesic, tolerance

    def line(self, xy: np.ndarray) -> np.ndarray:
        """Points of a line, dims (point, 2), with more where it bends."""
        there = self.points(xy)
        for _ in range(ROUNDS if math.isfinite(self._tolerance) else 0):
            middle = self._middles(xy)
            bent = self.points(middle)
            far = np.hypot(*(bent - (there[1:] + there[:-1]) / 2).T) > self._tolerance
            if not far.any():
                break
            if len(xy) + far.sum() > EDGES_LIMIT:
                raise EarthEngineError("Geometry has too many edges")
            at = np.flatnonzero(far) + 1
            xy = np.insert(xy, at, middle[far], axis=0)
            there = np.insert(there, at, bent[far], axis=0)
        return there

    def _middles(self, xy: np.ndarray) -> np.ndarray:
        straight: np.ndarray = (xy[1:] + xy[:-1]) / 2
        if not self._geodesic:
            return straight
        lon, lat = transformed(xy[:, 0], xy[:, 1], self._source, WGS84)
        vectors = _vectors(lon, lat)
        vector = vectors[1:] + vectors[:-1]
        middle_lon = np.degrees(np.arctan2(vector[:, 1], vector[:, 0]))
        middle_lat = np.degrees(np.arctan2(vector[:, 2], np.hypot(vector[:, 0], vector[:, 1])))
        around = (lon[1:] + lon[:-1]) / 2  # the same turn of the globe as the ends
        middle_lon += 360 * np.round((around - middle_lon) / 360)
        half = np.abs(lon[1:] - lon[:-1]) >= 180  # no shortest path between opposite meridians
        x, y = transformed(middle_lon, middle_lat, WGS84, self._source)
        curved = np.column_stack([x, y])
        curved[half] = straight[half]
        return curved


def _vectors(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(lon), np.radians(lat)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _shape(shape: BaseGeometry, bend: _Bend) -> BaseGeometry:
    return rebuilt(shape, bend.line, points=bend.points)


def rebuilt(
    shape: BaseGeometry,
    line: Callable[[np.ndarray], np.ndarray],
    *,
    points: Callable[[np.ndarray], np.ndarray] | None = None,
) -> BaseGeometry:
    """Shape with other coordinates.

    Parameters
    ----------
    line, points : new coordinates, dims (point, 2), of those of a line or ring (there may be more), and of a single
        point (`line` too where None)
    """
    import shapely

    if shape.is_empty:
        return shape
    if isinstance(shape, shapely.Polygon):
        rings = [line(shapely.get_coordinates(ring)) for ring in (shape.exterior, *shape.interiors)]
        return shapely.Polygon(rings[0], rings[1:])
    if isinstance(shape, shapely.LineString):
        return type(shape)(line(shapely.get_coordinates(shape)))
    if isinstance(shape, shapely.Point):
        return shapely.Point((points or line)(shapely.get_coordinates(shape))[0])
    kind: Any = type(shape)
    parts: BaseGeometry = kind([rebuilt(part, line, points=points) for part in shapely.get_parts(shape)])
    return parts
