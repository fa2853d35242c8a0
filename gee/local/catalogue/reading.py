"""Pixels of a file on any grid: whole windows on its own lattice, the nearest pixels elsewhere, strip by strip where these lie far apart."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gee.local.bands.masks import everywhere, nowhere
from gee.local.grids.reprojection import indices, lattice, nearest, window_of
from gee.local.pixels import Grid, Pixels

if TYPE_CHECKING:
    from gee.local.catalogue.rasters import OpenFiles, StoredBand

FEW_PIXELS = 2**20  # windows of no more are read whole
SPARSE = 4  # pixels of the window for each that is asked for: beyond, it is read in strips
STRIP = 256  # rows at least


def native_pixels(files: OpenFiles, band: StoredBand, grid: Grid) -> Pixels:
    """Nearest pixels of a stored band; no pyramids: always those of the file's full resolution."""
    read = partial(read_window, files, band)
    if grid.offset_in(lattice(band.projection)) is not None:
        return nearest(grid, band.projection, read)
    rows, cols, known = indices(grid, band.projection)
    window = window_of(rows, cols, known)
    asked = grid.width * grid.height
    if window is None or window[2] * window[3] <= max(FEW_PIXELS, SPARSE * asked):
        return nearest(grid, band.projection, read)
    shape = (grid.height, grid.width)
    rows, cols = np.broadcast_to(rows, shape).ravel(), np.broadcast_to(cols, shape).ravel()
    inside = (rows >= 0) & (rows < band.size[1]) & (cols >= 0) & (cols < band.size[0])
    if known is not None:
        inside &= known.ravel()
    data, mask = np.zeros(asked), np.zeros(asked)
    at = np.flatnonzero(inside)
    at = at[np.argsort(rows[at], kind="stable")]
    found = _scattered(files, band, rows[at], cols[at])
    data[at], mask[at] = found.data, found.mask
    return Pixels(data.reshape(shape), mask.reshape(shape))


def _scattered(files: OpenFiles, band: StoredBand, rows: np.ndarray, cols: np.ndarray) -> Pixels:
    """Pixels at places inside the raster, dims (place,); rows ascend, and no more than a strip of them is in memory."""
    stored: list[np.ndarray] = []
    valid: list[np.ndarray] = []
    with files.dataset(band.path) as file:
        strip = max(file.block_shapes[band.file_band - 1][0], STRIP)
        edges = np.searchsorted(rows, np.arange(0, band.size[1] + strip, strip))
        for start, end in pairwise(edges):
            if start == end:
                continue
            here, there = rows[start:end], cols[start:end]
            top, left = int(here[0]), int(there.min())
            window = _window(top, left, int(here[-1]) + 1 - top, int(there.max()) + 1 - left)
            stored.append(file.read(band.file_band, window=window)[here - top, there - left])
            if band.masked:
                valid.append(file.read_masks(band.file_band, window=window)[here - top, there - left] > 0)
    values = np.concatenate(stored) if stored else np.zeros(0)
    good = _good(values, np.concatenate(valid) if valid else None, band.no_data)
    return Pixels(np.where(good, values.astype(np.float64), 0.0), good.astype(np.float64))


def read_window(files: OpenFiles, band: StoredBand, row: int, col: int, height: int, width: int) -> Pixels:
    """Pixels of any window, also beyond the raster's edges, where they are masked."""
    top, left = max(row, 0), max(col, 0)
    bottom, right = min(row + height, band.size[1]), min(col + width, band.size[0])
    whole = Grid(band.projection.crs, band.projection.transform, width, height)
    if bottom <= top or right <= left:
        return Pixels(nowhere(whole), nowhere(whole))
    window = _window(top, left, bottom - top, right - left)
    with files.dataset(band.path) as file:
        stored = file.read(band.file_band, window=window)
        valid = file.read_masks(band.file_band, window=window) > 0 if band.masked else None
    good = _good(stored, valid, band.no_data)
    values = stored.astype(np.float64)
    if good.all():
        part = Pixels(values, np.broadcast_to(1.0, values.shape))
        if stored.shape == (height, width):
            return Pixels(values, everywhere(whole))
    else:
        part = Pixels(np.where(good, values, 0.0), good.astype(np.float64))
    if stored.shape == (height, width):
        return part
    data, mask = np.zeros((height, width)), np.zeros((height, width))
    inside = (slice(top - row, bottom - row), slice(left - col, right - col))
    data[inside], mask[inside] = part.data, part.mask
    return Pixels(data, mask)


def _window(row: int, col: int, height: int, width: int) -> Any:
    from rasterio.windows import Window

    return Window(col, row, width, height)


def _good(stored: np.ndarray, valid: np.ndarray | None, no_data: float | None) -> np.ndarray:
    """Where values are valid: finite, not no-data, and inside the file's own mask."""
    good = np.isfinite(stored) if stored.dtype.kind == "f" else np.ones(stored.shape, bool)
    if valid is not None:
        good = good & valid
    if no_data is not None and np.isfinite(no_data):
        good = good & (stored != np.array(no_data).astype(stored.dtype))
    return good
