"""The products of `displacement`; displacement and velocity are along the line of sight, positive toward the satellite."""

from __future__ import annotations

from typing import Literal

from pipelines.kinds.model import ProductSpec, Role

TOWARD = "line of sight, positive toward the satellite"
WHITE = "standard error as if residuals were white noise, without the reference pixel's own"
MASKED = "where temporal coherence reaches the mask's"


def _raster(
    name: str,
    long_name: str,
    *,
    units: str = "1",
    dtype: Literal["float32", "int32", "uint8"] = "float32",
    nodata: float | None = None,
) -> ProductSpec:
    """Averages of coarser levels are plain means for numbers that may be averaged."""
    overview: Literal["power", "nearest"] = "power" if dtype == "float32" else "nearest"
    return ProductSpec(
        name=name, role="raster", long_name=long_name, units=units, dtype=dtype, nodata=nodata, overview=overview
    )


def _other(role: Role, name: str, long_name: str, *, units: str = "") -> ProductSpec:
    return ProductSpec(name=name, role=role, long_name=long_name, units=units)


RASTERS = (
    _raster("velocity", f"velocity, {TOWARD}, {MASKED}", units="m/year"),
    _raster("velocity_unmasked", f"velocity, {TOWARD}, of every pixel that was inverted", units="m/year"),
    _raster("velocity_std", f"{WHITE}, of the velocity", units="m/year"),
    _raster("intercept", f"displacement at the first date that was fitted, {TOWARD}", units="m"),
    _raster("intercept_std", f"{WHITE}, of the intercept", units="m"),
    _raster("residue", "root of the sum of squared misfits of the time function", units="m"),
    _raster("acceleration", f"acceleration, {TOWARD} (with `time_function.polynomial` of 2 or more)", units="m/year^2"),
    _raster("acceleration_std", f"{WHITE}, of the acceleration", units="m/year^2"),
    _raster(
        "polynomial_*",
        f"derivative of that order, {TOWARD} (with `time_function.polynomial` of 3 or more)",
        units="m/year^n",
    ),
    _raster("polynomial_*_std", f"{WHITE}, of the derivative", units="m/year^n"),
    _raster("annual_amplitude", "amplitude of the annual cycle (with `time_function.periods`)", units="m"),
    _raster("annual_phase", "phase of the annual cycle, of the cosine at the first date", units="radian"),
    _raster("semi_annual_amplitude", "amplitude of the semi-annual cycle (with `time_function.periods`)", units="m"),
    _raster("semi_annual_phase", "phase of the semi-annual cycle", units="radian"),
    _raster("period_*_amplitude", "amplitude of another cycle (with `time_function.periods`)", units="m"),
    _raster("period_*_phase", "phase of another cycle", units="radian"),
    _raster("step_*", f"sudden displacement on that date, {TOWARD} (with `time_function.steps`)", units="m"),
    _raster("step_*_std", f"{WHITE}, of the step", units="m"),
    _raster("displacement", f"cumulative displacement of a date, {TOWARD}, {MASKED}", units="m"),
    _raster(
        "displacement_wrapped",
        "cumulative displacement of a date as a colour cycle of half a wavelength (2.77 cm)",
        dtype="uint8",
        nodata=255,
    ),
    _raster("temporal_coherence", "temporal coherence of the inversion, 0 to 1"),
    _raster("mean_coherence", "mean spatial coherence of the interferograms used, 0 to 1"),
    _raster(
        "closure_count",
        "triplets of interferograms whose phase does not close by a whole cycle",
        dtype="int32",
        nodata=-1,
    ),
    _raster("used_pairs", "interferograms used", dtype="int32", nodata=-1),
    _raster("mask", f"1 {MASKED}, 0 elsewhere", dtype="uint8", nodata=255),
    _raster(
        "mean_velocity", f"mean of phase over time of the interferograms, {TOWARD}: a quick overview", units="m/year"
    ),
    _raster("dem_error", "error of the height model (with `dem_error`)", units="m"),
    _raster("incidence_angle", "angle of the line of sight from the vertical", units="degree"),
    _raster(
        "azimuth_angle", "azimuth of the line of sight, ground to satellite, anticlockwise from north", units="degree"
    ),
)
TABLES = (
    _other("table", "network", "interferograms with baselines, mean coherence, and whether and why not they are used"),
    _other(
        "table", "dates", "dates with baseline, residual RMS, and whether they are noisy, excluded or the reference"
    ),
    _other("table", "point_series", f"displacement at the points, per date, {TOWARD}", units="m"),
)
MINTPY = (
    _other(
        "file", "mintpy_timeseries", "MintPy's timeseries.h5: as inverted, relative to the reference date", units="m"
    ),
    _other("file", "mintpy_timeseries_troposphere", "MintPy's timeseries_tropHgt.h5 (with `troposphere`)", units="m"),
    _other("file", "mintpy_timeseries_deramped", "MintPy's timeseries_ramp.h5 (with `deramp`)", units="m"),
    _other("file", "mintpy_timeseries_corrected", "MintPy's timeseries after the last correction", units="m"),
    _other("file", "mintpy_velocity", "MintPy's velocity.h5", units="m/year"),
    _other("file", "mintpy_temporal_coherence", "MintPy's temporalCoherence.h5"),
    _other("file", "mintpy_dem_error", "MintPy's demErr.h5 (with `dem_error`)", units="m"),
    _other("file", "mintpy_mean_velocity", "MintPy's avgPhaseVelocity.h5", units="m/year"),
    _other("file", "mintpy_mean_coherence", "MintPy's avgSpatialCoh.h5"),
    _other("file", "mintpy_mask", "MintPy's maskTempCoh.h5"),
    _other("file", "mintpy_used_pairs", "MintPy's numInvIfgram.h5"),
    _other("file", "mintpy_closure", "MintPy's numTriNonzeroIntAmbiguity.h5"),
    _other("file", "mintpy_pairs", "MintPy's ifgramStack.h5"),
    _other("file", "mintpy_geometry", "MintPy's geometryGeo.h5"),
)
FIGURES = (
    _other("figure", "figure_network", "interferograms between dates, by perpendicular baseline and mean coherence"),
    _other("figure", "figure_baselines", "perpendicular baseline of each date"),
    _other("figure", "figure_coherence", "coherence of the interferograms of each date"),
    _other("figure", "figure_coherence_matrix", "mean coherence of every pair of dates"),
    _other("figure", "figure_rms", "residual RMS of each date"),
    _other("figure", "figure_velocity", f"velocity, {TOWARD}"),
    _other("figure", "figure_velocity_std", f"{WHITE}, of the velocity"),
    _other("figure", "figure_temporal_coherence", "temporal coherence of the inversion"),
    _other("figure", "figure_mean_coherence", "mean spatial coherence"),
    _other("figure", "figure_closure_count", "triplets whose phase does not close"),
    _other("figure", "figure_dem_error", "error of the height model"),
    _other("figure", "figure_dates", f"cumulative displacement of every date, {TOWARD}"),
    _other("figure", "figure_points", f"displacement at the points, {TOWARD}"),
    _other("figure", "animation", f"film of cumulative displacement, {TOWARD}"),
)
PRODUCTS = (
    ProductSpec(
        name="series",
        role="store",
        long_name=f"displacement of every date after each stage, {TOWARD}; and what was made of it",
        units="m",
        dtype="float32",
    ),
    *RASTERS,
    *TABLES,
    _other("file", "summary", "reference point and date, masks, fits and counts (JSON)"),
    _other("file", "velocity_kmz", "velocity for Google Earth", units="m/year"),
    *MINTPY,
    *FIGURES,
    _other("report", "report", "page of what was made, from what, and how to open it"),
)
