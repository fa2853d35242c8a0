"""Parameters and products of `sentinel1-composite`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from pipelines.kinds.model import KindSpec, ProductSpec, Strict
from pipelines.kinds.sentinel1.parameters import REDUCER, REDUCERS, Quantity, Sentinel1, quantity_units

UNFILTERED = "_unfiltered"
NAMED = ("median", "mean", "stdDev", "count")  # reducers; percentiles follow


class Composite(Strict):
    """What is reduced together."""

    time: Literal["period", "month", "year"] = Field(
        "period", description="one composite of all dates, or one for each month or year (UTC)"
    )
    per_orbit: bool = Field(default=False, description="one composite for each relative orbit")


class Sentinel1Composite(Sentinel1):
    """Parameters of `sentinel1-composite`."""

    unfiltered: bool = Field(default=False, description="with `speckle`: also the same without the filter")
    reducers: list[str] = Field(["median", "stdDev", "count"], min_length=1, description=f"over the passes: {REDUCERS}")
    composite: Composite = Field(Composite(), description="what is reduced together")

    @field_validator("reducers")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for name in value:
            if not REDUCER.fullmatch(name):
                raise ValueError(f"'{name}' is no reducer; there are {REDUCERS}")
        rest = sorted(set(value) - set(NAMED))
        return [*(name for name in NAMED if name in value), *rest]

    @model_validator(mode="after")
    def _twin_of_something(self) -> Sentinel1Composite:
        if self.unfiltered and self.speckle is None:
            raise ValueError("unfiltered: true is the twin of a filtered composite, and there is no `speckle`")
        return self


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One raster of a composite: a quantity, and how passes are reduced to it; `filtered` where there is a filter."""

    quantity: str
    reducer: str
    filtered: bool = True


def measures(parameters: Sentinel1Composite) -> dict[str, Measure]:
    """Product name to what it is, in the order of products; `count` stands once, at the end."""
    pairs = list(product(parameters.quantities, [name for name in parameters.reducers if name != "count"]))
    found = {f"{q}_{r}": Measure(quantity=q, reducer=r) for q, r in pairs}
    if parameters.unfiltered:
        found |= {f"{q}_{r}{UNFILTERED}": Measure(quantity=q, reducer=r, filtered=False) for q, r in pairs}
    if "count" in parameters.reducers:
        found["count"] = Measure(quantity=parameters.quantities[0], reducer="count")
    return found


WORDS = {
    "vv": "VV backscatter",
    "vh": "VH backscatter",
    "ratio": "ratio of VV to VH power",
    "median": "temporal median",
    "mean": "temporal mean (of powers)",
    "stdDev": "temporal standard deviation (population)",
    "p*": "temporal percentile",
}


def _row(quantity: str, reducer: str, suffix: str) -> ProductSpec:
    units = quantity_units(quantity)
    what = WORDS[quantity.removesuffix("_db")] + (" in decibel" if units == "dB" else "")
    twin = ", without the speckle filter (with `unfiltered`)" if suffix else ""
    # The spread of decibels is no level in decibel: its coarser levels are plain averages
    overview: Literal["power", "db"] = "db" if units == "dB" and reducer != "stdDev" else "power"
    return ProductSpec(
        name=f"{quantity}_{reducer}{suffix}",
        role="raster",
        long_name=f"{WORDS[reducer]} of {what}{twin}",
        units=units,
        dtype="float32",
        overview=overview,
    )


KIND = KindSpec(
    name="sentinel1-composite",
    version=1,
    summary="Sentinel-1 passes of a period reduced to composites of VV, VH and their ratio, in Earth Engine or on Dask",
    parameters=Sentinel1Composite,
    products=(
        *(
            _row(quantity, reducer, suffix)
            for suffix, quantity, reducer in product(
                ("", UNFILTERED), get_args(Quantity), ("median", "mean", "stdDev", "p*")
            )
        ),
        ProductSpec(
            name="count",
            role="raster",
            long_name="passes with data",
            units="1",
            dtype="int32",
            nodata=None,
            overview="nearest",
        ),
    ),
    backends={
        "dask": "pipelines.kinds.sentinel1_composite.dask",
        "earth-engine": "pipelines.kinds.sentinel1_composite.earth_engine",
    },
)
