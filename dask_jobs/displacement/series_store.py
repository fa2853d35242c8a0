"""The series as a plain Zarr store: displacement after every stage, relative to the reference date, and how good it is."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.displacement.corrections import stage_series
from dask_jobs.displacement.displace import Displaced
from dask_jobs.displacement.rasters import SIGN
from dask_jobs.stack.schema import write_frame
from infra.grid import Window

if TYPE_CHECKING:
    import zarr

    from infra.storage import Location

STORE, MADE = "series.zarr", "series-made"
EPOCH = date(1970, 1, 1)
LAST, TITLES = (
    "displacement",
    {
        "inverted": "as inverted",
        "troposphere": "without the delay that goes with height",
        "deramped": "without ramps",
        "corrected": "without the error of the height model",
    },
)
SINGLES = {
    "temporal_coherence": ("1", "temporal coherence of the inversion"),
    "mean_coherence": ("1", "mean spatial coherence"),
    "velocity": ("m/year", f"velocity along the line of sight, {SIGN}"),
    "velocity_std": ("m/year", "standard error of the velocity, residuals as white noise"),
}


def variable_of(stage: str, made: Displaced) -> str:
    """Name of a stage's variable: the last one is what people want, and called so."""
    return LAST if stage == made.work.recipe.stages[-1] else f"{LAST}_{stage}"


def make_store(made: Displaced, *, parts: Location) -> None:
    """The store with coordinates and empty arrays, instead of any that is there."""
    import zarr

    group = zarr.open_group((parts / STORE).zarr_store(), mode="w")
    days = made.network.pairs.dates
    for stage in made.work.recipe.stages:
        long_name = f"displacement along the line of sight, {SIGN}, {TITLES[stage]}"
        _array(group, variable_of(stage, made), depth=len(days), units="m", long_name=long_name, made=made)
    for name, (units, long_name) in SINGLES.items():
        _array(group, name, depth=None, units=units, long_name=long_name, made=made)
    _column(group, "time", np.array([(day - EPOCH).days for day in days], dtype="int64"), {
        "standard_name": "time", "units": "days since 1970-01-01", "calendar": "proleptic_gregorian",
    })  # fmt: skip
    _column(group, "perpendicular_baseline", made.network.baselines, {"units": "m"})
    fitted = {"long_name": "1 where the time function was fitted to the date"}
    _column(group, "fitted", made.dates.used.astype("int8"), fitted)
    write_frame(group, grid=made.work.grid, attrs=_attributes(made))
    made.place.write(MADE, b"")


def write_block(window: Window, *, work: Displaced, parts: Location) -> None:
    """On a worker: all that the store holds of one block."""
    import zarr

    group = zarr.open_group((parts / STORE).zarr_store(), mode="r+")
    arrays = work.work.arrays
    for stage in work.work.recipe.stages:
        series = stage_series(stage, window, work=work.work, fits=work.fits, reference=work.reference)
        series -= series[work.dates.reference].copy()
        _member(group, variable_of(stage, work))[(slice(None), *window.slices)] = series
    for name in SINGLES:
        _member(group, name)[window.slices] = arrays.plane(name, window)
    work.place.write(f"stored/{window.row}-{window.col}", b"")


def _attributes(made: Displaced) -> dict[str, Any]:
    recipe, days = made.work.recipe, made.network.pairs.dates
    return {
        "title": "displacement along the line of sight",
        "wavelength": recipe.inversion.wavelength,
        "reference_row": made.reference.row,
        "reference_column": made.reference.col,
        "reference_date": days[made.dates.reference].isoformat(),
        "least_temporal_coherence": recipe.temporal_coherence,
        "stages": list(recipe.stages),
    }


def _array(group: zarr.Group, name: str, *, depth: int | None, units: str, long_name: str, made: Displaced) -> None:
    from zarr.codecs import BloscCodec

    deep = () if depth is None else (depth,)
    group.create_array(
        name,
        shape=(*deep, *made.work.grid.shape),
        chunks=(*deep, *made.work.tile),
        dtype="float32",
        fill_value=float("nan"),
        dimension_names=(*("time" for _ in deep), "y", "x"),
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
        attributes={"units": units, "long_name": long_name, "grid_mapping": "spatial_ref"},
    )


def _column(group: zarr.Group, name: str, values: np.ndarray, attributes: dict[str, Any]) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=(max(1, len(values)),),
        dtype=values.dtype,
        fill_value=0,
        dimension_names=("time",),
        attributes=attributes,
    )
    array[:] = values


def _member(group: zarr.Group, name: str) -> Any:
    from dask_jobs.stack.schema import array_of

    return array_of(group, name)
