"""Geometries made from geometries; of features the same with their properties (section 16)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gee.local.algorithms.geometries.measures import own
from gee.local.elements import properties
from gee.local.geometry import operations
from gee.local.geometry.measures import bounds, centroid
from gee.local.geometry.relations import Terms, geometry_of
from gee.local.table import algorithm
from gee.local.values import WGS84, ErrorMargin, Geometry, Projection

Result = Callable[[Geometry, ErrorMargin | None, Projection | None], Geometry]

RESULTS: dict[str, Result] = {
    "bounds": lambda one, margin, proj: bounds(one, margin, WGS84 if proj is None else proj.crs),
    "centroid": centroid,
    "convexHull": lambda one, margin, proj: operations.convex_hull(one, Terms(margin=margin, proj=proj)),
    "dissolve": lambda one, margin, proj: operations.dissolved(one, Terms(margin=margin, proj=proj)),
}
TOGETHER = ("intersection", "union", "difference", "symmetricDifference")


def _result(name: str, function: Result) -> list[Callable[..., Any]]:
    @algorithm(f"Geometry.{name}")
    def of_geometry(geometry: Geometry, max_error: ErrorMargin | None, proj: Projection | None) -> Geometry:
        return function(geometry, max_error, proj)

    @algorithm(f"Feature.{name}")
    def of_feature(feature: Any, max_error: ErrorMargin | None, proj: Projection | None) -> Any:
        return properties.with_geometry(feature, function(own(feature), max_error, proj))

    return [of_geometry, of_feature]


def _together(name: str) -> list[Callable[..., Any]]:
    @algorithm(f"Geometry.{name}", policies=("touching",))
    def of_geometries(
        left: Geometry, right: Geometry, max_error: ErrorMargin | None, proj: Projection | None
    ) -> Geometry:
        return operations.put_together(left, right, name, Terms(margin=max_error, proj=proj))

    @algorithm(f"Feature.{name}", policies=("touching",))
    def of_features(left: Any, right: Any, max_error: ErrorMargin | None, proj: Projection | None) -> Any:
        found = operations.put_together(own(left), own(right), name, Terms(margin=max_error, proj=proj))
        return properties.with_geometry(left, found)

    return [of_geometries, of_features]


MADE: list[Callable[..., Any]] = [
    *(one for name, function in RESULTS.items() for one in _result(name, function)),
    *(one for name in TOGETHER for one in _together(name)),
]


@algorithm("Geometry.buffer")
def buffer(geometry: Geometry, distance: float, max_error: ErrorMargin | None, proj: Projection | None) -> Geometry:
    """Everything within a distance: metres on the sphere, or units of a projection; negative ones shrink."""
    return operations.buffered(geometry, distance, Terms(margin=max_error, proj=proj))


@algorithm("Feature.buffer")
def buffer_feature(feature: Any, distance: float, max_error: ErrorMargin | None, proj: Projection | None) -> Any:
    """Feature with its geometry buffered."""
    return properties.with_geometry(feature, buffer(own(feature), distance, max_error, proj))


@algorithm("Geometry.simplify")
def simplify(geometry: Geometry, max_error: ErrorMargin, proj: Projection | None) -> Geometry:
    """Geometry with fewer corners, within a margin."""
    return operations.simplified(geometry, max_error, proj)


@algorithm("Feature.simplify")
def simplify_feature(feature: Any, max_error: ErrorMargin, proj: Projection | None) -> Any:
    """Feature with its geometry simplified."""
    return properties.with_geometry(feature, simplify(own(feature), max_error, proj))


@algorithm("Geometry.transform")
def transform(
    geometry: Geometry, proj: Projection, max_error: ErrorMargin | None, *, geodesic: bool | None
) -> Geometry:
    """Geometry in another CRS."""
    return operations.transform(geometry, proj, max_error, geodesic=geodesic)


@algorithm("Feature.transform")
def transform_feature(feature: Any, proj: Projection, max_error: ErrorMargin | None, *, geodesic: bool | None) -> Any:
    """Feature with its geometry in another CRS."""
    return properties.with_geometry(feature, operations.transform(own(feature), proj, max_error, geodesic=geodesic))


@algorithm("Geometry.cutLines")
def cut_lines(
    geometry: Geometry, distances: Sequence[float], max_error: ErrorMargin | None, proj: Projection | None
) -> Geometry:
    """Lines cut at distances along each of them; other geometries give none."""
    return operations.cut(geometry, distances, Terms(margin=max_error, proj=proj))


@algorithm("Feature.cutLines")
def cut_lines_feature(
    feature: Any, distances: Sequence[float], max_error: ErrorMargin | None, proj: Projection | None
) -> Any:
    """Feature with its lines cut."""
    return properties.with_geometry(feature, cut_lines(own(feature), distances, max_error, proj))


@algorithm("Element.geometry", "Feature.geometry", "Image.geometry")
def geometry(
    feature: Any, max_error: ErrorMargin | None, proj: Projection | None, *, geodesics: bool | None
) -> Geometry | None:
    """Geometry of an element, in a projection where one is given; null where it has none."""
    found = geometry_of(feature)
    return None if found is None else operations.in_projection(found, proj, max_error, geodesic=geodesics)
