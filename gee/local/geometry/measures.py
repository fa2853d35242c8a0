"""Area, length, centre and extent of a geometry (section 16)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gee.local.geometry import sphere
from gee.local.geometry.planes import Flat, Gnomonic, plane_for
from gee.local.geometry.relations import arcs, on_sphere, parts, parts_of
from gee.local.geometry.shapes import rectangle
from gee.local.values import WGS84, ErrorMargin, Geometry, Projection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

WORLD_AREA = 4 * math.pi * sphere.RADIUS**2


def area(geometry: Geometry, margin: ErrorMargin | None, proj: Projection | None) -> float:
    """Area in m² on the sphere (policy `areas`), or in units of a projection; overlapping parts count each."""
    if geometry.shape is None:
        return WORLD_AREA
    if proj is not None:
        return float(sum(Flat(proj.crs).shape(part, margin).area for part in parts(geometry)))
    return sum(_area(part, margin) for part in parts(geometry)) * sphere.RADIUS**2


def _area(part: Geometry, margin: ErrorMargin | None) -> float:
    """Steradians of one polygon; 0 of other parts."""
    plane = plane_for([part], None)
    rings = _rings(plane, part, margin)
    if isinstance(plane, Gnomonic):
        return sum(sphere.ring_area(sphere.vectors(plane.round(ring))) for ring in rings)
    return sum(sphere.planar_area(ring) for ring in rings)


def _rings(plane: Gnomonic | Flat, part: Geometry, margin: ErrorMargin | None) -> list[np.ndarray]:
    """Coordinates of the rings of a polygon on a plane: shells counterclockwise, holes clockwise."""
    import shapely

    polygons = [
        one for one in parts_of(plane.shape(part, margin)) if isinstance(one, shapely.Polygon) and not one.is_empty
    ]
    return [
        shapely.get_coordinates(ring)
        for one in polygons
        for polygon in (shapely.orient_polygons(one),)
        for ring in (polygon.exterior, *polygon.interiors)
    ]


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
    found = [part for part in parts(geometry) if part.shape is not None and not part.shape.is_empty]
    if not found:
        return Geometry(shapely.Point())
    top = max(shapely.get_dimensions(part.shape) for part in found)
    moment = np.zeros(3)
    for part in found:
        if shapely.get_dimensions(part.shape) == top:
            moment += _moment(part, margin)
    around = float(shapely.get_coordinates(on_sphere(found[0], margin))[:, 0].mean())
    return Geometry(shapely.Point(sphere.degrees(moment[None], around=around)[0]))


def _moment(part: Geometry, margin: ErrorMargin | None) -> np.ndarray:
    """Integral of the position over a polygon, along a line, or of a point; dims (3,)."""
    import shapely

    total = np.zeros(3)
    if isinstance(part.shape, shapely.Polygon):
        plane = plane_for([part], None)
        for ring in _rings(plane, part, margin):
            lonlat = plane.round(ring) if isinstance(plane, Gnomonic) else ring
            total += sphere.ring_moment(sphere.vectors(lonlat))
        return total
    for line in arcs(part, margin):
        total += line.sum(axis=0) if len(line) == 1 else sphere.line_moment(line)
    return total


def bounds(geometry: Geometry, margin: ErrorMargin | None, crs: str) -> Geometry:
    """Planar rectangle around a geometry in a CRS; in degrees it holds the bulge of geodesic edges."""
    import shapely

    if geometry.shape is None:
        return geometry
    if geometry.shape.is_empty:
        return Geometry(shapely.Polygon(), crs, geodesic=False)
    if crs != WGS84:
        return Geometry(rectangle(*Flat(crs).shape(geometry, margin).bounds), crs, geodesic=False)
    if geometry.crs == WGS84 and not geometry.geodesic:
        return Geometry(rectangle(*geometry.shape.bounds), geodesic=False)
    shape = on_sphere(geometry, margin)
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
