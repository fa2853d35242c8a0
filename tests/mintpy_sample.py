"""The sample of interferograms and what MintPy made of it, as values that the writers of MintPy's files take."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dask_jobs.interferograms import Interferogram, Sensing
from dask_jobs.mintpy.attributes import Analysis, file_attributes
from dask_jobs.mintpy.files import write_raster_file, write_timeseries
from dask_jobs.mintpy.kinds import file_kind
from infra.grid import Grid, Window

SAMPLE = Path(os.path.realpath(Path(__file__).parents[1] / "../shared/data/hyp3-insar-sample"))
GRID = Grid(crs="EPSG:32611", left=380_000.0, top=3_780_000.0, dx=80.0, dy=80.0, height=120, width=120)
REFERENCE_PIXEL = 7, 26
OPTIONS = {
    "networkInversion.maskDataset": "False",
    "networkInversion.maskThreshold": "0.4",
    "networkInversion.minNormVelocity": "True",
    "networkInversion.minRedundancy": "1.0",
    "networkInversion.minTempCoh": "0.7",
    "networkInversion.numIfgram": "84",
    "networkInversion.obsDatasetName": "unwrapPhase",
    "networkInversion.shadowMask": "True",
    "networkInversion.weightFunc": "var",
    "timeFunc.bootstrapCount": "400",
    "timeFunc.endDate": "None",
    "timeFunc.excludeDate": "['exclude_date.txt']",
    "timeFunc.exp": "[]",
    "timeFunc.log": "[]",
    "timeFunc.periodic": "[]",
    "timeFunc.polynomial": "1",
    "timeFunc.startDate": "None",
    "timeFunc.stepDate": "[]",
    "timeFunc.timeSeriesCovFile": "None",
    "timeFunc.uncertaintyQuantification": "residue",
    "topographicResidual.excludeDate": "['exclude_date.txt']",
    "topographicResidual.phaseVelocity": "False",
    "topographicResidual.polyOrder": "2",
    "topographicResidual.stepDate": "[]",
    "troposphericDelay.method": "height_correlation",
    "troposphericDelay.polyOrder": "1",
}
AT_THE_FIRST_DATE = (
    "demErr.h5",
    "timeseriesResidual.h5",
    "timeseriesResidual_ramp.h5",
)  # MintPy refers only the others anew


def first_pair() -> Interferogram:
    """The sample's first interferogram, by its metadata file; rasters are not needed."""
    folder = SAMPLE / "products/S1AA_20180106T134300_20180118T134259_VVP012_INT80_G_ueF_7DA3"
    lines = (folder / f"{folder.name}.txt").read_text().splitlines()
    said = dict(line.split(": ", 1) for line in lines)
    sensing = Sensing(
        processor="gamma",
        platform="S1A",
        mode="IW",
        swaths="123",
        polarization="VV",
        pass_direction=said["Reference Pass Direction"].lower(),
        relative_orbit=13,
        absolute_orbit=int(said["Reference Orbit Number"]),
        reference_granule=said["Reference Granule"],
        secondary_granule=said["Secondary Granule"],
        range_looks=int(said["Range looks"]),
        azimuth_looks=int(said["Azimuth looks"]),
        earth_radius=float(said["Earth radius at nadir"]),
        spacecraft_height=float(said["Spacecraft height"]),
        slant_range_near=float(said["Slant range near"]),
        heading=float(said["Heading"]),
        centre_seconds=float(said["UTC time"]),
        unwrapping=said["Unwrapping type"],
    )
    return Interferogram(
        id="20180106_20180118",
        release="7DA3",
        product=folder.name,
        reference=datetime(2018, 1, 6, 13, 43, tzinfo=UTC),
        secondary=datetime(2018, 1, 18, 13, 42, 59, tzinfo=UTC),
        grid=GRID,
        rasters={},
        geometry={},
        perpendicular_baseline=float(said["Baseline"]),
        sensing=sensing,
    )


def mintpy_arrays() -> dict[str, np.ndarray]:
    """What MintPy made, "file/dataset" to array."""
    with np.load(SAMPLE / "mintpy_outputs.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def mintpy_attributes() -> dict[str, dict[str, Any]]:
    """What MintPy wrote of each file, file to name to text; "__datasets__" is name to (dtype, shape)."""
    values: dict[str, dict[str, Any]] = json.loads((SAMPLE / "mintpy_attributes.json").read_text())
    return values


def analysis(arrays: dict[str, np.ndarray], *, file: str = "") -> Analysis:
    """The analysis that MintPy made; `file` for those that it left at the first date."""
    dates = tuple(day(text) for text in arrays["timeseries/date"])
    reference = dates[0] if file in AT_THE_FIRST_DATE else day(arrays["reference_date"][0])
    return Analysis(
        first=first_pair(),
        grid=GRID,
        dates=dates,
        reference_pixel=REFERENCE_PIXEL,
        reference_date=reference,
        options=OPTIONS,
    )


def day(text: bytes | str) -> date:
    """Date of YYYYMMDD."""
    said = text.decode() if isinstance(text, bytes) else str(text)
    return date(int(said[:4]), int(said[4:6]), int(said[6:]))


def rasters(arrays: dict[str, np.ndarray], file: str) -> dict[str, Callable[[Window], np.ndarray]]:
    """Readers of a file's arrays that hold NaN where MintPy has its 0 for no data."""
    zeros_are_none = file in ("velocity.h5", "temporalCoherence.h5", "demErr.h5")
    return {
        name.partition("/")[2]: _reader(np.where(values == 0, np.nan, values) if zeros_are_none else values)
        for name, values in arrays.items()
        if name.startswith(f"{file.removesuffix('.h5')}/")
    }


def _reader(values: np.ndarray) -> Callable[[Window], np.ndarray]:
    return lambda window: values[(..., *window.slices)]


def write_sample(folder: Path, file: str, arrays: dict[str, np.ndarray]) -> Path:
    """One of MintPy's files of the sample, by our writers; a stack of interferograms excepted."""
    path, kind = folder / file, file_kind(file)
    attributes = file_attributes(file, analysis(arrays, file=file))
    if kind.type != "timeseries":
        write_raster_file(path, kind=kind, attributes=attributes, read=rasters(arrays, file))
        return path
    stem = file.removesuffix(".h5")
    write_timeseries(
        path,
        kind=kind,
        attributes=attributes,
        dates=[day(text) for text in arrays[f"{stem}/date"]],
        baselines=arrays[f"{stem}/bperp"],
        read=rasters(arrays, file)["timeseries"],
    )
    return path
