"""One asset as JSON: a STAC-like item whose `earth_engine` part holds bands and properties."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from gee.local.catalogue.names import ITEM
from gee.local.catalogue.rasters import OpenFiles, StoredBand
from gee.local.errors import EarthEngineError
from gee.local.pixels import Image
from gee.local.values import WGS84, Geometry, PixelType, Projection

Kind = Literal["IMAGE", "IMAGE_COLLECTION", "FOLDER"]
Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One asset.

    Attributes
    ----------
    properties : as Earth Engine shows them; `system:time_start` in milliseconds
    footprint : corners (x, y) in `footprint_crs`; of images the rasters' bounds where None
    pyramiding : policy by band, with "" for the others; kept and told, as pixels are always the native ones
    updated : seconds since 1970
    """

    id: str
    kind: Kind
    properties: Mapping[str, Any] = field(default_factory=dict)
    bands: tuple[StoredBand, ...] = ()
    footprint: Corners | None = None
    footprint_crs: str = WGS84
    pyramiding: Mapping[str, str] = field(default_factory=dict)
    updated: float = 0.0

    def image(self, files: OpenFiles) -> Image:
        """Image whose bands read the files."""
        return Image(
            bands=tuple(band.band(files) for band in self.bands),
            properties=dict(self.properties),
            footprint=self.outline,
            id=self.id,
            version=round(self.updated * 1e6) or None,
        )

    @property
    def outline(self) -> Geometry | None:
        """Footprint: as given, else the union of the bands' bounds in the first one's CRS."""
        import shapely

        if self.footprint is not None:
            return Geometry(shapely.Polygon(self.footprint), self.footprint_crs, geodesic=False)
        if not self.bands:
            return None
        crs = self.bands[0].projection.crs
        shapes = {(band.projection, band.size): _bounds(band, crs) for band in self.bands}
        return Geometry(shapely.union_all(list(shapes.values())), crs, geodesic=False)

    def lonlat(self) -> Geometry | None:
        """Footprint in longitude and latitude."""
        from gee.local.geometry.shapes import shape_in

        found = self.outline
        return None if found is None else Geometry(shape_in(found, WGS84, tolerance=1e-5), WGS84, geodesic=False)


def _bounds(band: StoredBand, crs: str) -> Any:
    """Polygon of a raster's bounds in a CRS."""
    import shapely

    from gee.local.geometry.shapes import shape_in

    a, b, c, d, e, f = band.projection.transform
    width, height = band.size
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    ring = shapely.Polygon([(c + a * x + b * y, f + d * x + e * y) for x, y in corners])
    own = Geometry(ring, band.projection.crs, geodesic=False)
    return shape_in(own, crs, tolerance=abs(a) / 10 if crs == own.crs else 1e-5)


# -- JSON -------------------------------------------------------------------------------------------------------------


def write_item(item: Item, folder: Path) -> None:
    """Write an asset's JSON into its folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".json")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(_to_json(item, folder), file, indent=1)
        Path(name).replace(folder / ITEM)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_item(folder: Path, id_: str) -> Item:
    """Asset of a folder.

    Raises
    ------
    EarthEngineError
        If its JSON cannot be read.
    FileNotFoundError
        If there is none.
    """
    path = folder / ITEM
    text = path.read_text(encoding="utf-8")
    try:
        own = json.loads(text)["earth_engine"]
        footprint = own.get("footprint")
        return Item(
            id=id_,
            kind=own["type"],
            properties=own.get("properties", {}),
            bands=tuple(_band(one, folder) for one in own.get("bands", ())),
            footprint=None if footprint is None else tuple((x, y) for x, y in footprint["corners"]),
            footprint_crs=WGS84 if footprint is None else footprint["crs"],
            pyramiding=own.get("pyramiding", {}),
            updated=path.stat().st_mtime,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise EarthEngineError(f"The catalogue's entry of '{id_}' cannot be read: {error!r}.", code=500) from error


def _to_json(item: Item, folder: Path) -> dict[str, Any]:
    own: dict[str, Any] = {"type": item.kind, "properties": dict(item.properties)}
    if item.bands:
        own["bands"] = [_band_json(band, folder) for band in item.bands]
    if item.footprint is not None:
        own["footprint"] = {"crs": item.footprint_crs, "corners": [list(one) for one in item.footprint]}
    if item.pyramiding:
        own["pyramiding"] = dict(item.pyramiding)
    return _stac(item, [str(one["href"]) for one in own.get("bands", ())]) | {"earth_engine": own}


def _stac(item: Item, hrefs: Sequence[str]) -> dict[str, Any]:
    """The part that readers of STAC know."""
    if item.kind != "IMAGE":
        return {"type": "Catalog", "stac_version": "1.0.0", "id": item.id, "description": item.id, "links": []}
    from shapely.geometry import mapping

    area = item.lonlat()
    shape = None if area is None else area.shape
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item.id,
        "geometry": None if shape is None else mapping(shape),
        "bbox": None if shape is None else list(shape.bounds),
        "properties": {"datetime": timestamp(item.properties.get("system:time_start"))},
        "assets": {
            band.name: {"href": href, "type": "image/tiff; application=geotiff"}
            for band, href in zip(item.bands, hrefs, strict=True)
        },
        "links": [],
    }


def timestamp(millis: Any) -> str | None:
    """RFC 3339 of milliseconds since 1970; None where they are no number."""
    if not isinstance(millis, int | float) or isinstance(millis, bool):
        return None
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat().replace("+00:00", "Z")


def _band_json(band: StoredBand, folder: Path) -> dict[str, Any]:
    path, here = band.path.resolve(), folder.resolve()
    no_data = band.no_data
    return {
        "name": band.name,
        "href": str(path.relative_to(here)) if path.is_relative_to(here) else str(path),
        "file_band": band.file_band,
        "type": [band.type.precision, band.type.low, band.type.high],
        "crs": band.projection.crs,
        "transform": list(band.projection.transform),
        "size": list(band.size),
        "no_data": None if no_data is None or math.isnan(no_data) else no_data,
        "masked": band.masked,
    }


def _band(row: Mapping[str, Any], folder: Path) -> StoredBand:
    a, b, c, d, e, f = row["transform"]
    return StoredBand(
        name=row["name"],
        path=folder / row["href"],
        file_band=row["file_band"],
        type=PixelType(*row["type"]),
        projection=Projection(row["crs"], (a, b, c, d, e, f)),
        size=(row["size"][0], row["size"][1]),
        no_data=row["no_data"],
        masked=row["masked"],
    )


def renamed(bands: Sequence[StoredBand], names: Sequence[str]) -> tuple[StoredBand, ...]:
    """Bands with other names."""
    return tuple(replace(band, name=name) for band, name in zip(bands, names, strict=True))
