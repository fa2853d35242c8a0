"""Answers that are pixels: `image:computePixels`, an asset's pixels, map tiles, thumbnails and downloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.pixels import Grid, Image
from gee.local.regions.output_grid import BoundsRequest, bounds_grid, output_grid
from gee.local.rendering.requests import (
    DOWNLOAD_BYTES,
    DOWNLOAD_SIDE,
    check_limits,
    chosen,
    grid_of,
    tile_grid,
    to_image,
)
from gee.local.server.exchange import Answer, Call
from gee.local.server.formats import PICTURES, check_format, render
from gee.local.server.site import Site

THUMBNAIL = 512  # pixels on the longer side, where a request names no size


@dataclass(frozen=True)
class Picture:
    """An image that was asked for as a map or thumbnail."""

    image: Image
    format: str
    name: str = ""
    tag: str = ""


def compute_pixels(site: Site, call: Call) -> Answer:
    """Pixels of an expression on a grid."""
    return _pixels(site, call, to_image(site.value(call.body), site.context))


def asset_pixels(site: Site, call: Call) -> Answer:
    """Pixels of an image asset."""
    if site.context.catalogue is None:
        raise EarthEngineError(f"Image asset '{call.names['name'][:200]}' not found.", code=404)
    if call.body.get("region"):
        raise EarthEngineError("this local Earth Engine does not implement 'region' of getPixels: give a 'grid'.")
    return _pixels(site, call, site.context.catalogue.load_image(call.names["name"]))


def create_map(site: Site, call: Call) -> Mapping[str, Any]:
    """Name of a map."""
    return {"name": site.maps.keep(call.project, _picture(site, call, "AUTO_JPEG_PNG"))}


def map_tile(site: Site, call: Call) -> Answer:
    """One tile of a map."""
    picture: Picture = site.maps.get(call.names["parent"])
    zoom, column, row = (_index(call.names[name]) for name in ("zoom", "x", "y"))
    grid = tile_grid(zoom, column, row)
    site.faults.check_size(call.method, grid.width * grid.height)
    return render(picture.image, grid, picture.format)


def create_thumbnail(site: Site, call: Call) -> Mapping[str, Any]:
    """Name of a thumbnail or download."""
    picture = _picture(site, call, "AUTO_JPEG_PNG")
    return {"name": site.thumbnails.keep(call.project, picture)}


def thumbnail_pixels(site: Site, call: Call) -> Answer:
    """File of a thumbnail or download."""
    picture: Picture = site.thumbnails.get(call.names["name"])
    grid = picture.image.grid or _own_grid(picture)
    check_limits(picture.image, grid, side=DOWNLOAD_SIDE, size=DOWNLOAD_BYTES)
    site.faults.check_size(call.method, grid.width * grid.height)
    return render(picture.image, grid, picture.format, name=picture.name)


def tag_of_map(site: Site, call: Call) -> str:
    """Workload tag with which a tile's map was asked for."""
    picture: Picture = site.maps.get(call.names["parent"])
    return picture.tag


def tag_of_thumbnail(site: Site, call: Call) -> str:
    """Workload tag with which a thumbnail or download was asked for."""
    picture: Picture = site.thumbnails.get(call.names["name"])
    return picture.tag


def _pixels(site: Site, call: Call, image: Image) -> Answer:
    wanted = check_format(call.body.get("fileFormat") or "AUTO_JPEG_PNG")
    image = chosen(image, call.body, site.context)
    grid = grid_of(call.body, image)
    check_limits(image, grid)
    site.faults.check_size(call.method, grid.width * grid.height)
    return render(image, grid, wanted)


def _picture(site: Site, call: Call, default: str) -> Picture:
    wanted = check_format(call.body.get("fileFormat") or default)
    image = chosen(to_image(site.value(call.body), site.context), call.body, site.context)
    if call.body.get("grid"):
        raise EarthEngineError("this local Earth Engine does not implement 'grid' of maps and thumbnails.")
    name = call.body.get("filenamePrefix") or ""
    if not isinstance(name, str):
        raise EarthEngineError("Invalid argument: 'filenamePrefix' must be a text.")
    return Picture(image, wanted, name, call.tag)


def _own_grid(picture: Picture) -> Grid:
    if picture.format in PICTURES:
        return bounds_grid(picture.image, BoundsRequest(max_dimension=THUMBNAIL))
    return output_grid(picture.image)


def _index(text: str) -> int:
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 12:
        raise EarthEngineError(f"Invalid argument: a tile's zoom, x and y are whole numbers, not {text[:40]!r}.")
    return int(text)
