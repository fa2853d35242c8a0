"""Parameters and products of `backscatter-stack`."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from infra.grid import earth_crs
from pipelines.kinds.backscatter_stack.sources import Polarization, Source
from pipelines.kinds.model import KindSpec, Parameters, ProductSpec, Strict, not_in_key, not_in_line


class Mask(Strict):
    """Pixels set to no-data because of what the product's mask layer says of them."""

    layover: bool = Field(default=False, description="hide pixels in radar layover")
    shadow: bool = Field(default=False, description="hide pixels in radar shadow")
    water: bool = Field(default=False, description="hide open water, where the product has such a layer")


class TargetGrid(Strict):
    """The lattice that scenes are resampled to, in power; each on its own where it lies on it already."""

    like: str | None = not_in_key(
        None,
        description="id of a scene as `plan` lists it, or a raster file: its CRS, resolution and lattice are taken",
    )
    crs: str | None = Field(None, description="coordinate reference system", examples=["EPSG:32611"])
    resolution: float | None = Field(
        None, gt=0, description="side of a pixel, CRS units; corners of pixels fall on its multiples", examples=[30]
    )
    resampling: Literal["average", "bilinear", "cubic", "nearest"] = Field(
        "average", description="average: mean power of what a pixel covers; the others interpolate"
    )

    @field_validator("crs")
    @classmethod
    def _crs_on_earth(cls, crs: str | None) -> str | None:
        return crs if crs is None else earth_crs(crs)

    @model_validator(mode="after")
    def _one_of_two(self) -> TargetGrid:
        given = {"like": self.like, "crs": self.crs, "resolution": self.resolution}
        there = [name for name, value in given.items() if value is not None]
        if there not in (["like"], ["crs", "resolution"]):
            raise ValueError(f"give `like`, or `crs` and `resolution` together; here: {', '.join(there) or 'none'}")
        return self


class Export(Strict):
    """Copies of the stack for tools that know no Icechunk."""

    zarr: bool = Field(default=False, description="a plain Zarr v3 store")
    geotiff: Literal["none", "per-date"] = Field(
        "none", description="`per-date`: two GeoTIFFs for each date and polarization, power and dB"
    )


class BackscatterStack(Parameters):
    """Parameters of `backscatter-stack`."""

    source: Source = Field(description="files that the stack is made from")
    polarizations: list[str] | None = Field(
        None, description="which to use, e.g. [VV, VH]; all that there are if left out"
    )
    mask: Mask = Field(Mask(), description="what the product's mask layer hides")
    grid: TargetGrid | None = Field(
        None, description="resample to this grid; left out: scenes must share one lattice, and no pixel is resampled"
    )
    extent: Literal["union", "intersection", "area"] = Field(
        "union",
        description="pixels of the stack: all that any scene covers, only those that every scene covers, or the job's area",
    )
    orbits: Literal["single", "separate", "mixed"] = Field(
        "single",
        description="more than one relative orbit, pass or look direction: an error, a group each, or mixed all the same",
    )
    chunk: int = not_in_key(512, ge=64, le=4096, description="side of a chunk of the store, pixels")
    export: Export = not_in_line(Export(), description="copies for tools that know no Icechunk")

    @field_validator("polarizations")
    @classmethod
    def _upper_case(cls, value: list[str] | None) -> list[str] | None:
        for name in value or []:
            if name.upper() not in get_args(Polarization):
                raise ValueError(f"'{name}' is no polarization; there are {', '.join(get_args(Polarization))}")
        return sorted({name.upper() for name in value}) if value else None


KIND = KindSpec(
    name="backscatter-stack",
    version=2,
    summary="radar scenes of one lattice as one time series of linear power, in an Icechunk store that later runs append to",
    parameters=BackscatterStack,
    products=(
        ProductSpec(name="stack", role="store", long_name="backscatter time series", units="1", dtype="float32"),
        ProductSpec(
            name="stack_zarr", role="store", long_name="backscatter time series, plain Zarr", units="1", dtype="float32"
        ),
        ProductSpec(name="power", role="raster", long_name="backscatter", units="1", dtype="float32", overview="power"),
        ProductSpec(
            name="db", role="raster", long_name="backscatter in decibel", units="dB", dtype="float32", overview="db"
        ),
    ),
    backends={"dask": "pipelines.kinds.backscatter_stack.dask"},
)
