"""Rasters of two engines compared pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.storage import gdal_environment, gdal_path
from pipelines.parity import RELATIVE, Agreement, total

if TYPE_CHECKING:
    import numpy as np

    from infra.s3 import S3Options

OTHER_GRID = Agreement(pixels=1, differing=1, largest=1.0, masks=False)
ROUNDING = 1e-12  # far below any power, ratio or dB that means something: the spread of one pass is 0 or some 1e-16
ROWS = 512  # read at once


def compare_rasters(first: str, second: str, *, s3: S3Options) -> Agreement:
    """How far the pixels of two rasters agree; nothing agrees where they are on different grids.

    Parameters
    ----------
    first, second : absolute paths or s3:// URLs
    """
    import rasterio

    with (
        rasterio.Env(**gdal_environment(s3)),
        rasterio.open(gdal_path(first)) as one,
        rasterio.open(gdal_path(second)) as other,
    ):
        if (one.crs, one.transform, one.shape, one.count) != (other.crs, other.transform, other.shape, other.count):
            return OTHER_GRID
        windows = [
            rasterio.windows.Window(0, row, one.width, min(ROWS, one.height - row))
            for row in range(0, one.height, ROWS)
        ]
        return total(compare_pixels(_pixels(one, window), _pixels(other, window)) for window in windows)


def compare_pixels(first: np.ma.MaskedArray[Any, Any], second: np.ma.MaskedArray[Any, Any]) -> Agreement:
    """How far values agree, relative to the greater of the two; what rounding leaves of a zero is a zero.

    Parameters
    ----------
    first, second : equal shapes, float64; masked and NaN is no data
    """
    import numpy as np

    here, there = (~np.ma.getmaskarray(values) & ~np.isnan(values.data) for values in (first, second))
    both = here & there
    a, b = first.data[both], second.data[both]
    greater = np.maximum(np.abs(a), np.abs(b))
    with np.errstate(invalid="ignore"):
        gap = np.abs(a - b)
        apart = np.where((a == b) | (gap <= ROUNDING), 0.0, gap / np.where(greater > 0, greater, 1.0))
    apart = np.nan_to_num(apart, nan=1.0, posinf=1.0)  # infinite on one side alone
    return Agreement(
        pixels=int((here | there).sum()),
        largest=float(apart.max(initial=0.0)),
        differing=int((apart > RELATIVE).sum()),
        masks=bool((here == there).all()),
    )


def _pixels(raster: Any, window: Any) -> np.ma.MaskedArray[Any, Any]:
    values: np.ma.MaskedArray[Any, Any] = raster.read(window=window, masked=True).astype("float64")
    return values
