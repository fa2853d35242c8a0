"""Rasters that a function of time gives: what they are called here and in MintPy's velocity.h5, and their units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

SEASONS = {1.0: ("annual", "annual"), 0.5: ("semi_annual", "semiAnnual")}
"""Period in years to its names here and in MintPy's files, where it has one of its own."""


@dataclass(frozen=True, kw_only=True)
class TimeRaster:
    """A raster that a fit gives.

    Attributes
    ----------
    name : here
    dataset : in MintPy's velocity.h5
    units : "m/year"
    long_name : for people
    """

    name: str
    dataset: str
    units: str
    long_name: str


RESIDUE = TimeRaster(name="residue", dataset="residue", units="m", long_name="root of the sum of squared residuals")
POLYNOMIAL = (
    TimeRaster(name="intercept", dataset="intercept", units="m", long_name="displacement at the first date"),
    TimeRaster(name="velocity", dataset="velocity", units="m/year", long_name="velocity in line of sight"),
    TimeRaster(
        name="acceleration", dataset="acceleration", units="m/year^2", long_name="acceleration in line of sight"
    ),
)


def polynomial_raster(power: int) -> TimeRaster:
    """Raster of the coefficient of t^power / power!, which is the derivative of that order at the first date."""
    if power < len(POLYNOMIAL):
        return POLYNOMIAL[power]
    return TimeRaster(
        name=f"polynomial_{power}",
        dataset=f"poly{power}",
        units=f"m/year^{power}",
        long_name=f"derivative of order {power} in line of sight",
    )


def period_rasters(period: float) -> tuple[TimeRaster, TimeRaster]:
    """Rasters of the amplitude and the phase of a cycle."""
    name, dataset = SEASONS.get(period, (f"period_{period:g}y", f"period{period:g}Y"))
    what = {1.0: "yearly cycle", 0.5: "half-yearly cycle"}.get(period, f"cycle of {period:g} years")
    return (
        TimeRaster(
            name=f"{name}_amplitude", dataset=f"{dataset}Amplitude", units="m", long_name=f"amplitude of the {what}"
        ),
        TimeRaster(name=f"{name}_phase", dataset=f"{dataset}Phase", units="radian", long_name=f"phase of the {what}"),
    )


def step_raster(step: date) -> TimeRaster:
    """Raster of sudden motion."""
    return TimeRaster(
        name=f"step_{step:%Y%m%d}", dataset=f"step{step:%Y%m%d}", units="m", long_name=f"sudden motion after {step}"
    )


def deviation(raster: TimeRaster) -> TimeRaster:
    """Raster of a parameter's standard error."""
    return TimeRaster(
        name=f"{raster.name}_std",
        dataset=f"{raster.dataset}Std",
        units=raster.units,
        long_name=f"standard error of {raster.long_name}",
    )
