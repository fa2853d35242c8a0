"""Pixels of a window of one raster, whatever file or store it lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dask_jobs.readers.raster_headers import holds_data, open_raster
from dask_jobs.scenes import Container, Raster
from infra.errors import InputError
from infra.grid import Grid, Window

if TYPE_CHECKING:
    import numpy as np

    from infra.storage import S3Options


def read_pixels(raster: Raster, *, grid: Grid, window: Window, s3: S3Options) -> tuple[np.ndarray, np.ndarray]:
    """Values as they stand in the file, and whether each is data.

    Parameters
    ----------
    grid : of the raster when the job was planned
    window : pixels of `grid`

    Returns
    -------
    values : dims (y, x), the file's dtype
    valid : dims (y, x), bool; False at declared no-data and under the file's own mask (NaN is left to the caller)

    Raises
    ------
    InputError
        If the file is gone, damaged, or no longer on the grid that it was planned with.
    CredentialsError, TransientError
        If storage refuses or does not answer.
    """
    from dask_jobs.readers.hdf5_pixels import read_hdf5
    from dask_jobs.readers.zarr_pixels import read_zarr

    readers = {Container.GEOTIFF: _read_geotiff, Container.HDF5: read_hdf5, Container.ZARR: read_zarr}
    return readers[raster.container](raster, grid=grid, window=window, s3=s3)


def _read_geotiff(raster: Raster, *, grid: Grid, window: Window, s3: S3Options) -> tuple[np.ndarray, np.ndarray]:
    from rasterio.windows import Window as FileWindow

    source = FileWindow(window.col, window.row, window.width, window.height)
    with open_raster(raster.url, s3=s3) as dataset:
        _check_unchanged(raster, grid, dataset)
        values = dataset.read(raster.band, window=source)
        return values, _declared_valid(values, raster, dataset, source)


def _check_unchanged(raster: Raster, grid: Grid, dataset: Any) -> None:
    t = dataset.transform
    if (dataset.shape, t.c, t.f, t.a, -t.e) != (grid.shape, grid.left, grid.top, grid.dx, grid.dy):
        raise InputError(
            f"{raster.url} has changed: it is not on the grid that it was planned with", "Plan and run again."
        )


def _declared_valid(values: np.ndarray, raster: Raster, dataset: Any, source: Any) -> np.ndarray:
    from rasterio.enums import MaskFlags

    valid = holds_data(values, raster.nodata)
    if MaskFlags.per_dataset in dataset.mask_flag_enums[raster.band - 1]:
        valid &= dataset.read_masks(raster.band, window=source) != 0
    return valid
