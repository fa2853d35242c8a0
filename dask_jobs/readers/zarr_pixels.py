"""Pixels of a window of one array of a Zarr store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.readers.raster_headers import holds_data
from dask_jobs.readers.zarr_arrays import no_data_of, open_array, reading
from dask_jobs.scenes import Raster
from infra.errors import InputError
from infra.grid import Grid, Window

if TYPE_CHECKING:
    from infra.storage import S3Options


def read_zarr(raster: Raster, *, grid: Grid, window: Window, s3: S3Options) -> tuple[np.ndarray, np.ndarray]:
    """Values of a window, north up, and whether each is data; parameters and errors as of `read_pixels`.

    Values that the store packs (CF's `scale_factor` and `add_offset`) are unpacked, as float64. No-data values are compared with
    what is stored. Only chunks that the window touches are fetched, each once.
    """
    from infra.storage import Location

    place = Location(raster.url, s3)
    array = open_array(place, raster.dataset)
    if array.shape[-2:] != grid.shape or _beyond(array, raster.step):
        raise InputError(
            f"{place.href(raster.dataset)} has changed: it is not on the grid that it was planned with",
            "Plan and run again.",
        )
    rows, cols = window.slices
    if raster.south_up:
        rows = slice(grid.height - rows.stop, grid.height - rows.start)
    with reading(place, raster.dataset):
        values = np.asarray(array[(rows, cols) if raster.step is None else (raster.step, rows, cols)])
    values = values[::-1] if raster.south_up else values
    valid = holds_data(values, raster.nodata) & holds_data(values, no_data_of(array))
    return unpacked(values, array.attrs), valid


def unpacked(values: np.ndarray, attributes: Any) -> np.ndarray:
    """Values that packed ones stand for (CF 1.10, section 8.1): stored * scale_factor + add_offset; the same where none is declared."""
    factor, offset = float(attributes.get("scale_factor", 1.0)), float(attributes.get("add_offset", 0.0))
    if factor == 1.0 and offset == 0.0:
        return values
    return np.asarray(values.astype(np.float64) * factor + offset)


def _beyond(array: Any, step: int | None) -> bool:
    return step is not None and (array.ndim != 3 or step >= array.shape[0])
