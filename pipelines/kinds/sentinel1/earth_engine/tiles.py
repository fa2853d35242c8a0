"""Tiles of a task: which are exported, under which names, and where their files are found again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.errors import InputError, TransientError
from infra.grid import Grid, Window
from pipelines.keys import short
from pipelines.orders import Order

if TYPE_CHECKING:
    from gee.destinations import Destination
    from gee.tiles import Tile

VSI = "/vsi"  # how GDAL's paths of what is no file of this machine begin


@dataclass(frozen=True, kw_only=True)
class TileFile:
    """One exported file.

    Attributes
    ----------
    window : of the grid of the products
    path : as GDAL takes it
    """

    name: str
    window: Window
    path: str


def window_of(tile: Tile) -> Window:
    """A tile's window of the grid."""
    return Window(tile.y, tile.x, tile.height, tile.width)


def largest_side(side: int, *, bands: int) -> int:
    """Side of tiles, pixels: as asked for, or less where a file would not hold so many bands of it."""
    from gee.exports import FLOAT_BYTES
    from gee.limits import FILE_BYTES
    from gee.tiles import STEP

    fits = math.isqrt(FILE_BYTES // (FLOAT_BYTES * bands)) // STEP * STEP
    return min(side, max(fits, STEP))


def tile_names(grid: Grid, reached: Sequence[Sequence[Grid]], *, size: int) -> tuple[str, ...]:
    """Names of the tiles that are exported: of each part, those that one of its scenes reaches.

    Parameters
    ----------
    reached : of each part, outlines of its scenes; a part without any has all tiles
    """
    from gee.tiles import cut

    windows = [[grid.reach(outline) for outline in dict.fromkeys(outlines)] for outlines in reached]
    return tuple(
        tile.name
        for part, seen in enumerate(windows)
        for tile in cut(grid.width, grid.height, part=part, size=size)
        if not seen or any(_meet(window_of(tile), window) for window in seen)
    )


def _meet(one: Window, other: Window) -> bool:
    shared = one.intersect(other)
    return shared.height > 0 and shared.width > 0


def file_name(order: Order, tile: str) -> str:
    """Name of a tile's file or asset; other attempts at it have the same."""
    return f"{short(order.key)}-{tile}"


def destination(order: Order) -> Destination:
    """Where the exports of an order go."""
    from gee.destinations import Destination

    asked: Mapping[str, Any] = order.parameters["export"]
    return Destination(
        to=asked["to"],
        folder=asked["folder"],
        bucket=asked["bucket"],
        project=order.document["project"] if asked["to"] == "asset" else None,
    )


def exported_files(order: Order) -> dict[int, tuple[TileFile, ...]]:
    """Files of each part: of every tile that was asked for its own, or those that it was split into.

    Raises
    ------
    TransientError
        Naming a tile whose file is not there: Drive may not show it yet.
    """
    from gee.tiles import Tile

    where, files = destination(order), order.document["files"]
    found: dict[int, list[TileFile]] = {}
    for name in order.tiles:
        tile = Tile.parse(name)
        found.setdefault(tile.part, []).extend(_files_of(tile, order, where, files))
    return {part: tuple(members) for part, members in found.items()}


def _files_of(tile: Tile, order: Order, where: Destination, files: str | None) -> list[TileFile]:
    from gee.destinations import tile_path

    try:
        path = _there(tile_path(where, file_name(order, tile.name), files=files))
        return [TileFile(name=tile.name, window=window_of(tile), path=path)]
    except InputError as error:
        missing = TransientError(error.message, error.remedy)
    smaller = tile.split()
    if not smaller:
        raise missing
    try:
        return [file for half in smaller for file in _files_of(half, order, where, files)]
    except TransientError as error:
        # Where nothing of it is there, it was not split: the tile itself is what is missing
        raise (error if _any_file(smaller, order, where, files) else missing) from None


def _any_file(tiles: Sequence[Tile], order: Order, where: Destination, files: str | None) -> bool:
    from gee.destinations import tile_path

    for tile in tiles:
        try:
            _there(tile_path(where, file_name(order, tile.name), files=files))
        except InputError:
            continue
        return True
    return False


def _there(path: str) -> str:
    """The path, if there is a raster; `gee.exports.tile_path` looks only at files of this machine."""
    import rasterio
    from rasterio.errors import RasterioIOError

    if path.startswith(VSI):
        try:
            rasterio.open(path).close()
        except RasterioIOError as error:
            raise InputError(f"{path} cannot be read: {error}", "Check the bucket and the credentials.") from error
    return path
