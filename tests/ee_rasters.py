"""Small GeoTIFFs that tests of the local Earth Engine register."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rasterio
from rasterio.transform import Affine

if TYPE_CHECKING:
    import numpy as np

UTM = "EPSG:32720"
TEN_METRES = Affine(10, 0, 500000, 0, -10, 8000000)


def write_raster(
    path: Path,
    values: np.ndarray,
    *,
    transform: Affine = TEN_METRES,
    crs: str = UTM,
    no_data: float | None = None,
    names: Sequence[str] = (),
    valid: np.ndarray | None = None,
) -> Path:
    """GeoTIFF of values, dims (band, y, x), 10 m pixels of UTM 20 S unless told otherwise."""
    count, height, width = values.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype}
    # a raster without a transform is one of the cases
    place = {} if transform == Affine.identity() else {"transform": transform}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **profile, **place, crs=crs, nodata=no_data) as file,
    ):
        file.write(values)
        for at, name in enumerate(names):
            file.set_band_description(at + 1, name)
        if valid is not None:
            file.write_mask(valid)
    return path
