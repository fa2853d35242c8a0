"""Parameters and products of `backscatter-stack`."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from pipelines.kinds.model import KindSpec, Parameters, ProductSpec, Strict, not_in_key, not_in_line

Paths = Annotated[
    str | list[str], "a folder, file or glob, or a list of these; a local path relative to the job file, or s3://"
]
GROUPS = ("date", "polarization", "platform", "orbit", "absolute_orbit", "scene")  # what a file's name may tell
Polarization = Literal["VV", "VH", "HH", "HV"]
PATHS = (
    "where the files are: a folder, a file, a glob or a list of these; relative to the job file, or s3://bucket/prefix"
)


class OperaRtc(Strict):
    """OPERA L2 RTC-S1 bursts as ASF delivers them."""

    format: Literal["opera-rtc"]
    path: Paths = not_in_key(description=PATHS)


class GeoTiff(Strict):
    """Any GeoTIFFs with one band of backscatter each, whose names tell date and polarization."""

    format: Literal["geotiff"]
    path: Paths = not_in_key(description=PATHS)
    pattern: str = Field(
        description="regular expression found in each file name; named groups: date, polarization "
        "(and, where the names have them, platform, orbit, absolute_orbit, scene)"
    )
    date_format: str = Field("%Y%m%d", description="how the group `date` is written, as in strptime; UTC")
    polarization: Polarization | None = Field(
        None, description="polarization of all files, where their names do not tell it"
    )
    scale: Literal["power", "amplitude", "db"] = Field("power", description="what the pixel values are")
    calibration_db: float = Field(0.0, description="added to reach calibrated power, dB; ALOS digital numbers: -83")
    nodata: float | None = Field(None, description="value that means no data, where the files do not declare it")
    radiometry: Literal["gamma0_terrain", "sigma0_ellipsoid", "sigma0_terrain", "beta0", "unknown"] = Field(
        "unknown", description="what the backscatter is normalised by"
    )

    @field_validator("pattern")
    @classmethod
    def _pattern_has_a_date(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"'{pattern}' is no regular expression: {error}") from error
        if "date" not in groups:
            raise ValueError(rf"'{pattern}' has no group named date; write it as (?P<date>\d{{8}})")
        unknown = sorted(set(groups) - set(GROUPS))
        if unknown:
            raise ValueError(f"no group may be named '{unknown[0]}'; groups are {', '.join(GROUPS)}")
        return pattern

    @model_validator(mode="after")
    def _polarization_known(self) -> GeoTiff:
        if "polarization" not in re.compile(self.pattern).groupindex and self.polarization is None:
            raise ValueError(
                "pattern: has no group named polarization and no `polarization` is given: give one of the two"
            )
        return self


Source = Annotated[OperaRtc | GeoTiff, Field(discriminator="format")]


class Mask(Strict):
    """Pixels set to no-data because of what the product's mask layer says of them."""

    layover: bool = Field(default=False, description="hide pixels in radar layover")
    shadow: bool = Field(default=False, description="hide pixels in radar shadow")
    water: bool = Field(default=False, description="hide open water, where the product has such a layer")


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
    version=1,
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
