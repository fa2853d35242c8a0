"""JSON of geometries, features and collections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.geometry import geojson
from gee.local.pixels import Image
from gee.local.values import Collection, Feature, Geometry

ELEMENTS_LIMIT = 5000


def _geometry(value: Geometry) -> Any:
    return encode(geojson.to_json(value))


def _feature(value: Feature) -> Any:
    body: dict[str, Any] = {"type": "Feature", "geometry": encode(value.geometry)}
    if value.id is not None:
        body["id"] = value.id
    return body | {"properties": encode(dict(value.properties))}


def _collection(value: Collection) -> Any:
    if len(value.elements) > ELEMENTS_LIMIT:
        raise EarthEngineError(f"Collection query aborted after accumulating over {ELEMENTS_LIMIT} elements")
    images = isinstance(value.elements[0], Image) if len(value.elements) else value.images  # a map may change the kind
    body: dict[str, Any] = {"type": "ImageCollection", "bands": []} if images else {"type": "FeatureCollection"}
    if value.id is not None:
        body["id"] = value.id
    if not images:
        body["columns"] = {}
    properties = encode(dict(value.properties))
    body |= {"properties": properties} if properties else {}
    return body | {"features": [encode(one) for one in value.elements]}


ENCODERS: Mapping[type[Any], Callable[[Any], Any]] = {
    Collection: _collection,
    Feature: _feature,
    Geometry: _geometry,
}
