"""Constructors of geometries (section 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gee.local.algorithms.geometries import coordinates as parts
from gee.local.errors import EarthEngineError
from gee.local.geometry.shapes import rectangle, shape_in
from gee.local.table import algorithm
from gee.local.values import WGS84, ErrorMargin, Geometry, Projection

if TYPE_CHECKING:
    from shapely import Polygon

FULL_CIRCLE = 360.0
FINE = 1e-6  # degrees, about 0.1 m: edges of what lies around a ring


@algorithm("GeometryConstructors.Point")
def point(coordinates: list[float], crs: Projection | None) -> Geometry:
    """Point from x, y."""
    import shapely

    at = parts.frame(coordinates, crs=crs)
    return Geometry(shapely.Point(parts.point(coordinates, at)), at.projection.crs, at.geodesic)


@algorithm("GeometryConstructors.MultiPoint")
def multi_point(coordinates: list[Any], crs: Projection | None) -> Geometry:
    """Points from pairs of numbers or points."""
    import shapely

    at = parts.frame(coordinates, crs=crs)
    return Geometry(shapely.MultiPoint(parts.line(coordinates, at)), at.projection.crs, at.geodesic)


@algorithm("GeometryConstructors.LineString")
def line_string(
    coordinates: list[Any], *, crs: Projection | None, geodesic: bool | None, max_error: ErrorMargin | None
) -> Geometry:
    """Line through points."""
    import shapely

    del max_error  # vertices keep their places
    at = parts.frame(coordinates, crs=crs, geodesic=geodesic)
    points = parts.line(coordinates, at)
    parts.check_line(points)
    return Geometry(shapely.LineString(points), at.projection.crs, at.geodesic)


@algorithm("GeometryConstructors.LinearRing")
def linear_ring(
    coordinates: list[Any], *, crs: Projection | None, geodesic: bool | None, max_error: ErrorMargin | None
) -> Geometry:
    """Closed line through points: the first is added at the end where it is not there."""
    import shapely

    del max_error  # vertices keep their places
    at = parts.frame(coordinates, crs=crs, geodesic=geodesic)
    return Geometry(shapely.LinearRing(parts.ring(coordinates, at)), at.projection.crs, at.geodesic)


@algorithm("GeometryConstructors.MultiLineString")
def multi_line_string(
    coordinates: list[Any], *, crs: Projection | None, geodesic: bool | None, max_error: ErrorMargin | None
) -> Geometry:
    """Several lines, or a single one without a list around it."""
    import shapely

    del max_error  # vertices keep their places
    at = parts.frame(coordinates, crs=crs, geodesic=geodesic)
    lines = [one for one in parts.lines(coordinates, at) if one]
    for one in lines:
        parts.check_line(one)
    return Geometry(shapely.MultiLineString(lines), at.projection.crs, at.geodesic)


@algorithm("GeometryConstructors.Polygon")
def polygon(
    coordinates: list[Any],
    *,
    crs: Projection | None,
    geodesic: bool | None,
    max_error: ErrorMargin | None,
    even_odd: bool,
) -> Geometry:
    """Polygon from its shell and holes.

    With `even_odd` false the interior is left of the shell: a clockwise shell gives all the world but what it encloses,
    as the guide's example does; rings are not repaired.
    """
    import shapely

    del max_error  # vertices keep their places
    at = parts.frame(coordinates, crs=crs, geodesic=geodesic)
    rings = parts.rings(coordinates, at)
    shape = shapely.Polygon(rings[0], rings[1:]) if rings else shapely.Polygon()
    return _filled([shape], at, even_odd=even_odd, several=False)


@algorithm("GeometryConstructors.MultiPolygon")
def multi_polygon(
    coordinates: list[Any],
    *,
    crs: Projection | None,
    geodesic: bool | None,
    max_error: ErrorMargin | None,
    even_odd: bool,
) -> Geometry:
    """Several polygons, or a simple one; interiors as in `polygon`."""
    import shapely

    del max_error  # vertices keep their places
    at = parts.frame(coordinates, crs=crs, geodesic=geodesic)
    shapes = [shapely.Polygon(rings[0], rings[1:]) for rings in parts.polygons(coordinates, at)]
    return _filled(shapes, at, even_odd=even_odd, several=True)


@algorithm("GeometryConstructors.Rectangle")
def rectangle_(coordinates: list[Any], *, crs: Projection | None, geodesic: bool | None, even_odd: bool) -> Geometry:
    """Polygon from the low and the high corner."""
    import shapely

    at = parts.frame(coordinates, crs=crs, geodesic=geodesic)
    plain = parts.Frame(Projection(at.projection.crs), at.geodesic)
    corners = parts.line(coordinates, plain)
    if len(corners) != 2:
        raise EarthEngineError(f"A Rectangle has two corners, not {len(corners)}.")
    (x1, y1), (x2, y2) = corners
    ring = [at.place(*xy) for xy in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))]
    return _filled([shapely.Polygon(ring)], at, even_odd=even_odd, several=False)


@algorithm("GeometryConstructors.BBox")
def bbox(west: float, south: float, east: float, north: float) -> Geometry:
    """Planar rectangle between longitudes and latitudes; across the antimeridian where `east` is less than `west`."""
    south, north = max(south, -90.0), min(north, 90.0)
    if south > north:
        raise EarthEngineError(f"The south edge must be at most the north edge, not {south} and {north}.")
    if east - west >= FULL_CIRCLE:
        west, east = -180.0, 180.0
    else:
        width = (east - west) % FULL_CIRCLE
        west = (west + 180.0) % FULL_CIRCLE - 180.0
        east = west + width
    return Geometry(rectangle(west, south, east, north), WGS84, geodesic=False)


@algorithm("GeometryConstructors.MultiGeometry")
def multi_geometry(
    geometries: list[Geometry], *, crs: Projection | None, geodesic: bool | None, max_error: ErrorMargin | None
) -> Geometry:
    """Collection of geometries; they must share CRS and kind of edges."""
    import shapely

    del max_error  # nothing is transformed
    at = parts.frame(geometries, crs=None)
    for one in geometries:
        if one.shape is None:
            return one
    if (crs is not None and crs.crs != at.projection.crs) or geodesic not in (None, at.geodesic):
        raise EarthEngineError("Transform the geometries before they are put together: they have another projection.")
    shapes = [one.shape for one in geometries]
    return Geometry(shapely.GeometryCollection(shapes), at.projection.crs, at.geodesic)


def _filled(shapes: list[Polygon], at: parts.Frame, *, even_odd: bool, several: bool) -> Geometry:
    import shapely

    shape = shapely.MultiPolygon(shapes) if several else shapes[0]
    found = Geometry(shape, at.projection.crs, at.geodesic, even_odd)
    if even_odd or all(one.is_empty or one.exterior.is_ccw for one in shapes):
        return found
    if several:
        raise EarthEngineError("MultiPolygons with evenOdd=false and clockwise shells: reverse them or use Polygon.")
    ring = shape_in(found, WGS84, tolerance=FINE)
    return Geometry(rectangle(-180, -90, 180, 90).difference(shapely.make_valid(ring)), WGS84, geodesic=False)
