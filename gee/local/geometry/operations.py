"""Geometries of geometries: put together, buffered, simplified, transformed (section 16)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.geometry import sphere
from gee.local.geometry.planes import REACH, Flat, Gnomonic, metres, plane_for, vertices
from gee.local.geometry.relations import SPHERE, Terms, arcs, on_sphere, parts, parts_of
from gee.local.geometry.shapes import rebuilt
from gee.local.grids.reprojection import metres_per_unit, parsed, transformed
from gee.local.values import WGS84, ErrorMargin, Geometry, Projection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

BUFFER_ERROR = 0.01  # of the distance
FEWEST, MOST = 8, 720  # corners of a circle
EVERYWHERE = Geometry(None)

Operation = Callable[["BaseGeometry", "BaseGeometry"], "BaseGeometry"]


def put_together(left: Geometry, right: Geometry, operation: str, terms: Terms = SPHERE) -> Geometry:
    """Intersection, union, difference or symmetricDifference of two geometries.

    On the sphere the result is geodesic, in EPSG:4326; in a projection it is planar.
    """
    import shapely

    if left.shape is None or right.shape is None:
        return _with_everything(left, right, operation)
    plane = plane_for([left, right], terms.proj)
    one, other = plane.shape(left, terms.margin), plane.shape(right, terms.margin)
    if one.is_empty or other.is_empty:
        kept = {"intersection": one if one.is_empty else other, "difference": one}
        return plane.geometry(kept.get(operation, other if one.is_empty else one))
    function: Operation = getattr(shapely, {"symmetricDifference": "symmetric_difference"}.get(operation, operation))
    try:
        return plane.geometry(function(one, other))
    except shapely.errors.GEOSException as error:  # of collections of points, lines and areas at once
        raise NotImplementedHereError(f"The {operation} of these geometries: {error}") from error


def _with_everything(left: Geometry, right: Geometry, operation: str) -> Geometry:
    import shapely

    if operation == "union":
        return EVERYWHERE
    if operation == "intersection":
        return right if left.shape is None else left
    both = left.shape is None and right.shape is None
    if both or (operation == "difference" and right.shape is None):
        return Geometry(shapely.GeometryCollection())
    raise NotImplementedHereError(f"The {operation} with an unbounded geometry: intersect with a region instead.")


def dissolved(geometry: Geometry, terms: Terms) -> Geometry:
    """Union of the parts of a geometry; single ones stay as they are."""
    import shapely

    if geometry.shape is None or len(list(parts_of(geometry.shape))) < 2:
        return geometry
    plane = plane_for([geometry], terms.proj)
    return plane.geometry(shapely.union_all([plane.shape(one, terms.margin) for one in parts(geometry)]))


def convex_hull(geometry: Geometry, terms: Terms) -> Geometry:
    """Smallest convex geometry around another: point, line or polygon."""
    if geometry.shape is None:
        return geometry
    plane = plane_for([geometry], terms.proj)
    return plane.geometry(plane.shape(geometry, terms.margin).convex_hull)


def buffered(geometry: Geometry, distance: float, terms: Terms) -> Geometry:
    """Everything within a distance of a geometry, or its inside further than that from its edge where negative.

    Circles have as many corners as keep their edges within the margin, 1 % of the distance by default.
    """
    if geometry.shape is None:
        return geometry
    if terms.proj is not None:
        quarter = max(_corners(distance, terms.margin) // 4, 2)
        flat = Flat(terms.proj.crs)
        return flat.geometry(flat.shape(geometry, terms.margin).buffer(distance, quad_segs=quarter))
    plane = plane_for([geometry], None)
    if isinstance(plane, Flat) or _reach(geometry, plane) + abs(distance) / sphere.RADIUS > REACH:
        raise NotImplementedHereError("Buffers of geometries that reach around a quarter of the globe.")
    inside = plane.shape(geometry, terms.margin)
    if distance == 0:
        return plane.geometry(inside)
    import shapely

    around = shapely.union_all(_strips(geometry, abs(distance), terms.margin, plane))
    return plane.geometry(shapely.union(inside, around) if distance > 0 else shapely.difference(inside, around))


def _reach(geometry: Geometry, plane: Gnomonic) -> float:
    found = vertices(geometry)
    centre = sphere.vectors(np.array([[plane.lon, plane.lat]]))
    return float(sphere.angles(found, centre).max()) if len(found) else 0.0


def _corners(distance: float, margin: ErrorMargin | None) -> int:
    """Corners of a circle whose edges stay within the margin."""
    known = margin is not None and bool(margin.value)
    share = metres(margin) / abs(distance) if known and distance else BUFFER_ERROR
    wanted = math.ceil(math.pi / math.acos(1 - min(share, 0.5)))
    return min(max(wanted, FEWEST), MOST)


def _strips(geometry: Geometry, distance: float, margin: ErrorMargin | None, plane: Gnomonic) -> list[BaseGeometry]:
    """Circles around the corners and strips along the edges of a geometry, on a gnomonic plane."""
    import shapely

    angle, count = distance / sphere.RADIUS, _corners(distance, margin)
    error = distance * BUFFER_ERROR if margin is None or not margin.value else metres(margin)
    found: list[BaseGeometry] = []
    for line in arcs(geometry, margin):
        circles = _circles(line, angle, count)
        flat = plane.flat(circles.reshape(-1, 3)).reshape(len(line), count, 2)
        found.extend(shapely.Polygon(circle) for circle in flat)
        for start, end in pairwise(line):
            strip = _strip(start, end, angle, error)
            if strip is not None:
                found.append(shapely.Polygon(plane.flat(strip)))
    return found


def _circles(centres: np.ndarray, angle: float, count: int) -> np.ndarray:
    """Unit vectors at an angle around unit vectors, dims (centre, corner, 3)."""
    helper = np.where(np.abs(centres[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    east = np.cross(helper, centres)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    north = np.cross(centres, east)
    turn = 2 * np.pi * np.arange(count) / count
    side = np.cos(turn)[None, :, None] * east[:, None] + np.sin(turn)[None, :, None] * north[:, None]
    return np.asarray(math.cos(angle) * centres[:, None] + math.sin(angle) * side)


def _strip(start: np.ndarray, end: np.ndarray, angle: float, error: float) -> np.ndarray | None:
    """Unit vectors around what lies beside an edge, dims (corner, 3); None for edges without length."""
    normal = np.cross(start, end)
    size = float(np.linalg.norm(normal))
    if size == 0:
        return None
    normal = normal / size
    span = math.atan2(size, float(start @ end))
    pieces = max(math.ceil(math.sqrt(span**2 / 8 * math.tan(angle) * sphere.RADIUS / error)), 1)
    t = np.linspace(0, span, pieces + 1)[:, None]
    along = np.cos(t) * start + np.sin(t) * np.cross(normal, start)
    left, right = (math.cos(angle) * along + sign * math.sin(angle) * normal for sign in (1, -1))
    return np.vstack([left, right[::-1]])


def simplified(geometry: Geometry, margin: ErrorMargin, proj: Projection | None) -> Geometry:
    """Geometry with fewer corners, none further than the margin from the original (Douglas and Peucker)."""
    if geometry.shape is None or margin.value is None:
        return geometry
    if proj is None and geometry.geodesic:
        plane: Gnomonic | Flat = plane_for([geometry], None)
    else:
        plane = Flat(geometry.crs if proj is None else proj.crs)
    unit = sphere.RADIUS if isinstance(plane, Gnomonic) else metres_per_unit(plane.crs)
    tolerance = margin.value if margin.unit == "projected" else margin.value / unit
    return plane.geometry(plane.shape(geometry, margin).simplify(tolerance))


def transform(geometry: Geometry, proj: Projection, margin: ErrorMargin | None, *, geodesic: bool | None) -> Geometry:
    """Geometry in another CRS; its edges are geodesic by default where that is geographic, and planar elsewhere."""
    if geometry.shape is None:
        return geometry
    if geodesic is None:
        geodesic = bool(parsed(proj.crs).is_geographic)
    if geometry.crs == proj.crs and geometry.geodesic == geodesic:
        return geometry
    if not geodesic:
        return Geometry(Flat(proj.crs).bent(geometry, margin), proj.crs, geodesic=False)
    lonlat = on_sphere(geometry, margin)

    def there(xy: np.ndarray) -> np.ndarray:
        found = np.column_stack(transformed(xy[:, 0], xy[:, 1], WGS84, proj.crs))
        if not np.isfinite(found).all():
            raise EarthEngineError(f"A geometry has no coordinates in the projection {proj.crs}.")
        return found

    return Geometry(rebuilt(lonlat, there), proj.crs, geodesic=True)


def in_projection(
    geometry: Geometry, proj: Projection | None, margin: ErrorMargin | None, *, geodesic: bool | None
) -> Geometry:
    """Geometry as it is, or in a projection with the same kind of edges unless another is asked for."""
    if proj is None:
        return geometry
    return transform(geometry, proj, margin, geodesic=geometry.geodesic if geodesic is None else geodesic)


def cut(geometry: Geometry, distances: Sequence[float], terms: Terms) -> Geometry:
    """Lines in pieces, cut at distances along each: metres on the sphere, or units of a projection.

    Other geometries give none.
    """
    import shapely
    from shapely.ops import substring

    pieces: list[shapely.LineString] = []
    flat = None if terms.proj is None else Flat(terms.proj.crs)
    shape = on_sphere(geometry, terms.margin) if flat is None else flat.shape(geometry, terms.margin)
    for line in parts_of(shape):
        if not isinstance(line, shapely.LineString):
            continue
        if flat is None:
            pieces.extend(shapely.LineString(piece) for piece in _pieces(shapely.get_coordinates(line), distances))
        else:
            ends = sorted({0.0, float(line.length), *(one for one in distances if 0 < one < line.length)})
            pieces.extend(shapely.LineString(substring(line, a, b).coords) for a, b in pairwise(ends))
    whole = shapely.MultiLineString(pieces)
    return Geometry(whole) if flat is None else flat.geometry(whole)


def _pieces(lonlat: np.ndarray, distances: Sequence[float]) -> list[np.ndarray]:
    """Longitudes and latitudes of the pieces of a line of great circles, cut at metres along it."""
    line = sphere.vectors(lonlat)
    spans = sphere.angles(line[1:], line[:-1])
    along = np.concatenate([[0.0], np.cumsum(spans)])
    cuts = sorted({one / sphere.RADIUS for one in distances if 0 < one / sphere.RADIUS < along[-1]})
    found = [lonlat[:1]]
    for place in cuts:
        edge = min(int(np.searchsorted(along, place, side="right")) - 1, len(spans) - 1)
        part = place - along[edge]
        span = spans[edge]
        vector = np.sin(span - part) * line[edge] + np.sin(part) * line[edge + 1]
        cut_at = sphere.degrees(vector[None], around=float(lonlat[edge, 0]))
        before = lonlat[(along > (cuts[len(found) - 2] if len(found) > 1 else 0.0)) & (along < place)]
        found[-1] = np.vstack([found[-1], before, cut_at])
        found.append(cut_at)
    rest = lonlat[along > (cuts[-1] if cuts else 0.0)]
    found[-1] = np.vstack([found[-1], rest])
    return found
