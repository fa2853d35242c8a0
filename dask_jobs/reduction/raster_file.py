"""A raster made on a worker and brought to where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dask_jobs.write import write_cog

if TYPE_CHECKING:
    import numpy as np

    from dask_jobs.write import Layer
    from infra.grid import Grid, Window
    from infra.storage import Location


def upload_raster(path: str, *, grid: Grid, layer: Layer, read: Callable[[Window], np.ndarray], parts: Location) -> int:
    """Size in bytes of a Cloud Optimized GeoTIFF, made in this worker's scratch folder and uploaded to `parts`.

    Parameters
    ----------
    path : of the object
    read : as in `dask_jobs.write.write_cog`
    """
    from distributed import get_worker

    with TemporaryDirectory(dir=get_worker().local_directory, prefix="raster-") as folder:
        file = Path(folder) / "raster.tif"
        write_cog(file, grid=grid, layer=layer, read=read)
        parts.upload(file, path)
        return file.stat().st_size
