"""Parameters and products of `sentinel1-series`."""

from __future__ import annotations

from typing import get_args

from pydantic import Field

from pipelines.kinds.model import KindSpec, ProductSpec
from pipelines.kinds.sentinel1.parameters import Quantity, Sentinel1, quantity_units
from pipelines.kinds.sentinel1_composite.spec import WORDS


class Sentinel1Series(Sentinel1):
    """Parameters of `sentinel1-series`."""

    start: int = Field(0, ge=0, description="passes left out at the beginning")
    limit: int | None = Field(None, ge=1, description="passes at most, instead of all", examples=[10])


def _row(quantity: str) -> ProductSpec:
    units = quantity_units(quantity)
    what = WORDS[quantity.removesuffix("_db")]
    return ProductSpec(
        name=quantity,
        role="raster",
        long_name=f"{what} of a pass" + (" in decibel" if units == "dB" else ""),
        units=units,
        dtype="float32",
        overview="db" if units == "dB" else "power",
    )


KIND = KindSpec(
    name="sentinel1-series",
    version=1,
    summary="every Sentinel-1 pass of a period, filtered, as rasters under its date, from Earth Engine or on Dask",
    parameters=Sentinel1Series,
    products=tuple(_row(quantity) for quantity in get_args(Quantity)),
    backends={
        "dask": "pipelines.kinds.sentinel1_series.dask",
        "earth-engine": "pipelines.kinds.sentinel1_series.earth_engine",
    },
)
