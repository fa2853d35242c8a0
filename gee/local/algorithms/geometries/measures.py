"""What a geometry is, how it is measured and how two of them lie; the same of features (section 16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.geometry import geojson, relations
from gee.local.geometry.measures import area, length
from gee.local.geometry.relations import Terms, geometry_of
from gee.local.table import algorithm
from gee.local.values import ErrorMargin, Geometry, Projection

Measure = Callable[[Geometry, ErrorMargin | None, Projection | None], float]
Relation = Callable[[Geometry, Geometry, Terms], bool]


def own(element: Any) -> Geometry:
    """Geometry of an element.

    Raises
    ------
    EarthEngineError
        If it is null.
    """
    found = geometry_of(element)
    if found is None:
        raise EarthEngineError("The feature's geometry is null.")
    return found


@algorithm("Geometry.type")
def type_(geometry: Geometry) -> str:
    """GeoJSON type."""
    return "Polygon" if geometry.shape is None else str(geometry.shape.geom_type)


@algorithm("Geometry.coordinates")
def coordinates(geometry: Geometry) -> list[Any]:
    """GeoJSON coordinates; those of each member of a collection of geometries."""
    return geojson.coordinates(geometry)


@algorithm("Geometry.geometries")
def geometries(geometry: Geometry) -> list[Geometry]:
    """Members of a collection of geometries; others are alone in the list."""
    shape: Any = geometry.shape
    if shape is None or shape.geom_type != "GeometryCollection":
        return [geometry]
    return [Geometry(one, geometry.crs, geometry.geodesic, geometry.even_odd) for one in shape.geoms]


@algorithm("Geometry.projection")
def projection(geometry: Geometry) -> Projection:
    """CRS of the coordinates, without pixels."""
    return Projection(geometry.crs)


@algorithm("Geometry.geodesic", "Geometry.edgesAreGeodesics")
def geodesic(geometry: Geometry) -> bool:
    """Whether edges are shortest paths on the sphere."""
    return geometry.geodesic


@algorithm("Geometry.isUnbounded")
def is_unbounded(geometry: Geometry) -> bool:
    """Whether the geometry is everywhere."""
    return geometry.shape is None


MEASURES: dict[str, Measure] = {
    "area": area,
    "length": lambda geometry, margin, proj: length(geometry, margin, proj, rings=False),
    "perimeter": lambda geometry, margin, proj: length(geometry, margin, proj, rings=True),
}

RELATIONS: dict[str, Relation] = {
    "intersects": relations.intersects,
    "disjoint": lambda left, right, terms: not relations.intersects(left, right, terms),
    "contains": relations.contains,
    "containedIn": lambda left, right, terms: relations.contains(right, left, terms),
}


def _measure(name: str, measure: Measure) -> list[Callable[..., float]]:
    @algorithm(f"Geometry.{name}", policies=("areas",))
    def of_geometry(geometry: Geometry, max_error: ErrorMargin | None, proj: Projection | None) -> float:
        return measure(geometry, max_error, proj)

    @algorithm(f"Feature.{name}", policies=("areas",))
    def of_feature(feature: Any, max_error: ErrorMargin | None, proj: Projection | None) -> float:
        return measure(own(feature), max_error, proj)

    return [of_geometry, of_feature]


def _relation(name: str, relation: Relation) -> Callable[..., bool]:
    @algorithm(f"Geometry.{name}", f"Feature.{name}", policies=("touching",))
    def function(left: Any, right: Any, max_error: ErrorMargin | None, proj: Projection | None) -> bool:
        return relation(own(left), own(right), Terms(margin=max_error, proj=proj))

    return function


MADE: list[Callable[..., Any]] = [
    *(function for name, measure in MEASURES.items() for function in _measure(name, measure)),
    *(_relation(name, relation) for name, relation in RELATIONS.items()),
]


@algorithm("Geometry.distance", "Feature.distance", policies=("distances",))
def distance(
    left: Any, right: Any, max_error: ErrorMargin | None, proj: Projection | None, *, spherical: bool
) -> float | None:
    """Shortest way in metres on the ellipsoid (on the sphere with `spherical`), or in units of a projection.

    Null where one of them is empty.
    """
    terms = Terms(margin=max_error, proj=proj)
    found = relations.distance(own(left), own(right), terms, spherical=spherical)
    return None if found == float("inf") else found


@algorithm("Geometry.withinDistance", "Feature.withinDistance", policies=("touching",))
def within_distance(
    left: Any, right: Any, distance: float, max_error: ErrorMargin | None, proj: Projection | None
) -> bool:
    """Whether geometries are at most a distance apart, in metres on the sphere or in units of a projection."""
    return relations.distance(own(left), own(right), Terms(margin=max_error, proj=proj)) <= distance


@algorithm("Geometry.closestPoints", "Feature.closestPoints")
def closest_points(
    left: Any, right: Any, max_error: ErrorMargin | None, proj: Projection | None
) -> dict[str, Geometry]:
    """Nearest points of both by `left` and `right`; none where one is empty."""
    found = relations.closest_pair(own(left), own(right), Terms(margin=max_error, proj=proj))
    return {} if found is None else {"left": found[0], "right": found[1]}


@algorithm("Geometry.closestPoint", "Feature.closestPoint")
def closest_point(left: Any, right: Any, max_error: ErrorMargin | None, proj: Projection | None) -> Geometry | None:
    """Point of the right one that is nearest to the left one; null where one is empty."""
    found = relations.closest_pair(own(left), own(right), Terms(margin=max_error, proj=proj))
    return None if found is None else found[1]
