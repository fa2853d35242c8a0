"""Rasters that a reduction over time makes: names, units, types and how they are averaged for coarser levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import nan

from dask_jobs.statistics.percentile_name import percentile_name
from dask_jobs.statistics.threshold import NOT_KNOWN
from dask_jobs.write import Layer, Overview


@dataclass(frozen=True, kw_only=True)
class StatisticLayer:
    """One raster.

    Attributes
    ----------
    name : of the product
    array : the statistic that it shows (`dask_jobs.statistics.temporal`); in dB where the units say so
    kept : of that statistic, what a threshold keeps
    """

    name: str
    array: str
    layer: Layer
    kept: bool = False


def statistic_layers(
    percentiles: Iterable[float], *, threshold: bool = False, period: float | None = None, trend: bool = False
) -> tuple[StatisticLayer, ...]:
    """Rasters of every polarization, in the order in which people read them.

    Parameters
    ----------
    percentiles : 0 to 100
    threshold : whether the coefficient of variation has one
    period : of the cycle that is fitted, days; None for none
    trend : whether it is fitted
    """
    return (
        _power("mean", "temporal mean of backscatter"),
        _raster("mean_db", "temporal mean of backscatter in decibel", units="dB", overview="db", array="mean"),
        _power("std", "temporal standard deviation of backscatter (population)"),
        _power("cov", "temporal coefficient of variation, std / mean"),
        _power("min", "temporal minimum of backscatter"),
        _power("max", "temporal maximum of backscatter"),
        _date("min_date", "date of the minimum, the first if several"),
        _date("max_date", "date of the maximum, the first if several"),
        StatisticLayer(
            name="count",
            array="count",
            # no no-data value: 0 dates is what was measured
            layer=Layer(dtype="int32", description="dates with data", units="1", overview="nearest"),
        ),
        *(_power(percentile_name(p), f"temporal percentile {p:g} of backscatter") for p in percentiles),
        *(_thresholded() if threshold else ()),
        *(_harmonic(period) if period is not None else ()),
        *(_trend() if trend else ()),
    )


def _harmonic(period: float) -> tuple[StatisticLayer, ...]:
    phase = "day of the cycle on which the fitted backscatter is highest"
    found = (
        _power("harmonic_amplitude", "amplitude of the fitted cycle of backscatter"),
        _raster("harmonic_phase", phase, units="d", overview="nearest", array="harmonic_phase"),
    )
    tags = {"PERIOD_DAYS": f"{period!r}", "PHASE_ORIGIN": "1970-01-01T00:00:00Z"}
    return tuple(replace(one, layer=replace(one.layer, tags=tags)) for one in found)


def _trend() -> tuple[StatisticLayer, ...]:
    slope, significance = "Theil-Sen slope of backscatter in decibel", "significance of the trend (Mann-Kendall)"
    return (
        _raster("trend", slope, units="dB/year", overview="power", array="trend"),
        _raster("trend_p", significance, units="1", overview="nearest", array="trend_p"),
    )


def _thresholded() -> tuple[StatisticLayer, ...]:
    mask = Layer(
        dtype="uint8",
        description="1 where the coefficient of variation reaches the threshold",
        units="1",
        overview="nearest",
        nodata=NOT_KNOWN,
        colors={0: (200, 200, 200, 255), 1: (200, 30, 30, 255), NOT_KNOWN: (0, 0, 0, 0)},
    )
    values = Layer(
        dtype="float32",
        description="temporal coefficient of variation where it reaches the threshold",
        units="1",
        overview="power",
        nodata=nan,
    )
    return (
        StatisticLayer(name="cov_mask", array="cov", layer=mask, kept=True),
        StatisticLayer(name="cov_thresholded", array="cov", layer=values, kept=True),
    )


def _power(name: str, description: str) -> StatisticLayer:
    return _raster(name, description, units="1", overview="power", array=name)


def _raster(name: str, description: str, *, units: str, overview: Overview, array: str) -> StatisticLayer:
    layer = Layer(dtype="float32", description=description, units=units, overview=overview, nodata=nan)
    return StatisticLayer(name=name, array=array, layer=layer)


def _date(name: str, description: str) -> StatisticLayer:
    layer = Layer(dtype="int32", description=description, units="days since 1970-01-01", overview="nearest", nodata=-1)
    return StatisticLayer(name=name, array=name, layer=layer)
