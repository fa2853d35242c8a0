"""JSON of images and projections, as `getInfo()` shows them: bands and properties, no pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gee.local.bands.pixel_types import to_json
from gee.local.encoding.answers import encode
from gee.local.pixels import Band, Image
from gee.local.values import Projection


def crs_json(projection: Projection) -> dict[str, Any]:
    """Code or WKT of a projection."""
    coded = len(projection.crs) < 40 and ":" in projection.crs and "[" not in projection.crs
    return {"crs": projection.crs} if coded else {"wkt": projection.crs}


def _projection(value: Projection) -> Any:
    return {"type": "Projection", **crs_json(value), "transform": list(value.transform)}


def _band(band: Band) -> dict[str, Any]:
    body: dict[str, Any] = {"id": band.name, "data_type": encode(to_json(band.type))}
    if band.size is not None:
        body["dimensions"] = list(band.size)
    crs = crs_json(band.projection)
    return (
        body
        | {"crs" if name == "crs" else "crs_wkt": text for name, text in crs.items()}
        | {"crs_transform": list(band.projection.transform)}
    )


def _image(image: Image) -> Any:
    body: dict[str, Any] = {"type": "Image", "bands": [_band(band) for band in image.bands]}
    if image.id is not None:
        body["id"] = image.id
    if image.version is not None:
        body["version"] = image.version
    properties = encode(dict(image.properties))
    return body | ({"properties": properties} if properties else {})


ENCODERS: Mapping[type[Any], Callable[[Any], Any]] = {Image: _image, Projection: _projection}
