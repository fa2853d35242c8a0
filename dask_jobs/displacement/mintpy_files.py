"""Which of MintPy's files a displacement makes, and the task that writes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dask_jobs.displacement.corrections import stage_series
from dask_jobs.displacement.displace import Displaced
from dask_jobs.insar_stack.layout import AZIMUTH, HEIGHT, INCIDENCE, SLANT_RANGE
from dask_jobs.interferograms import COHERENCE, COMPONENTS, PHASE, Interferogram
from dask_jobs.mintpy.attributes import Analysis, file_attributes
from dask_jobs.mintpy.files import write_pairs, write_raster_file, write_timeseries
from dask_jobs.mintpy.kinds import file_kind
from dask_jobs.written import Written
from infra.grid import Window

if TYPE_CHECKING:
    from infra.storage import Location

HDF5 = "application/x-hdf5"
SUFFIXES = {"troposphere": "_tropHgt", "deramped": "_ramp", "corrected": "_demErr"}
Read = Callable[[Window], np.ndarray]


class MintpyTask(NamedTuple):
    """One file: its product's name, and its own."""

    name: str
    file: str

    @property
    def path(self) -> str:
        """Relative to the work in progress."""
        return f"mintpy/{self.file}"

    @property
    def marker(self) -> str:
        """Marker: the file is where it belongs."""
        return f"written/{self.path}"


def mintpy_tasks(made: Displaced) -> list[MintpyTask]:
    """Files of a displacement, the largest first."""
    names = {
        "mintpy_pairs": "ifgramStack.h5",
        **{name: file for name, (file, _) in series_files(made).items()},
        "mintpy_velocity": "velocity.h5",
        "mintpy_geometry": "geometryGeo.h5",
        "mintpy_temporal_coherence": "temporalCoherence.h5",
        "mintpy_mean_coherence": "avgSpatialCoh.h5",
        "mintpy_mean_velocity": "avgPhaseVelocity.h5",
        "mintpy_mask": "maskTempCoh.h5",
        "mintpy_used_pairs": "numInvIfgram.h5",
        "mintpy_closure": "numTriNonzeroIntAmbiguity.h5",
    }
    if made.fits.dem_error is not None:
        names["mintpy_dem_error"] = "demErr.h5"
    return [MintpyTask(name, file) for name, file in names.items()]


def series_files(made: Displaced) -> dict[str, tuple[str, str]]:
    """`(file, stage)` of each series, by product; the last stage is the corrected one, also where nothing is corrected."""
    found: dict[str, tuple[str, str]] = {}
    suffix = ""
    stages = made.work.recipe.stages
    for stage in stages:
        suffix += SUFFIXES.get(stage, "")
        name = {"inverted": "mintpy_timeseries"}.get(stage, f"mintpy_timeseries_{stage}")
        if stage == stages[-1] and stage != "inverted":
            name = "mintpy_timeseries_corrected"
        found[name] = f"timeseries{suffix}.h5", stage
    return found


def write_mintpy(
    task: MintpyTask, *, work: Displaced, parts: Location, first: Mapping[str, object], options: Mapping[str, str]
) -> None:
    """On a worker: write a file, by way of the local disk.

    Parameters
    ----------
    first : the stack's first interferogram, as plain values
    options : of the steps, in MintPy's words
    """
    analysis = Analysis(
        first=Interferogram.from_json(first),
        grid=work.work.grid,
        dates=work.network.pairs.dates,
        reference_pixel=work.reference.place,
        reference_date=work.network.pairs.dates[work.dates.reference],
        options={**options, **_settled_options(work)},
    )
    with TemporaryDirectory(dir=_scratch(), prefix="mintpy-") as folder:
        path = Path(folder) / task.file
        _write(task, path, work, analysis)
        parts.upload(path, task.path)
    work.place.write(task.marker, b"")


def _settled_options(made: Displaced) -> dict[str, str]:
    """What is known only now: pairs used, and dates left out."""
    days = made.network.pairs.dates
    left_out = [f"{day:%Y%m%d}" for day, used in zip(days, made.dates.used, strict=True) if not used]
    options = {
        "networkInversion.numIfgram": str(len(made.network.kept)),
        "timeFunc.excludeDate": str(left_out),
    }
    if made.fits.dem_error is not None:
        named = made.work.recipe.exclude_dates or ()
        options["topographicResidual.excludeDate"] = str([f"{day:%Y%m%d}" for day in named])
    return options


def written_mintpy(task: MintpyTask, *, parts: Location) -> Written:
    """What the task has written."""
    entry = parts.stat(task.path)
    return Written(name=task.name, path=task.path, media_type=HDF5, role="file", size=entry.size if entry else 0)


def _scratch() -> str:
    from distributed import get_worker

    return str(get_worker().local_directory)


def _write(task: MintpyTask, path: Path, made: Displaced, analysis: Analysis) -> None:
    kind, attributes = file_kind(task.file), file_attributes(task.file, analysis)
    if task.file == "demErr.h5":
        attributes["REF_DATE"] = f"{made.network.pairs.dates[0]:%Y%m%d}"  # it is told from the series as inverted
    series = series_files(made)
    if task.name in series:
        write_timeseries(
            path,
            kind=kind,
            attributes=attributes,
            dates=made.network.pairs.dates,
            baselines=made.network.baselines,
            read=_series(made, series[task.name][1]),
        )
    elif task.name == "mintpy_pairs":
        layers = {"unwrapPhase": PHASE, "coherence": COHERENCE}
        if COMPONENTS in made.work.layers:
            layers["connectComponent"] = COMPONENTS
        keep = np.zeros(len(made.work.pairs), dtype=bool)
        keep[list(made.network.kept)] = True
        read = {name: _layer(made, layer) for name, layer in layers.items()}
        write_pairs(path, kind=kind, attributes=attributes, pairs=made.work.pairs, read=read, keep=keep)
    else:
        write_raster_file(path, kind=kind, attributes=attributes, read=_rasters(task.name, made))


def _series(made: Displaced, stage: str) -> Read:
    def read(window: Window) -> np.ndarray:
        values = stage_series(stage, window, work=made.work, fits=made.fits, reference=made.reference)
        return np.asarray(values - values[made.dates.reference])

    return read


def _layer(made: Displaced, layer: str) -> Callable[[int, Window], np.ndarray]:
    return lambda pair, window: made.work.layer(layer, window, pairs=[pair])[0]


def _rasters(name: str, made: Displaced) -> dict[str, Read]:
    """What gives each dataset of a file."""
    work = made.work

    def array(of: str) -> Read:
        return lambda window: work.arrays.read(of, window)

    def geometry(of: str) -> Read:
        return lambda window: work.geometry(of, window)

    if name == "mintpy_velocity":
        return {raster.dataset: array(raster.name) for raster in work.recipe.time_function.rasters}
    if name == "mintpy_geometry":
        return {
            "height": geometry(HEIGHT),
            "incidenceAngle": geometry(INCIDENCE),
            "azimuthAngle": geometry(AZIMUTH),
            "slantRangeDistance": geometry(SLANT_RANGE),
            "waterMask": work.land,
        }
    least = work.recipe.temporal_coherence
    return {
        "mintpy_temporal_coherence": {"temporalCoherence": array("temporal_coherence")},
        "mintpy_mean_coherence": {"coherence": array("mean_coherence")},
        "mintpy_mean_velocity": {"velocity": array("mean_velocity")},
        "mintpy_mask": {"mask": lambda window: work.arrays.read("temporal_coherence", window) >= least},
        "mintpy_used_pairs": {"mask": lambda window: work.arrays.read("used_pairs", window).astype(np.float32)},
        "mintpy_closure": {"mask": array("closure_count")},
        "mintpy_dem_error": {"dem": array("dem_error")},
    }[name]
