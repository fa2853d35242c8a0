"""GeoTIFFs to assets: one file an image, several a collection, OPERA RTC-S1 files by burst and date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gee.local.bands.names import checked
from gee.local.catalogue.folder import FolderCatalogue
from gee.local.catalogue.items import Item, renamed
from gee.local.catalogue.names import PART, asset_id
from gee.local.catalogue.opera import Granule, granules
from gee.local.catalogue.rasters import StoredBand, read_header
from gee.local.errors import EarthEngineError

TIMES = {
    r"\d{8}T\d{6}Z?": "%Y%m%dT%H%M%S",
    r"\d{8}_\d{6}": "%Y%m%d_%H%M%S",
    r"\d{8}": "%Y%m%d",
    r"\d{7}": "%Y%j",
    r"\d{4}_\d\d_\d\d": "%Y_%m_%d",
}


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What came of it.

    Attributes
    ----------
    images : ids
    collection : id where they are the images of one
    """

    images: tuple[str, ...]
    collection: str | None = None


def register(
    catalogue: FolderCatalogue,
    asset: str,
    files: Sequence[Path],
    *,
    time_from: str | None = None,
    properties: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Registered:
    """Make GeoTIFFs an asset; they stay where they are and are read from there.

    One file becomes an Image; several, or OPERA RTC-S1 files, the images of an ImageCollection, to which later calls add.

    Parameters
    ----------
    time_from : regular expression that finds the date in a file's name: its first group, else all that it matches;
        20200131, 20200131T120000, 2020-01-31, 2020031 (day of year) or an ISO time, in UTC
    properties : of every image; those whose value is an object belong to the image with that name
    overwrite : whether images that are there are replaced

    Raises
    ------
    EarthEngineError
        If a file is no raster, a name no asset id, a date is not found, or an image is there already.
    """
    if not files:
        raise EarthEngineError(f"There is no file to be registered as '{asset}'.")
    target = asset_id(asset)
    own = dict(properties or {})
    found = granules(files)
    items = list(_opera(target, found) if found is not None else _plain(target, files, _pattern(time_from)))
    if found is None and len(items) == 1:
        items = [replace(items[0], id=target)]
    items = [_described(item, own) for item in items]
    repeated = {one.id for one in items if sum(one.id == other.id for other in items) > 1}
    if repeated:
        raise EarthEngineError(f"Several files have the name of one image: {', '.join(sorted(repeated))[:300]}.")
    single = items[0].id == target
    for item in items:
        catalogue.check_free(item.id, overwrite=overwrite)
    if not single:
        _ensure_collection(catalogue, target)
    for item in items:
        catalogue.add(item, overwrite=overwrite)
    return Registered(images=tuple(item.id for item in items), collection=None if single else target)


def read_properties(path: Path) -> dict[str, Any]:
    """Properties from a JSON file.

    Raises
    ------
    EarthEngineError
        If it holds no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EarthEngineError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(found, dict):
        raise EarthEngineError(f"{path} must hold a JSON object of properties.")
    return found


def _ensure_collection(catalogue: FolderCatalogue, target: str) -> None:
    try:
        there = catalogue.get(target)
    except EarthEngineError:
        there = None
    if there is None or there.kind == "FOLDER":
        catalogue.add(Item(id=target, kind="IMAGE_COLLECTION"))
    elif there.kind != "IMAGE_COLLECTION":
        raise EarthEngineError(f"Asset '{target}' is not an ImageCollection: no images can be added to it.", code=409)


def _opera(target: str, found: Sequence[Granule]) -> Iterator[Item]:
    import rasterio

    for granule in found:
        bands = tuple(replace(read_header(path)[0], name=band) for band, path in granule.files.items())
        item = Item(id=f"{target}/{granule.index}", kind="IMAGE", bands=bands)
        area = item.lonlat()
        longitude = 0.0 if area is None or area.shape is None else float(area.shape.centroid.x)
        with rasterio.open(bands[0].path) as file:
            tags = file.tags()
        own = granule.properties(longitude=longitude, tags=tags)
        yield replace(item, properties={"system:index": granule.index} | own)


def _plain(target: str, files: Sequence[Path], pattern: re.Pattern[str] | None) -> Iterator[Item]:
    for path in files:
        index = re.sub(r"[^A-Za-z0-9_.\-]", "_", path.stem)
        if not PART.fullmatch(index):
            raise EarthEngineError(f"The name of {path.name} cannot be an asset's.")
        own: dict[str, Any] = {"system:index": index}
        if pattern is not None:
            own["system:time_start"] = _millis(path, pattern)
        yield Item(id=f"{target}/{index}", kind="IMAGE", bands=_named(path), properties=own)


def _named(path: Path) -> tuple[StoredBand, ...]:
    bands = read_header(path)
    names = [checked(re.sub(r"[^A-Za-z0-9_\-.:]", "_", band.name)) for band in bands]
    if len(set(names)) < len(names):
        raise EarthEngineError(f"{path.name} has several bands of one name: {', '.join(names)[:200]}.")
    return renamed(bands, names)


def _described(item: Item, properties: Mapping[str, Any]) -> Item:
    index = item.id.rpartition("/")[2]
    own = {key: value for key, value in properties.items() if not isinstance(value, Mapping)}
    more = properties.get(index, {})
    return replace(item, properties={**item.properties, "system:index": index, **own, **more})


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise EarthEngineError(f"'{text}' is no regular expression: {error}.") from error


def _millis(path: Path, pattern: re.Pattern[str]) -> int:
    match = pattern.search(path.name)
    if match is None:
        raise EarthEngineError(f"'{pattern.pattern}' finds no date in the name {path.name}.")
    text = match[1] if match.re.groups and match[1] is not None else match[0]
    form = next((form for digits, form in TIMES.items() if re.fullmatch(digits, text)), None)
    try:
        when = datetime.strptime(f"{text.rstrip('Z')}+0000", f"{form}%z") if form else datetime.fromisoformat(text)
    except ValueError as error:
        raise EarthEngineError(f"'{text}' in the name {path.name} is no date.") from error
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
