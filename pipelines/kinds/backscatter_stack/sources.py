"""Where scenes come from: the formats that `source` may name."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from infra.grid import earth_crs
from pipelines.kinds.model import Strict, not_in_key
from pipelines.kinds.places import PATHS, Paths, SourceS3

GROUPS = ("date", "polarization", "platform", "orbit", "absolute_orbit", "scene")  # what a file's name may tell
Polarization = Literal["VV", "VH", "HH", "HV"]
ScaleName = Literal["power", "amplitude", "db"]
RadiometryName = Literal["gamma0_terrain", "sigma0_ellipsoid", "sigma0_terrain", "beta0", "unknown"]
CALIBRATION = "added to reach calibrated power, dB; ALOS digital numbers: -83"


def checked_pattern(pattern: str) -> str:
    """The regular expression, if it is one and its named groups are known."""
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


class _Source(Strict):
    format: str
    path: Paths = not_in_key(description=PATHS)
    s3: SourceS3 | None = not_in_key(None, description="how the source's bucket is reached, if not as the output is")


class OperaRtc(_Source):
    """OPERA L2 RTC-S1 bursts as ASF delivers them."""

    format: Literal["opera-rtc"]


class Hyp3Rtc(_Source):
    """HyP3 RTC products (GAMMA), as folders or as the zips that ASF delivers."""

    format: Literal["hyp3-rtc"]


class NisarGcov(_Source):
    """NISAR L2 GCOV frames (HDF5), the newest release of each."""

    format: Literal["nisar-gcov"]
    frequency: Literal["A", "B"] = Field("A", description="band of the product: A (10 or 20 m) or B (80 m)")
    maturity: Literal["highest", "beta", "provisional", "validated"] = Field(
        "highest", description="releases used: the highest maturity that there is, or one by name; never mixed"
    )
    radiometry: Literal["gamma0_terrain", "sigma0_terrain"] = Field(
        "gamma0_terrain", description="gamma nought as delivered, or sigma nought by the product's factor"
    )


class ZarrStore(_Source):
    """A Zarr store of scenes: a group for each, or one array over time."""

    format: Literal["zarr"]
    layout: Literal["groups", "array"] = Field(
        description="`groups`: a group per scene; `array`: variables with dims (time, y, x)"
    )
    pattern: str | None = Field(
        None,
        description="regular expression found in each group's name; named groups: date (and polarization, platform, orbit, "
        "absolute_orbit, scene); left out: HyP3 and OPERA names are known",
    )
    date_format: str = Field(
        "%Y%m%dT%H%M%S", description="how the group `date`, or a time that is text, is written, as in strptime; UTC"
    )
    variables: dict[Polarization, str] | None = Field(
        None, description="variable of each polarization, e.g. {VV: gamma_vv}; left out: those named like one"
    )
    crs: str | None = Field(None, description='where the store names none, e.g. "EPSG:32645"')
    scale: ScaleName | None = Field(
        None, description="what the pixel values are; left out: what HyP3 names or units of dB say, else power"
    )
    calibration_db: float = Field(0.0, description=CALIBRATION)
    nodata: float | None = Field(None, description="stored value that means no data, beside what the store declares")
    radiometry: RadiometryName | None = Field(
        None, description="what the backscatter is normalised by; left out: what names or attributes say, else unknown"
    )

    @field_validator("pattern")
    @classmethod
    def _pattern_has_a_date(cls, pattern: str | None) -> str | None:
        return None if pattern is None else checked_pattern(pattern)

    @field_validator("crs")
    @classmethod
    def _crs_on_earth(cls, crs: str | None) -> str | None:
        return None if crs is None else earth_crs(crs)


class GeoTiff(_Source):
    """Any GeoTIFFs with one band of backscatter each, whose names tell date and polarization."""

    format: Literal["geotiff"]
    pattern: str = Field(
        description="regular expression found in each file name; named groups: date, polarization "
        "(and, where the names have them, platform, orbit, absolute_orbit, scene)"
    )
    date_format: str = Field("%Y%m%d", description="how the group `date` is written, as in strptime; UTC")
    polarization: Polarization | None = Field(
        None, description="polarization of all files, where their names do not tell it"
    )
    scale: ScaleName = Field("power", description="what the pixel values are")
    calibration_db: float = Field(0.0, description=CALIBRATION)
    nodata: float | None = Field(None, description="value that means no data, where the files do not declare it")
    radiometry: RadiometryName = Field("unknown", description="what the backscatter is normalised by")

    @field_validator("pattern")
    @classmethod
    def _pattern_has_a_date(cls, pattern: str) -> str:
        return checked_pattern(pattern)

    @model_validator(mode="after")
    def _polarization_known(self) -> GeoTiff:
        if "polarization" not in re.compile(self.pattern).groupindex and self.polarization is None:
            raise ValueError(
                "pattern: has no group named polarization and no `polarization` is given: give one of the two"
            )
        return self


Source = Annotated[OperaRtc | Hyp3Rtc | NisarGcov | ZarrStore | GeoTiff, Field(discriminator="format")]
