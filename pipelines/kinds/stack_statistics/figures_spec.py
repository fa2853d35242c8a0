"""The figures of `stack-statistics`: parameters and rows of the product table."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from pipelines.kinds.model import ProductSpec, Strict

Format = Literal["gif", "mp4"]


class Figures(Strict):
    """Figures for people: PNG, GIF and MP4 in one style, with linear power averaged before it is shown in dB."""

    maps: bool = Field(True, description="maps of mean, coefficient of variation and count of every polarization")  # noqa: FBT003 -- pydantic's default
    dates: Literal["first-and-last", "all", "none"] | list[date] = Field(
        "first-and-last",
        description="dates (UTC) with an image and a histogram of their own, in power and in dB",
    )
    cov_histogram: bool = Field(
        True,  # noqa: FBT003 -- pydantic's default
        description="histogram and cumulative distribution of the coefficient of variation, with threshold and speckle floor",
    )
    time_series: bool = Field(True, description="mean of area and zones over time, in power and in dB, with error bars")  # noqa: FBT003 -- pydantic's default
    footprints: bool = Field(True, description="area and outlines of the scenes in longitude and latitude")  # noqa: FBT003 -- pydantic's default
    animation: list[Format] = Field(["gif", "mp4"], description="formats of the film of all dates; [] for none")
    animation_means: list[Format] = Field(
        ["gif", "mp4"], description="formats of the film with the growing time series beside it; [] for none"
    )
    stretch_db: tuple[float, float] | None = Field(
        None,
        description="black and white of every image, dB; by default the 2nd and 98th percentile of all pixels of all dates, in whole dB",
    )
    frames_per_second: Annotated[float, Field(ge=0.1, le=50)] = Field(2.0, description="dates per second of a film")

    @field_validator("animation", "animation_means")
    @classmethod
    def _each_once(cls, value: list[Format]) -> list[Format]:
        return sorted(set(value))

    @field_validator("dates")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        return sorted(set(value)) if isinstance(value, list) else value

    @field_validator("stretch_db")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(f"black ({value[0]:g} dB) must be below white ({value[1]:g} dB)")
        return value


def _figure(name: str, long_name: str) -> ProductSpec:
    return ProductSpec(name=name, role="figure", long_name=long_name)


FIGURES = (
    _figure("map_mean", "map of the temporal mean, in dB"),
    _figure("map_cov", "map of the coefficient of variation"),
    _figure("map_count", "map of the number of dates with data"),
    _figure("image", "map of one date, in dB"),
    _figure("histogram", "image and histogram of one date, in power and in dB"),
    _figure("cov_histogram", "histogram and cumulative distribution of the coefficient of variation"),
    _figure("time_series", "time series of the area and its zones, in power and in dB"),
    _figure("footprints", "area and outlines of the scenes"),
    _figure("animation", "film of all dates, one stretch in dB"),
    _figure("animation_means", "film of all dates beside the growing time series"),
)
