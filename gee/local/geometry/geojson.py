"""Geometries as GeoJSON, with `crs`, `geodesic` and `evenOdd` where they are not the usual ones."""

from __future__ import annotations

from typing import Any

from gee.local.values import WGS84, Geometry

WORLD = [[[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0], [-180.0, -90.0]]]


def coordinates(geometry: Geometry) -> list[Any]:
    """Nested lists of numbers; an unbounded geometry is a rectangle around the world (section 16)."""
    if geometry.shape is None:
        return WORLD
    return _coordinates(geometry.shape)


def to_json(geometry: Geometry) -> dict[str, Any]:
    """GeoJSON object."""
    return {**_object(geometry.shape), **_edges(geometry)}


def _edges(geometry: Geometry) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if geometry.crs != WGS84:
        more["crs"] = {"type": "name", "properties": {"name": geometry.crs}}
    if not geometry.geodesic:
        more["geodesic"] = False
    if not geometry.even_odd:
        more["evenOdd"] = False
    return more


def _object(shape: Any) -> dict[str, Any]:
    if shape is None:
        return {"type": "Polygon", "coordinates": WORLD}
    if shape.geom_type == "GeometryCollection":
        return {"type": "GeometryCollection", "geometries": [_object(part) for part in shape.geoms]}
    return {"type": shape.geom_type, "coordinates": _coordinates(shape)}


def _coordinates(shape: Any) -> list[Any]:
    if shape.is_empty:
        return []
    if shape.geom_type == "Point":
        return [shape.x, shape.y]
    if shape.geom_type == "Polygon":
        return [_line(ring) for ring in (shape.exterior, *shape.interiors)]
    if shape.geom_type in ("LineString", "LinearRing"):
        return _line(shape)
    return [_coordinates(part) for part in shape.geoms]


def _line(line: Any) -> list[Any]:
    return [[float(x), float(y)] for x, y, *_ in line.coords]
