"""Rasters and tables on the local disk, in bounded memory: Cloud Optimized GeoTIFF, CSV, Parquet."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from infra.grid import Grid, Window

if TYPE_CHECKING:
    import pandas as pd
    from rasterio.io import DatasetReader, DatasetWriter

COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
CSV_TYPE, PARQUET_TYPE = "text/csv", "application/vnd.apache.parquet"

TILE = 512  # pixels: side of a file's tiles
LEVEL = 1  # of DEFLATE: speckle packs to 1.015 times what level 6 makes of it, in 0.6 of the time (dates: 1.08 and 0.1)
STRIP = 2048  # columns that are in memory at once, times TILE rows
CACHE_BYTES = 64 * 2**20  # of GDAL's blocks; rasterio wants bytes here
Overview = Literal["power", "db", "nearest"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a raster holds.

    Attributes
    ----------
    overview : how coarser levels are made from 2 x 2 pixels: "power" averages those with data, "db" averages their
        power, "nearest" takes the first
    colors : red, green, blue, opacity (0 to 255) of values, for a raster of uint8
    tags : more metadata of the file
    """

    dtype: Literal["float32", "int32", "uint8"]
    description: str
    units: str
    overview: Overview
    nodata: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    colors: Mapping[int, tuple[int, int, int, int]] | None = None


def write_cog(path: Path, *, grid: Grid, layer: Layer, read: Callable[[Window], np.ndarray]) -> None:
    """Write a Cloud Optimized GeoTIFF window by window; the whole raster is never in memory.

    Parameters
    ----------
    path : local file to be made; its folder also takes the scratch files (1.4 times the raster, not compressed)
    read : pixels of a window of `grid`, dims (y, x); called once per window, rows first

    Notes
    -----
    The COG driver copies from a file, and its own overviews know no dB. So the levels are made here first: each as the
    external overview (`.ovr`) of the level before, which GDAL takes for one pyramid.
    """
    import rasterio

    # sidecar files must be looked for: that is how GDAL finds the coarser levels
    environment = {"GDAL_DISABLE_READDIR_ON_OPEN": "FALSE", "GDAL_CACHEMAX": CACHE_BYTES, "GDAL_NUM_THREADS": "1"}
    with rasterio.Env(**environment), tempfile.TemporaryDirectory(dir=path.parent, prefix=".levels-") as scratch:
        pack_levels(write_levels(Path(scratch), grid=grid, layer=layer, read=read), path, layer=layer)


def write_levels(folder: Path, *, grid: Grid, layer: Layer, read: Callable[[Window], np.ndarray]) -> Path:
    """File of the finest level, not compressed, whose coarser ones lie beside it; parameters as in `write_cog`."""
    base = folder / "level.tif"
    with _level(base, grid=grid, layer=layer) as file:
        _fill(file, grid=grid, layer=layer, read=read)
    level, coarser = base, grid
    while max(coarser.shape) > TILE:
        source, coarser = level, _doubled(coarser)
        level = source.with_name(source.name + ".ovr")
        _write_overview(level, grid=coarser, source=source, layer=layer)
    return base


def pack_levels(base: Path, path: Path, *, layer: Layer) -> None:
    """Write what `write_levels` made as one Cloud Optimized GeoTIFF."""
    from rasterio.shutil import copy

    copy(
        base,
        path,
        driver="COG",
        OVERVIEWS="FORCE_USE_EXISTING" if base.with_name(base.name + ".ovr").exists() else "NONE",
        BLOCKSIZE=TILE,
        COMPRESS="DEFLATE",
        LEVEL=LEVEL,
        # differences help floats; of dates and counts they are more numbers than the values
        PREDICTOR="YES" if layer.dtype == "float32" else "NO",
        BIGTIFF="IF_SAFER",
        SPARSE_OK="YES",
    )


def write_table(frame: pd.DataFrame, *, csv: Path, parquet: Path, columns: Mapping[str, tuple[str, str]]) -> None:
    """Write a table as CSV and as Parquet, in the order of `columns`.

    Parameters
    ----------
    columns : name to (units, meaning); metadata of each Parquet column. Missing numbers are empty in CSV.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = frame[list(columns)]
    ordered.to_csv(csv, index=False)
    table = pa.Table.from_pandas(ordered, preserve_index=False)
    described = [
        table.schema.field(name).with_metadata({"units": units, "description": meaning})
        for name, (units, meaning) in columns.items()
    ]
    pq.write_table(table.cast(pa.schema(described, metadata=table.schema.metadata)), parquet)


@dataclass
class _Moments:
    """Running statistics of what was written, for the file's metadata: viewers stretch colours by them at once."""

    count: int = 0
    pixels: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, values: np.ndarray, *, pixels: int) -> None:
        self.pixels += pixels
        if not values.size:
            return
        wide = values.astype(np.float64)
        mean, n = float(wide.mean()), self.count + wide.size
        off = mean - self.mean
        self.squares += float(np.square(wide - mean).sum()) + off * off * self.count * wide.size / n
        self.mean += off * wide.size / n
        self.count = n
        self.low, self.high = min(self.low, float(wide.min())), max(self.high, float(wide.max()))

    def tags(self) -> dict[str, str]:
        if not self.count:
            return {}
        return {
            "STATISTICS_MINIMUM": repr(self.low),
            "STATISTICS_MAXIMUM": repr(self.high),
            "STATISTICS_MEAN": repr(self.mean),
            "STATISTICS_STDDEV": repr(math.sqrt(self.squares / self.count)),
            "STATISTICS_VALID_PERCENT": f"{100 * self.count / self.pixels:.4g}",
        }


def _level(path: Path, *, grid: Grid, layer: Layer) -> DatasetWriter:
    import rasterio

    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=grid.height,
        width=grid.width,
        crs=grid.crs,
        transform=grid.affine,
        count=1,
        dtype=layer.dtype,
        nodata=layer.nodata,
        tiled=True,
        blockxsize=TILE,
        blockysize=TILE,
        bigtiff="IF_SAFER",
        sparse_ok=True,
    )


def _fill(file: DatasetWriter, *, grid: Grid, layer: Layer, read: Callable[[Window], np.ndarray]) -> None:
    moments = _Moments()
    if layer.colors is not None:
        file.write_colormap(1, dict(layer.colors))  # a file takes it only before its first pixel
    for window in _windows(grid.shape):
        values = np.ascontiguousarray(read(window), dtype=layer.dtype)
        ok = _is_data(values, layer=layer)
        moments.add(values[ok], pixels=values.size)
        if ok.any() or layer.nodata is None:  # else the tile stays absent, which reads as no data
            file.write(values, 1, window=_rasterio_window(window))
    file.set_band_description(1, layer.description)
    file.units = (layer.units,)
    file.update_tags(1, **moments.tags())
    file.update_tags(**layer.tags)


def _write_overview(path: Path, *, grid: Grid, source: Path, layer: Layer) -> None:
    import rasterio

    with rasterio.open(source) as finer, _level(path, grid=grid, layer=layer) as file:
        for window in _windows(grid.shape):
            values = _coarser(_read_double(finer, window), layer=layer)
            if layer.nodata is None or _is_data(values, layer=layer).any():
                file.write(values, 1, window=_rasterio_window(window))


def _read_double(finer: DatasetReader, window: Window) -> np.ndarray:
    """Pixels of the finer level below `window`, dims (2 * height, 2 * width); the last row and column may be doubled."""
    row, col = 2 * window.row, 2 * window.col
    height, width = min(2 * window.height, finer.height - row), min(2 * window.width, finer.width - col)
    values: np.ndarray = finer.read(1, window=_rasterio_window(Window(row, col, height, width)))
    # an edge pixel counted twice is averaged with itself
    return np.pad(values, ((0, 2 * window.height - height), (0, 2 * window.width - width)), mode="edge")


def _coarser(values: np.ndarray, *, layer: Layer) -> np.ndarray:
    if layer.overview == "nearest":
        return np.ascontiguousarray(values[::2, ::2])
    mean = np.zeros((values.shape[0] // 2, values.shape[1] // 2))
    n = np.zeros(mean.shape, dtype=np.uint8)
    for row, col in np.ndindex(2, 2):  # a quarter at a time: all in double precision would be most of a worker's memory
        power = values[row::2, col::2].astype(np.float64)
        if layer.overview == "db":
            power = 10.0 ** (power / 10.0)
        ok = np.isfinite(power)
        np.add(mean, power, out=mean, where=ok)
        n += ok
    np.divide(mean, n, out=mean, where=n > 0)
    mean[n == 0] = np.nan
    if layer.overview == "db":
        np.log10(mean, out=mean)
        mean *= 10.0
    return mean.astype(layer.dtype)


def _is_data(values: np.ndarray, *, layer: Layer) -> np.ndarray:
    ok: np.ndarray = np.isfinite(values)
    if layer.nodata is not None and not math.isnan(layer.nodata):
        ok &= values != layer.nodata
    return ok


def _windows(shape: tuple[int, int]) -> Iterator[Window]:
    """Windows of whole tiles, rows first."""
    height, width = shape
    for row in range(0, height, TILE):
        for col in range(0, width, STRIP):
            yield Window(row, col, min(TILE, height - row), min(STRIP, width - col))


def _doubled(grid: Grid) -> Grid:
    """Grid of the next coarser level; an odd last row or column gets a pixel of its own."""
    half = (grid.height + 1) // 2, (grid.width + 1) // 2
    return replace(grid, dx=2 * grid.dx, dy=2 * grid.dy, height=half[0], width=half[1])


def _rasterio_window(window: Window) -> object:
    from rasterio.windows import Window as RasterioWindow

    return RasterioWindow(window.col, window.row, window.width, window.height)
