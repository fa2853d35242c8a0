"""Coordinate lists of geometry constructors: nested numbers or geometries, in one CRS (section 16)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.evaluation.coercion import told
from gee.local.grids.reprojection import transformed
from gee.local.values import WGS84, Geometry, Projection

Line = list[tuple[float, float]]
RING_POINTS = 3


@dataclass(frozen=True)
class Frame:
    """CRS and kind of edges of a geometry that is being built."""

    projection: Projection
    geodesic: bool

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Coordinates in the CRS of coordinates in the projection, whose transform may have pixels."""
        a, b, c, d, e, f = self.projection.transform
        return a * x + b * y + c, d * x + e * y + f


def frame(given: Any, *, crs: Projection | None, geodesic: bool | None = None) -> Frame:
    """CRS and edges: as asked, else of the geometries among the coordinates, else EPSG:4326 and geodesic.

    Raises
    ------
    EarthEngineError
        If geometries that do not agree are mixed.
    """
    found = list(_geometries(given))
    if crs is None:
        codes = {one.crs for one in found}
        if len(codes) > 1:
            raise EarthEngineError(f"The projections of the inputs differ: {', '.join(sorted(codes))}. Specify a crs.")
        crs = Projection(codes.pop() if codes else WGS84)
    if geodesic is None:
        lines = {one.geodesic for one in found if one.shape is not None and one.shape.geom_type != "Point"}
        if len(lines) > 1:
            raise EarthEngineError("Some inputs are geodesic and some planar. Specify geodesic.")
        geodesic = lines.pop() if lines else all(one.geodesic for one in found)
    return Frame(crs, geodesic)


def point(given: Any, at: Frame) -> tuple[float, float]:
    """One point: a pair of numbers or a geometry."""
    if isinstance(given, Geometry):
        return _moved(given, at, "Point")[0]
    if not isinstance(given, list) or len(given) != 2 or not all(map(_number, given)):
        raise EarthEngineError(f"Invalid coordinates: a pair of numbers is needed, not {told(given)}.")
    return at.place(float(given[0]), float(given[1]))


def line(given: Any, at: Frame) -> Line:
    """Points of a line: a geometry, pairs, points, or numbers one after the other."""
    if isinstance(given, Geometry):
        return _moved(given, at, "LineString", "LinearRing")
    if not isinstance(given, list):
        raise EarthEngineError(f"Invalid coordinates: a list is needed, not {told(given)}.")
    if given and all(map(_number, given)):
        if len(given) % 2:
            raise EarthEngineError("Invalid number of coordinates: they come in pairs.")
        given = [list(pair) for pair in zip(given[::2], given[1::2], strict=True)]
    return [point(one, at) for one in given]


def lines(given: Any, at: Frame) -> list[Line]:
    """Several lines, or a single one without a list around it."""
    if isinstance(given, list) and given and not _is_line(given[0]):
        return [line(given, at)]
    return [line(one, at) for one in _listed(given)]


def check_line(points: Line) -> None:
    """Lines have two points or more, or none.

    Raises
    ------
    EarthEngineError
        If there is one.
    """
    if len(points) == 1:
        raise EarthEngineError("LineString requires at least 2 points.")


def ring(given: Any, at: Frame) -> Line:
    """Points of a ring, closed.

    Raises
    ------
    EarthEngineError
        If there are fewer than three.
    """
    points = line(given, at)
    if points and points[0] != points[-1]:
        points = [*points, points[0]]
    if len(points) < RING_POINTS + 1:
        raise EarthEngineError(f"LinearRing requires at least {RING_POINTS} points.")
    return points


def rings(given: Any, at: Frame) -> list[Line]:
    """Shell and holes of a polygon, or its shell without a list around it."""
    if isinstance(given, list) and given and not _is_line(given[0]):
        return [ring(given, at)]
    return [ring(one, at) for one in _listed(given)]


def polygons(given: Any, at: Frame) -> list[list[Line]]:
    """Rings of each polygon of several; of a single one where the list is less deep."""
    if not given:
        return []
    first = _listed(given)[0]
    if isinstance(first, Geometry) and first.shape is not None and first.shape.geom_type == "Polygon":
        return [[_moved(one, at, "Polygon")] for one in given]
    if isinstance(first, list) and first and isinstance(first[0], list | Geometry) and _is_line(first[0]):
        return [rings(one, at) for one in given]
    return [rings(given, at)]


def _is_line(one: Any) -> bool:
    if isinstance(one, Geometry):
        return one.shape is not None and one.shape.geom_type in {"LineString", "LinearRing"}
    return isinstance(one, list) and not (one and all(map(_number, one)) and len(one) == 2)


def _listed(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise EarthEngineError(f"Invalid coordinates: a list is needed, not {told(given)}.")
    return given


def _geometries(given: Any) -> Iterator[Geometry]:
    if isinstance(given, Geometry):
        yield given
    elif isinstance(given, Sequence) and not isinstance(given, str):
        for one in given:
            yield from _geometries(one)


def _moved(given: Any, at: Frame, *kinds: str) -> Line:
    """Points of a geometry in the CRS that is being built; a polygon's are those of its shell."""
    import shapely

    if not isinstance(given, Geometry):
        raise EarthEngineError(f"Invalid coordinates: geometries and others are mixed: {told(given)}.")
    shape = given.shape
    if shape is None or shape.geom_type not in kinds:
        found = "unbounded" if shape is None else shape.geom_type
        raise EarthEngineError(f"Invalid coordinates: a geometry of type {kinds[0]} is needed, not {found}.")
    if isinstance(shape, shapely.Polygon):
        if shape.interiors:
            raise EarthEngineError("Polygons with holes cannot be put together from geometries here: use coordinates.")
        shape = shape.exterior
    xy = np.asarray(shape.coords, dtype=np.float64)
    x, y = transformed(xy[:, 0], xy[:, 1], given.crs, at.projection.crs)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _number(one: Any) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
