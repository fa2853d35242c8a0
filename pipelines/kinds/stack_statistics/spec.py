"""Parameters and products of `stack-statistics`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipelines.kinds.model import KindSpec, Parameters, ProductSpec, TaskReference, not_in_key, not_in_line
from pipelines.kinds.stack_statistics.figures_spec import FIGURES, Figures
from pipelines.kinds.stack_statistics.parts import Harmonic, Smoothing, Threshold


class StackStatistics(Parameters):
    """Parameters of `stack-statistics`."""

    stack: Annotated[str, TaskReference("backscatter-stack")] = not_in_key(
        description="name of the backscatter-stack task whose stack is summarised"
    )
    percentiles: list[Annotated[float, Field(ge=0, le=100)]] = Field(
        [5, 50, 95], description="percentiles over time, 0 to 100, by linear interpolation"
    )
    min_count: int = Field(
        2, ge=1, description="dates that a pixel needs for a coefficient of variation; fewer give no-data"
    )
    looks: float | None = Field(
        None,
        gt=0,
        description="equivalent number of looks of one scene, for the speckle floor 1 / sqrt(looks); "
        "estimated from the stack where it is left out",
    )
    threshold: Threshold | None = Field(
        None, description="threshold on the coefficient of variation, for cov_mask and cov_thresholded"
    )
    harmonic: Harmonic | None = Field(
        None, description="cycle fitted to each pixel, for harmonic_amplitude and harmonic_phase"
    )
    trend: bool = Field(
        default=False,
        description="trend of each pixel and its significance; time grows with the square of the dates",
    )
    smoothing: Smoothing | None = Field(
        Smoothing(), description="smooth curve of the time series (column smoothed_db); null for none"
    )
    zones: str | None = not_in_key(
        None, description="polygons for rows of their own in the time series: a .geojson, .shp or .gpkg file"
    )
    zone_name: str = Field(
        "name", description="attribute of the zones file that names a zone; row numbers if it has none"
    )
    figures: Figures | Literal["none"] = not_in_line(
        Figures(), description="pictures of what is made; the word none leaves them all out"
    )
    report: bool = not_in_line(
        default=True, description="one self-contained web page of what was made, from what, and how to open it"
    )

    @field_validator("percentiles")
    @classmethod
    def _sorted(cls, value: list[float]) -> list[float]:
        return sorted(set(value))


def _power(name: str, long_name: str) -> ProductSpec:
    return ProductSpec(name=name, role="raster", long_name=long_name, units="1", dtype="float32", overview="power")


def _date(name: str, long_name: str) -> ProductSpec:
    return ProductSpec(
        name=name,
        role="raster",
        long_name=long_name,
        units="days since 1970-01-01",
        dtype="int32",
        nodata=-1,
        overview="nearest",
    )


KIND = KindSpec(
    name="stack-statistics",
    version=1,
    summary="mean, deviation, variation, extremes and percentiles of every pixel over time, and a time series of the area and its zones",
    parameters=StackStatistics,
    products=(
        _power("mean", "temporal mean of backscatter"),
        ProductSpec(
            name="mean_db",
            role="raster",
            long_name="temporal mean of backscatter in decibel",
            units="dB",
            dtype="float32",
            overview="db",
        ),
        _power("std", "temporal standard deviation of backscatter (population)"),
        _power("cov", "temporal coefficient of variation, std / mean"),
        _power("min", "temporal minimum of backscatter"),
        _power("max", "temporal maximum of backscatter"),
        _date("min_date", "date of the minimum, the first if several"),
        _date("max_date", "date of the maximum, the first if several"),
        ProductSpec(
            name="count",
            role="raster",
            long_name="dates with data",
            units="1",
            dtype="int32",
            nodata=None,
            overview="nearest",
        ),
        _power("p*", "temporal percentile of backscatter"),
        ProductSpec(
            name="cov_mask",
            role="raster",
            long_name="1 where the coefficient of variation reaches the threshold, 0 where not (with `threshold`)",
            units="1",
            dtype="uint8",
            nodata=255,
            overview="nearest",
        ),
        _power("cov_thresholded", "coefficient of variation where it reaches the threshold (with `threshold`)"),
        _power("harmonic_amplitude", "amplitude of the fitted cycle of backscatter (with `harmonic`)"),
        ProductSpec(
            name="harmonic_phase",
            role="raster",
            long_name="day of the cycle on which the fitted backscatter is highest, from 0 to below the period "
            "(with `harmonic`)",
            units="d",
            dtype="float32",
            overview="nearest",
        ),
        ProductSpec(
            name="trend",
            role="raster",
            long_name="Theil-Sen slope of backscatter in decibel (with `trend`)",
            units="dB/year",
            dtype="float32",
            overview="power",
        ),
        ProductSpec(
            name="trend_p",
            role="raster",
            long_name="two-sided significance of the trend by the Mann-Kendall test, 0 to 1 (with `trend`)",
            units="1",
            dtype="float32",
            overview="nearest",
        ),
        ProductSpec(
            name="cov_summary",
            role="file",
            long_name="speckle floor, looks and threshold of the coefficient of variation, per polarization (JSON)",
        ),
        ProductSpec(name="time_series", role="table", long_name="backscatter of the area and its zones, per date"),
        *FIGURES,
        ProductSpec(name="report", role="report", long_name="page of what was made, from what, and how to open it"),
    ),
    backends={"dask": "pipelines.kinds.stack_statistics.dask"},
)
