"""Which function answers which method; those that are not here are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gee.local.server import catalogued, pixels, tasks, values
from gee.local.server.exchange import Answer, Call
from gee.local.server.site import Site


@dataclass(frozen=True)
class Route:
    """A function that answers; one that gives None is asked again.

    Attributes
    ----------
    computes : whether its CPU counts; else it looks something up
    tag : workload tag that it counts for
    """

    answer: Callable[[Site, Call], Answer | Mapping[str, Any] | None]
    computes: bool = False
    tag: Callable[[Site, Call], str] = field(default=lambda _site, call: call.tag)


ROUTES: Mapping[str, Route] = {
    "algorithms.list": Route(values.list_algorithms),
    "value.compute": Route(values.compute_value, computes=True),
    "image.computePixels": Route(pixels.compute_pixels, computes=True),
    "image.export": Route(tasks.start),
    "table.export": Route(tasks.start),
    "operations.list": Route(tasks.list_operations),
    "operations.get": Route(tasks.look),
    "operations.cancel": Route(tasks.cancel),
    "operations.wait": Route(tasks.wait),
    "maps.create": Route(pixels.create_map, computes=True),
    "maps.tiles.get": Route(pixels.map_tile, computes=True, tag=pixels.tag_of_map),
    "thumbnails.create": Route(pixels.create_thumbnail, computes=True),
    "thumbnails.getPixels": Route(pixels.thumbnail_pixels, computes=True, tag=pixels.tag_of_thumbnail),
    "listAssets": Route(catalogued.list_assets),
    "assets.get": Route(catalogued.look),
    "assets.listAssets": Route(catalogued.list_assets),
    "assets.listImages": Route(catalogued.list_images),
    "assets.getPixels": Route(pixels.asset_pixels, computes=True),
    "assets.create": Route(catalogued.create),
    "assets.delete": Route(catalogued.delete),
}
