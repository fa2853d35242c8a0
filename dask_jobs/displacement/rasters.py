"""The rasters of a displacement: what each holds, and the task that writes it as a Cloud Optimized GeoTIFF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dask_jobs.displacement.block_arrays import BlockArrays
from dask_jobs.displacement.displace import Displaced
from dask_jobs.insar_stack.layout import AZIMUTH, INCIDENCE
from dask_jobs.reduction.raster_file import upload_raster
from dask_jobs.write import COG_TYPE, Layer
from dask_jobs.written import Written
from infra.grid import Window

if TYPE_CHECKING:
    from infra.storage import Location

Read = Callable[[Window], np.ndarray]
NOTHING = 255  # of rasters of a byte
STEPS = 255  # colours of a cycle, 0 to 254
SIGN = "positive toward the satellite"
MASKED = ("velocity", "displacement")


class RasterTask(NamedTuple):
    """One raster; `step` is the date that it is of, None for all."""

    name: str
    step: int | None
    path: str

    @property
    def marker(self) -> str:
        """Marker: the raster is where it belongs."""
        return f"written/{self.path}"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a raster holds; `array` is its array in the making, where it is one as it is."""

    layer: Layer
    array: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def raster_tasks(made: Displaced) -> list[RasterTask]:
    """Rasters of a displacement, single ones first."""
    singles = [name for name in kinds(made) if name not in ("displacement", "displacement_wrapped")]
    days = made.network.pairs.dates
    return [RasterTask(name, None, f"{name}.tif") for name in singles] + [
        RasterTask(name, step, f"{name}/{name}_{day:%Y%m%d}.tif")
        for name in ("displacement", "displacement_wrapped")
        for step, day in enumerate(days)
    ]


def kinds(made: Displaced) -> dict[str, Kind]:
    """What each raster holds, by name."""
    recipe = made.work.recipe
    found: dict[str, Kind] = {}
    for raster in recipe.time_function.rasters:
        found[raster.name] = Kind(layer=_float(raster.long_name, raster.units), array=raster.name)
    found["velocity_unmasked"] = Kind(
        layer=_float(f"velocity, {SIGN}, not masked", "m/year"),
        array="velocity",
    )
    found |= {
        "temporal_coherence": Kind(layer=_float("temporal coherence", "1"), array="temporal_coherence"),
        "mean_coherence": Kind(layer=_float("mean spatial coherence", "1"), array="mean_coherence"),
        "mean_velocity": Kind(layer=_float(f"stacked velocity, {SIGN}", "m/year"), array="mean_velocity"),
        "closure_count": Kind(layer=_whole("triplets that do not close"), array="closure_count"),
        "used_pairs": Kind(layer=_whole("interferograms used"), array="used_pairs"),
        "mask": Kind(layer=Layer(dtype="uint8", description="reliable", units="1", overview="nearest", nodata=NOTHING)),
        "incidence_angle": Kind(layer=_float("incidence angle from the vertical", "degree")),
        "azimuth_angle": Kind(layer=_float("azimuth of the line of sight from north, anticlockwise", "degree")),
    }
    if recipe.dem_error is not None:
        found["dem_error"] = Kind(layer=_float("error of the height model", "m"), array="dem_error")
    found["displacement"] = Kind(layer=_float(f"displacement, {SIGN}", "m"))
    found["displacement_wrapped"] = Kind(layer=_cycle(recipe.inversion.wavelength / 2))
    return found


def write_raster(task: RasterTask, *, work: Displaced, parts: Location) -> None:
    """On a worker: make a raster and bring it to where it belongs."""
    layer = replace(kinds(work)[task.name].layer, tags=_tags(task, work))
    upload_raster(task.path, grid=work.work.grid, layer=layer, read=reader(task.name, task.step, work), parts=parts)
    work.place.write(task.marker, b"")


def written_raster(task: RasterTask, made: Displaced, *, parts: Location) -> Written:
    """What the task has written."""
    entry = parts.stat(task.path)
    day = None if task.step is None else made.network.pairs.dates[task.step]
    return Written(
        name=task.name,
        path=task.path,
        media_type=COG_TYPE,
        role="raster",
        size=entry.size if entry else 0,
        date=None if day is None else day.isoformat(),
    )


def reader(name: str, step: int | None, made: Displaced) -> Read:
    """What gives the pixels of a raster in any window, dims (y, x)."""
    arrays, recipe = made.work.arrays, made.work.recipe
    geometry = {"incidence_angle": INCIDENCE, "azimuth_angle": AZIMUTH}
    if name in geometry:
        return lambda window: made.work.geometry(geometry[name], window)
    if name == "mask":
        return lambda window: _mask(arrays, window, least=recipe.temporal_coherence)
    if name in ("closure_count", "used_pairs"):
        return lambda window: _counts(arrays, name, window)
    if step is not None:
        series = dated(made, recipe.stages[-1], step)
        if name == "displacement":
            return lambda window: masked(made, window, series(window))
        return lambda window: _wrapped(masked(made, window, series(window)), cycle=recipe.inversion.wavelength / 2)
    array = kinds(made)[name].array or name
    if name == "velocity":
        return lambda window: masked(made, window, arrays.read(array, window))
    return lambda window: arrays.read(array, window)


def dated(made: Displaced, stage: str, step: int) -> Read:
    """What gives displacement at a date after a stage, relative to the reference date, m; NaN no data."""
    arrays, reference = made.work.arrays, made.dates.reference

    def read(window: Window) -> np.ndarray:
        values = arrays.read(stage, window, layer=step)
        return np.asarray(values - arrays.read(stage, window, layer=reference))

    return read


def masked(made: Displaced, window: Window, values: np.ndarray) -> np.ndarray:
    """Values where the temporal coherence is enough, NaN elsewhere."""
    coherence = made.work.arrays.read("temporal_coherence", window)
    return np.where(coherence >= made.work.recipe.temporal_coherence, values, np.float32(np.nan))


def _mask(arrays: BlockArrays, window: Window, *, least: float) -> np.ndarray:
    return np.asarray(arrays.read("temporal_coherence", window) >= least, dtype=np.uint8)


def _counts(arrays: BlockArrays, name: str, window: Window) -> np.ndarray:
    values = arrays.read(name, window).astype(np.float64)
    none = ~np.isfinite(values) | (values == 0 if name == "used_pairs" else False)
    return np.where(none, -1, values).astype(np.int32)


def _wrapped(values: np.ndarray, *, cycle: float) -> np.ndarray:
    """Place in the cycle as a colour from 0 to 254; 255 no data."""
    share = np.mod(values.astype(np.float64), cycle) / cycle
    there = np.isfinite(share)
    colour = np.minimum(np.where(there, share, 0.0) * STEPS, STEPS - 1)
    return np.where(there, colour, NOTHING).astype(np.uint8)


def _float(description: str, units: str) -> Layer:
    return Layer(dtype="float32", description=description, units=units, overview="power", nodata=np.nan)


def _whole(description: str) -> Layer:
    return Layer(dtype="int32", description=description, units="1", overview="nearest", nodata=-1)


def _cycle(length: float) -> Layer:
    from dask_jobs.figures.displacement_shades import cyclic_colours

    colours = {
        value: (int(red), int(green), int(blue), 255)
        for value, (red, green, blue, *_) in enumerate(cyclic_colours(STEPS))
    }
    return Layer(
        dtype="uint8",
        description=f"displacement wrapped into cycles of {100 * length:.2f} cm, {SIGN}: 0 to 254",
        units="1",
        overview="nearest",
        nodata=NOTHING,
        colors={**colours, NOTHING: (0, 0, 0, 0)},
    )


def _tags(task: RasterTask, made: Displaced) -> dict[str, str]:
    """Metadata of a raster: what it is relative to."""
    days, work = made.network.pairs.dates, made.work
    tags = {
        "REFERENCE_ROW": str(made.reference.row),
        "REFERENCE_COLUMN": str(made.reference.col),
        "REFERENCE_DATE": f"{days[made.dates.reference]}",
        "FIRST_DATE": f"{days[0]}",
        "LAST_DATE": f"{days[-1]}",
        "WAVELENGTH": repr(work.recipe.inversion.wavelength),
    }
    if task.step is not None:
        tags["DATE"] = f"{days[task.step]}"
    if task.name.endswith("_std"):
        tags["ERROR"] = "residuals as white noise, without the reference pixel's own"
    return tags
