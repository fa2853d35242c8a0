"""Assets as the service's methods answer them (`assets.get`, `assets.listAssets`)."""

from __future__ import annotations

from typing import Any

from gee.local.catalogue.items import Item, timestamp
from gee.local.catalogue.names import asset_name
from gee.local.catalogue.rasters import StoredBand
from gee.local.values import PixelType, Projection


def to_json(item: Item, *, full: bool = True) -> dict[str, Any]:
    """JSON of an asset; with `full` false without bands, geometry and properties (view BASIC)."""
    body: dict[str, Any] = {"type": item.kind, "name": asset_name(item.id), "id": item.id}
    if item.updated:
        body["updateTime"] = timestamp(item.updated * 1000)
    for name, key in (("startTime", "system:time_start"), ("endTime", "system:time_end")):
        if (text := timestamp(item.properties.get(key))) is not None:
            body[name] = text
    if not full:
        return body
    properties = {key: value for key, value in item.properties.items() if key not in TIMES}
    if properties:
        body["properties"] = properties
    if item.bands:
        body |= {"geometry": _geometry(item), "bands": [_band(item, band) for band in item.bands]}
        body["sizeBytes"] = str(
            sum(path.stat().st_size for path in {band.path for band in item.bands} if path.exists())
        )
    return body


TIMES = ("system:time_start", "system:time_end")


def _geometry(item: Item) -> Any:
    from shapely.geometry import mapping

    area = item.lonlat()
    return None if area is None or area.shape is None else mapping(area.shape)


def _band(item: Item, band: StoredBand) -> dict[str, Any]:
    policy = item.pyramiding.get(band.name, item.pyramiding.get("", "MEAN"))
    return {
        "id": band.name,
        "dataType": data_type(band.type),
        "grid": grid_json(band.projection, band.size),
        "pyramidingPolicy": policy,
    }


def data_type(type_: PixelType) -> dict[str, Any]:
    """Pixel type in REST's form."""
    body: dict[str, Any] = {"precision": type_.precision.upper()}
    if type_.low is not None and type_.high is not None:
        body["range"] = {"min": type_.low, "max": type_.high}
    return body


def grid_json(projection: Projection, size: tuple[int, int]) -> dict[str, Any]:
    """Pixel grid in REST's form."""
    names = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
    coded = projection.crs.startswith("EPSG:")
    return {
        "crsCode" if coded else "crsWkt": projection.crs,
        "dimensions": {"width": size[0], "height": size[1]},
        "affineTransform": {key: value for key, value in zip(names, projection.transform, strict=True) if value},
    }
