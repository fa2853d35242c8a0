"""Area, length, centre and extent of a geometry (section 16)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gee.local import sphere
from gee.local.planes import Flat
from gee.local.relations import on_sphere, parts_of
from gee.local.shapes import rectangle
from gee.local.values import WGS84, ErrorMargin, Geometry, Projection

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

WORLD_AREA = 4 * math.pi * sphere.RADIUS**2


def area(geometry: Geometry, margin: ErrorMargin | None, proj: Projection | None) -> float:
    """Area in m² on the sphere (policy `areas`), or in units of a projection; overlapping parts count each."""
    if geometry.shape is None:
        return WORLD_AREA
    if proj is not None:
        return float(sum(one.area for one in _polygons(Flat(proj.crs).shape(geometry, margin))))
    steradians = 0.0
    for polygon in _polygons(on_sphere(geometry, margin)):
        steradians += abs(_left(polygon.exterior)) - sum(abs(_left(hole)) for hole in polygon.interiors)
    return steradians * sphere.RADIUS**2


def length(geometry: Geometry, margin: ErrorMargin | None, proj: Projection | None, *, rings: bool) -> float:
    """Length in m on the sphere (policy `areas`), or in units of a projection.

    Parameters
    ----------
    rings : of the edges of polygons; else of lines, linear rings included
    """
    import shapely

    if geometry.shape is None:
        return 0.0
    shape = on_sphere(geometry, margin) if proj is None else Flat(proj.crs).shape(geometry, margin)
    found = 0.0
    for part in parts_of(shape):
        if isinstance(part, shapely.Polygon) and rings:
            found += sum(_length(ring, flat=proj is not None) for ring in (part.exterior, *part.interiors))
        elif isinstance(part, shapely.LineString) and not rings:
            found += _length(part, flat=proj is not None)
    return found


def _length(line: BaseGeometry, *, flat: bool) -> float:
    import shapely

    if flat:
        return float(line.length)
    return sphere.length(sphere.vectors(shapely.get_coordinates(line))) * sphere.RADIUS


def centroid(geometry: Geometry, margin: ErrorMargin | None, proj: Projection | None) -> Geometry:
    """Point in the middle of the parts of highest dimension: on the sphere, or in the plane of a projection."""
    import shapely

    if geometry.shape is None:
        return Geometry(shapely.Point(0, 0))
    if proj is not None:
        return Geometry(Flat(proj.crs).shape(geometry, margin).centroid, proj.crs, geodesic=False)
    shape = on_sphere(geometry, margin)
    if shape.is_empty:
        return Geometry(shapely.Point())
    moment = _moment(shape)
    around = float(shapely.get_coordinates(shape)[:, 0].mean())
    return Geometry(shapely.Point(sphere.degrees(moment[None], around=around)[0]))


def _moment(shape: BaseGeometry) -> np.ndarray:
    import shapely

    parts = list(parts_of(shape))
    top = max(shapely.get_dimensions(part) for part in parts)
    if top == 2:
        polygons = list(_polygons(shape))
        total = np.zeros(3)
        for polygon in polygons:
            total += _inside(polygon.exterior) - sum((_inside(hole) for hole in polygon.interiors), np.zeros(3))
        if np.linalg.norm(total) > 0:
            return total
    lines = [sphere.vectors(shapely.get_coordinates(part)) for part in parts if shapely.get_dimensions(part) == top]
    if top == 0:
        return np.asarray(np.vstack(lines).sum(axis=0))
    return np.asarray(sum((sphere.line_moment(line) for line in lines), np.zeros(3)))


def _inside(ring: BaseGeometry) -> np.ndarray:
    import shapely

    found = sphere.vectors(shapely.get_coordinates(ring))
    return sphere.ring_moment(found) * (1 if sphere.ring_area(found) >= 0 else -1)


def _left(ring: BaseGeometry) -> float:
    import shapely

    return sphere.ring_area(sphere.vectors(shapely.get_coordinates(ring)))


def _polygons(shape: BaseGeometry) -> Iterator[Polygon]:
    """Polygons of a shape, made valid one by one by the even-odd rule."""
    import shapely

    for part in parts_of(shape):
        if isinstance(part, shapely.Polygon) and not part.is_empty:
            for polygon in parts_of(part if part.is_valid else shapely.make_valid(part)):
                if isinstance(polygon, shapely.Polygon):
                    yield polygon


def bounds(geometry: Geometry, margin: ErrorMargin | None, crs: str) -> Geometry:
    """Planar rectangle around a geometry in a CRS; in degrees it holds the bulge of geodesic edges."""
    import shapely

    if geometry.shape is None:
        return geometry
    if crs != WGS84:
        return Geometry(rectangle(*Flat(crs).shape(geometry, margin).bounds), crs, geodesic=False)
    if geometry.crs == WGS84 and not geometry.geodesic:
        return Geometry(rectangle(*geometry.shape.bounds), geodesic=False)
    shape = on_sphere(geometry, margin)
    if shape.is_empty:
        return Geometry(shapely.Polygon(), geodesic=False)
    west, south, east, north = _around(shape)
    return Geometry(rectangle(west, south, east, north), geodesic=False)


def _around(shape: BaseGeometry) -> tuple[float, float, float, float]:
    import shapely

    sides: list[tuple[float, float, float, float]] = []
    for part in parts_of(shape):
        lines = (part.exterior,) if isinstance(part, shapely.Polygon) else (part,)
        for line in lines:
            lonlat = shapely.get_coordinates(line)
            lon = np.unwrap(lonlat[:, 0], period=360.0)
            low, high = sphere.latitudes(sphere.vectors(lonlat))
            pole = abs(lon[-1] - lon[0]) > 180 and isinstance(part, shapely.Polygon)
            sides.append((-180.0, low, 180.0, 90.0) if pole and low > 0 else (lon.min(), low, lon.max(), high))
    west, south, east, north = np.array(sides).T
    return float(west.min()), float(south.min()), float(east.max()), float(north.max())
