"""Small GeoTIFFs for tests, written by rasterio alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

UTM = "EPSG:32611"
PLACE = Affine(30, 0, 300_000, 0, -30, 3_800_000)


def write_tif(
    path: Path,
    values: Any,
    *,
    row: float = 0,
    col: float = 0,
    crs: str | None = UTM,
    nodata: float | None = None,
    **more: Any,
) -> Path:
    """GeoTIFF of `values`, dims (y, x) or (band, y, x), `row` and `col` pixels off the common origin.

    `tags` and `transform` among the rest; everything else goes to rasterio.
    """
    bands = np.atleast_3d(np.asarray(values)) if np.ndim(values) < 2 else np.asarray(values)
    bands = bands[None] if bands.ndim == 2 else bands
    tags, transform = more.pop("tags", {}), more.pop("transform", PLACE @ Affine.translation(col, row))
    profile = {"driver": "GTiff", "dtype": bands.dtype, "count": bands.shape[0], "nodata": nodata, "crs": crs}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", height=bands.shape[1], width=bands.shape[2], transform=transform, **profile, **more
    ) as dataset:
        dataset.write(bands)
        dataset.update_tags(**tags)
    return path


def opera_name(
    layer: str = "VV",
    *,
    burst: str = "T137-292320-IW1",
    sensing: str = "20211119T015859Z",
    processing: str = "20250830T120333Z",
    version: str = "1.0",
    platform: str = "S1A",
) -> str:
    """File name of an OPERA RTC-S1 raster."""
    return f"OPERA_L2_RTC-S1_{burst}_{sensing}_{processing}_{platform}_30_v{version}_{layer}.tif"
