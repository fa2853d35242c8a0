"""Exported tiles put together to one Cloud Optimized GeoTIFF, window by window, on a worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from infra.errors import InputError
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import Location
from pipelines.kinds.sentinel1.earth_engine.tiles import TileFile

if TYPE_CHECKING:
    import numpy as np
    from rasterio.io import DatasetReader

    from dask_jobs.write import Layer

CONGRUENT = 0.001  # pixels that a tile's corner may be off its place


@dataclass(frozen=True, kw_only=True)
class Mosaic:
    """One raster and the tiles that it is made of.

    Attributes
    ----------
    bands : of every tile, in order
    band : the one that is meant
    tiles : which do not overlap; where there is none, there are no data
    region : outside of which there are no data, where it masks
    path : of the raster, below the work in progress
    """

    grid: Grid
    bands: tuple[str, ...]
    band: str
    layer: Layer
    tiles: tuple[TileFile, ...]
    region: Region | None
    path: str


def write_mosaic(mosaic: Mosaic, *, parts: Location) -> int:
    """Bytes of the raster, which is written and put into the work in progress at once.

    Raises
    ------
    InputError
        Naming a tile that is not what was asked for: another CRS, place, shape or other bands.
    """
    from distributed import get_worker

    from dask_jobs.write import write_cog

    with TemporaryDirectory(dir=get_worker().local_directory, prefix="mosaic-") as folder, OpenTiles(mosaic) as tiles:
        file = Path(folder) / "raster.tif"
        write_cog(file, grid=mosaic.grid, layer=mosaic.layer, read=tiles.read)
        parts.upload(file, mosaic.path)
        return file.stat().st_size


@dataclass
class OpenTiles:
    """Tiles, opened when they are reached and closed when they are passed: windows come rows first."""

    mosaic: Mosaic
    _files: dict[str, DatasetReader] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self, window: Window) -> np.ndarray:
        """Pixels of a window of the grid, dims (y, x), of the layer's type."""
        import numpy as np

        values = np.full((window.height, window.width), np.nan)
        for tile in self.mosaic.tiles:
            if tile.window.row + tile.window.height <= window.row and tile.name in self._files:
                self._files.pop(tile.name).close()
            shared = tile.window.intersect(window)
            if shared.height and shared.width:
                values[_within(shared, window)] = self._pixels(tile, shared)
        if self.mosaic.region is not None:
            values[~self.mosaic.region.inside(self.mosaic.grid.crop(window))] = np.nan
        whole = values if self.mosaic.layer.dtype == "float32" else np.rint(np.nan_to_num(values, nan=0.0))
        return np.asarray(whole, dtype=self.mosaic.layer.dtype)

    def _pixels(self, tile: TileFile, shared: Window) -> Any:
        import numpy as np
        from rasterio.windows import Window as RasterioWindow

        file = self._files.get(tile.name)
        if file is None:
            file = self._files[tile.name] = _opened(tile, self.mosaic)
        inner = RasterioWindow(shared.col - tile.window.col, shared.row - tile.window.row, shared.width, shared.height)
        values = file.read(self.mosaic.bands.index(self.mosaic.band) + 1, window=inner).astype(np.float64)
        if file.nodata is not None:
            values[values == file.nodata] = np.nan
        return values


def _opened(tile: TileFile, mosaic: Mosaic) -> DatasetReader:
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        file = rasterio.open(tile.path)
    except RasterioIOError as error:
        raise InputError(
            f"tile {tile.name}: {tile.path} cannot be read: {error}", "Remove it; `sarbatch retry` exports it again."
        ) from error
    fault = _fault(file, tile, mosaic)
    if fault:
        file.close()
        raise InputError(
            f"tile {tile.name}: {tile.path} {fault}", "Something else wrote it: remove it, then `sarbatch retry`."
        )
    return file


def _fault(file: DatasetReader, tile: TileFile, mosaic: Mosaic) -> str | None:
    """What is wrong with a tile, in words."""
    from rasterio.crs import CRS

    grid = mosaic.grid.crop(tile.window)
    if file.shape != grid.shape:
        return f"has {file.height} x {file.width} pixels, not {grid.height} x {grid.width}"
    if file.crs != CRS.from_user_input(grid.crs):
        return f"is in {file.crs}, not {grid.crs}"
    off = [abs(a - b) for a, b in zip(file.transform[:6], grid.affine[:6], strict=True)]
    if (
        max(off[0], off[1], off[3], off[4]) > CONGRUENT * grid.dx / max(grid.shape)
        or max(off[2] / grid.dx, off[5] / grid.dy) > CONGRUENT
    ):
        return f"lies at {tuple(file.transform[:6])}, not {tuple(grid.affine[:6])}"
    if file.descriptions != mosaic.bands:
        return f"has bands {list(file.descriptions)}, not {list(mosaic.bands)}"
    return None


def _within(part: Window, whole: Window) -> tuple[slice, slice]:
    return Window(part.row - whole.row, part.col - whole.col, part.height, part.width).slices
