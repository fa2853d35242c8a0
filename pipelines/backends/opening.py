"""Products as objects of Python: what `open_product` gives, by role and media type."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from infra.errors import StateError
from infra.storage import Location, gdal_environment, gdal_path
from pipelines.backends import load_backend

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from infra.settings import Settings
    from pipelines.registry.rows import ProductRow

DAYS = "days since 1970-01-01"


def opened(row: ProductRow, settings: Settings) -> xr.Dataset | xr.DataArray | pd.DataFrame:
    """Dataset of a store, DataArray of a raster (both lazy), DataFrame of a table.

    Raises
    ------
    StateError
        If the product is none of these.
    """
    if row.role == "store":
        return _store(row, settings)
    if row.role == "table":
        return _table(row, settings)
    if row.role == "raster":
        return _raster(row, settings)
    raise StateError(f"{row.name} is a {row.role}", f"Open the file itself: {row.href}")


def _store(row: ProductRow, settings: Settings) -> xr.Dataset:
    dataset: xr.Dataset = (
        load_backend("dask", settings)
        .binding(row.kind)
        .open_store(Location(row.href, settings.s3), media_type=row.media_type, key=row.key, group=row.orbit or "")
    )
    return dataset


def _table(row: ProductRow, settings: Settings) -> pd.DataFrame:
    import pandas as pd

    folder, _, name = row.href.rpartition("/")
    data = io.BytesIO(Location(folder, settings.s3).read(name))
    table: pd.DataFrame = pd.read_csv(data) if row.media_type == "text/csv" else pd.read_parquet(data)
    return table


def _raster(row: ProductRow, settings: Settings) -> xr.DataArray:
    """No-data of a date stays -1: it has no NaN, being a whole number."""
    import rasterio
    import rioxarray

    with rasterio.Env(**gdal_environment(settings.s3)):
        raster: xr.DataArray = rioxarray.open_rasterio(gdal_path(row.href), masked=row.units != DAYS, chunks={})
    return raster.squeeze("band", drop=True).rename(row.name)
