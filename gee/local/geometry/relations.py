"""How two geometries lie to each other: touching, containing, distance; null geometries never meet (section 12 and 16)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.geometry import sphere
from gee.local.geometry.planes import check_lossy, metres, plane_for
from gee.local.geometry.shapes import EDGES_LIMIT, bent, rebuilt
from gee.local.grids.reprojection import transformed
from gee.local.pixels import Image
from gee.local.values import WGS84, Collection, ErrorMargin, Feature, Geometry, Projection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Place = Callable[[np.ndarray], np.ndarray]
QUARTER = math.pi / 8  # radians: longer edges are never taken as one great circle


def geometry_of(value: Any) -> Geometry | None:
    """Geometry of a geometry, feature, image or collection; None for null geometries and other values.

    Images without a footprint are unbounded. Geometries of a collection are put side by side.
    """
    if isinstance(value, Geometry):
        return value
    if isinstance(value, Feature):
        return value.geometry
    if isinstance(value, Image):
        return value.footprint or Geometry(None)
    if isinstance(value, Collection):
        return together(value)
    return None


def together(collection: Collection) -> Geometry | None:
    """All geometries of a collection merged into one; None where there is none.

    Raises
    ------
    EarthEngineError
        If they differ in CRS or in the kind of their edges.
    """
    found = [one for one in map(geometry_of, collection.elements) if one is not None]
    if len(found) <= 1 or any(one.shape is None for one in found):
        return next((one for one in found if one.shape is None), found[0] if found else None)
    if len({(one.crs, one.geodesic) for one in found}) > 1:
        raise EarthEngineError(
            "The geometries of the collection differ in projection or in the kind of their edges: transform them first."
        )
    return merged(found, None, None)


def merged(geometries: Sequence[Geometry], margin: ErrorMargin | None, proj: Projection | None) -> Geometry:
    """Union of bounded geometries: those of one planar kind in their CRS, others as `plane_for` says."""
    import shapely

    first = geometries[0]
    alike = not first.geodesic and all((one.crs, one.geodesic) == (first.crs, False) for one in geometries)
    plane = plane_for(geometries, proj or (Projection(first.crs) if alike else None))
    return plane.geometry(shapely.union_all([plane.shape(one, margin) for one in geometries]))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How geometries are compared: error margin, and the projection that replaces the sphere."""

    margin: ErrorMargin | None = None
    proj: Projection | None = None


SPHERE = Terms()


def intersects(left: Geometry, right: Geometry, terms: Terms = SPHERE) -> bool:
    """Whether geometries have a point in common; touching is enough."""
    import shapely

    if _empty(left) or _empty(right):
        return False
    if left.shape is None or right.shape is None:
        return True
    plane = plane_for([left, right], terms.proj)
    one, other = plane.shape(left, terms.margin), plane.shape(right, terms.margin)
    return bool(shapely.dwithin(one, other, plane.touch))


def contains(left: Geometry, right: Geometry, terms: Terms = SPHERE) -> bool:
    """Whether no point of `right` lies outside `left`; empty geometries are contained in nothing."""
    if _empty(left) or _empty(right):
        return False
    if left.shape is None or right.shape is None:
        return left.shape is None
    plane = plane_for([left, right], terms.proj)
    one, other = plane.shape(left, terms.margin), plane.shape(right, terms.margin)
    return bool(one.covers(other) or one.buffer(plane.touch, join_style="mitre").covers(other))


def distance(left: Geometry, right: Geometry, terms: Terms = SPHERE, *, spherical: bool = True) -> float:
    """Shortest way between geometries, in metres along the surface, or in units of a projection; infinite where one is empty.

    On the ellipsoid it is the geodesic between the two points that are nearest on the sphere (policy `distances`).
    """
    if _empty(left) or _empty(right):
        return float("inf")
    if left.shape is None or right.shape is None:
        return 0.0
    if terms.proj is not None:
        plane = plane_for([left, right], terms.proj)
        return float(plane.shape(left, terms.margin).distance(plane.shape(right, terms.margin)))
    if intersects(left, right, terms):
        return 0.0
    found = closest(left, right, terms.margin)
    if spherical:
        return found.angle * sphere.RADIUS
    from pyproj import Geod

    (lon1, lat1), (lon2, lat2) = sphere.degrees(np.vstack([found.left, found.right]))
    return float(Geod(ellps="WGS84").inv(lon1, lat1, lon2, lat2)[2])


def closest(left: Geometry, right: Geometry, margin: ErrorMargin | None) -> sphere.Nearest:
    """Shortest way on the sphere between bounded geometries that do not meet: one end of it is a vertex."""
    ours, theirs = arcs(left, margin), arcs(right, margin)
    best = sphere.Nearest(float("inf"), ours[0][0], theirs[0][0])
    for one in ours:
        for other in theirs:
            there = sphere.nearest(one, other)
            back = sphere.nearest(other, one)
            back = sphere.Nearest(back.angle, back.right, back.left)
            best = min(best, there, back, key=lambda found: found.angle)
    return best


def arcs(geometry: Geometry, margin: ErrorMargin | None) -> list[np.ndarray]:
    """Unit vectors of each line, ring and point of a bounded geometry, dims (point, 3) each, joined by great circles."""
    import shapely

    found = on_sphere(geometry, margin)
    lines = [
        shapely.get_coordinates(ring)
        for part in parts_of(found)
        for ring in ((part.exterior, *part.interiors) if isinstance(part, shapely.Polygon) else (part,))
    ]
    return [sphere.vectors(line) for line in lines if len(line)]


def on_sphere(geometry: Geometry, margin: ErrorMargin | None) -> BaseGeometry:
    """Shape in longitudes and latitudes whose edges are great circles; planar ones get points between."""
    if geometry.shape is None:
        raise EarthEngineError("An unbounded geometry has no edges.")

    def place(xy: np.ndarray) -> np.ndarray:
        lonlat = np.column_stack(transformed(xy[:, 0], xy[:, 1], geometry.crs, WGS84))
        if not np.isfinite(lonlat).all():
            raise EarthEngineError("A geometry lies outside the area of its projection.")
        return lonlat

    if geometry.geodesic:
        return bent(geometry, place, tolerance=math.inf)
    check_lossy(geometry, margin)
    return _with_arcs(geometry.shape, place, metres(margin))


def _with_arcs(shape: BaseGeometry, place: Place, error: float) -> BaseGeometry:
    """Planar edges with as many points as great circles between them need to stay within `error` metres."""
    made = 0

    def line(xy: np.ndarray) -> np.ndarray:
        ends = sphere.vectors(place(xy))
        middle = sphere.vectors(place((xy[1:] + xy[:-1]) / 2))
        normal = np.cross(ends[:-1], ends[1:])
        size = np.linalg.norm(normal, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            off = np.where(size > 0, np.abs(np.einsum("ij,ij->i", normal, middle)) / size, 0.0)
        span = sphere.angles(ends[:-1], middle) + sphere.angles(middle, ends[1:])
        pieces = np.maximum(np.ceil(np.sqrt(1.2 * off * sphere.RADIUS / error)), np.ceil(span / QUARTER)).astype(int)
        pieces = np.maximum(pieces, 1)
        nonlocal made
        made += int(pieces.sum())
        if made > EDGES_LIMIT:
            raise EarthEngineError("Geometry has too many edges")
        at = np.repeat(np.arange(len(pieces)), pieces)
        step = np.arange(len(at)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        part = (step / pieces[at])[:, None]
        inner = xy[at] * (1 - part) + xy[at + 1] * part
        return place(np.vstack([inner, xy[-1:]]))

    return rebuilt(shape, line)


def parts(geometry: Geometry) -> list[Geometry]:
    """Parts of a collection or multi-geometry, each with the CRS and edges of the whole."""
    if geometry.shape is None:
        return [geometry]
    return [Geometry(one, geometry.crs, geometry.geodesic, geometry.even_odd) for one in parts_of(geometry.shape)]


def parts_of(shape: BaseGeometry) -> Iterator[BaseGeometry]:
    """Points, lines, rings and polygons of a shape, also of collections of collections."""
    import shapely

    if isinstance(
        shape, shapely.GeometryCollection | shapely.MultiPoint | shapely.MultiLineString | shapely.MultiPolygon
    ):
        for part in shape.geoms:
            yield from parts_of(part)
    else:
        yield shape


def _empty(geometry: Geometry) -> bool:
    return geometry.shape is not None and geometry.shape.is_empty


def closest_pair(left: Geometry, right: Geometry, terms: Terms) -> tuple[Geometry, Geometry] | None:
    """Points of both that are nearest to each other, a common one where they meet; None where one is empty."""
    import shapely

    if _empty(left) or _empty(right):
        return None
    left, right = (right, right) if left.shape is None else (left, left if right.shape is None else right)
    if left.shape is None:
        point = Geometry(shapely.Point(0, 0))
        return point, point
    plane = plane_for([left, right], terms.proj)
    if terms.proj is not None or intersects(left, right, terms):
        ways = shapely.shortest_line(plane.shape(left, terms.margin), plane.shape(right, terms.margin))
        one, other = (plane.geometry(shapely.Point(xy)) for xy in ways.coords)
        return one, other
    found = closest(left, right, terms.margin)
    one, other = (Geometry(shapely.Point(xy)) for xy in sphere.degrees(np.vstack([found.left, found.right])))
    return one, other
