"""Every file that people get of a displacement: series, rasters, tables, MintPy's files, KMZ, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.displacement.displace import Displaced
from dask_jobs.displacement.drawing import draw, drawing_tasks, written_drawing
from dask_jobs.displacement.mintpy_files import mintpy_tasks, write_mintpy, written_mintpy
from dask_jobs.displacement.rasters import raster_tasks, write_raster, written_raster
from dask_jobs.displacement.series_store import MADE, STORE, make_store, write_block
from dask_jobs.displacement.tables import Point, write_tables
from dask_jobs.reduction.task_runner import Checkpoint, TaskRunner
from dask_jobs.written import Written

if TYPE_CHECKING:
    from distributed import Client

    from infra.grid import Window
    from infra.storage import Location

KMZ = "velocity.kmz"
SUMMARY = "summary.json"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which files.

    Attributes
    ----------
    title : of what people see in Google Earth
    first : the stack's first interferogram, as plain values
    points : whose series are written
    options : of the steps in MintPy's words, for its files
    """

    title: str
    first: Mapping[str, Any]
    points: tuple[Point, ...]
    mintpy: bool
    kmz: bool
    figures: bool
    options: Mapping[str, str]


def write_files(
    made: Displaced, wanted: Wanted, *, parts: Location, client: Client, checkpoint: Checkpoint
) -> list[Written]:
    """Write every file that is wanted to `parts`, each by a task of its own; what is there already stays.

    What a driver that died after it had begun to move files to where readers look has moved is made again: equal.
    """
    run = TaskRunner(client=client, work=made, checkpoint=checkpoint)
    blocks = _blocks_to_store(made, parts=parts)
    rasters = raster_tasks(made)
    mintpy = mintpy_tasks(made) if wanted.mintpy else []
    done = run.done("written")
    lacking = [task for task in mintpy if task.marker not in done or parts.stat(task.path) is None]
    todo = [task for task in rasters if task.marker not in done or parts.stat(task.path) is None]
    total = len(made.work.windows) + len(rasters) + len(mintpy) + 1
    run.each("file", write_block, blocks, of=total, later=total - len(made.work.windows), parts=parts)
    more = {"parts": parts, "first": wanted.first, "options": wanted.options}
    run.each("file", write_mintpy, lacking, of=total, later=len(rasters) + 1, **more)
    run.each("file", write_raster, todo, of=total, later=1, parts=parts)
    tables = write_tables(made, wanted.points, parts=parts)
    written = [
        Written(name="series", path=STORE, media_type="application/vnd.zarr", role="store", size=_size(parts, STORE)),
        *(written_raster(task, made, parts=parts) for task in rasters),
        *tables,
        _summary(made, parts=parts),
        *(written_mintpy(task, parts=parts) for task in mintpy),
    ]
    if wanted.kmz:
        run.each("file", write_velocity_kmz, [KMZ], of=total, parts=parts, title=wanted.title)
        written.append(_file("velocity_kmz", KMZ, "application/vnd.google-earth.kmz", parts=parts))
    if wanted.figures:
        figures = drawing_tasks(made, wanted.points)
        drawn = run.done("drawn")
        blank = [one for one in figures if one.marker not in drawn or any(parts.stat(p) is None for _, p in one.paths)]
        run.each("drawing", draw, blank, of=len(figures), parts=parts)
        written += [row for task in figures for row in written_drawing(task, parts=parts)]
    return written


def _blocks_to_store(made: Displaced, *, parts: Location) -> list[Window]:
    """Blocks that the store of the series lacks; all of them, and a new store, where it is not there or has been moved."""
    if not (made.place.exists(MADE) and parts.exists(f"{STORE}/zarr.json")):
        make_store(made, parts=parts)
        return list(made.work.windows)
    stored = {entry.name for entry in (made.place / "stored").list()}
    return [one for one in made.work.windows if f"{one.row}-{one.col}" not in stored]


def write_velocity_kmz(path: str, *, work: Displaced, parts: Location, title: str) -> None:
    """On a worker: the velocity that is masked, for Google Earth."""
    from dask_jobs.kmz import write_kmz

    grid, days = work.work.grid, work.network.pairs.dates
    place = grid.left + (work.reference.col + 0.5) * grid.dx, grid.top - (work.reference.row + 0.5) * grid.dy
    sensing = work.work.recipe.sensing
    with TemporaryDirectory(prefix="kmz-") as folder:
        raster, made = Path(folder) / "velocity.tif", Path(folder) / path
        parts.download("velocity.tif", raster)
        write_kmz(
            made,
            raster=raster,
            reference=place,
            title=f"{title}: velocity",
            about=(
                f"{days[0]} to {days[-1]}, {len(days)} dates",
                f"relative orbit {sensing.relative_orbit}, {sensing.pass_direction}",
            ),
        )
        parts.upload(made, path)


def facts(made: Displaced) -> list[tuple[str, str]]:
    """What a reader of the report wants to know first: label and value."""
    work, days = made.work, made.network.pairs.dates
    grid, recipe = work.grid, work.recipe
    x, y = grid.left + (made.reference.col + 0.5) * grid.dx, grid.top - (made.reference.row + 0.5) * grid.dy
    drawn = "" if recipe.reference is not None else f", drawn with seed {recipe.seed}"
    noisy = ", ".join(str(day) for day, is_noisy in zip(days, made.dates.noisy, strict=True) if is_noisy)
    return [
        ("interferograms", f"{len(made.network.kept)} used of {len(work.pairs)}, {len(days)} dates"),
        (
            "reference pixel",
            f"row {made.reference.row}, column {made.reference.col} (x {x:.10g}, y {y:.10g}){drawn}",
        ),
        ("reference date", f"{days[made.dates.reference]}"),
        ("noisy dates", noisy or "none"),
        ("left out of the fit", ", ".join(_left_out(made)) or "none"),
        ("weight", f"{recipe.inversion.weight}, {recipe.inversion.looks} looks"),
        ("corrections", ", ".join(_corrections(made)) or "none"),
        (
            "pixels",
            f"{made.solved} inverted, {made.reliable} with a temporal coherence of {recipe.temporal_coherence:g}",
        ),
    ]


def _left_out(made: Displaced) -> list[str]:
    days = made.network.pairs.dates
    return [str(day) for day, used in zip(days, made.dates.used, strict=True) if not used]


def _corrections(made: Displaced) -> list[str]:
    recipe = made.work.recipe
    done = []
    if recipe.height is not None:
        done.append(f"delay by height (order {recipe.height.order})")
    if recipe.ramp is not None:
        done.append({1: "linear ramps", 2: "quadratic ramps"}[recipe.ramp])
    if recipe.dem_error is not None:
        done.append("error of the height model")
    return done


def _summary(made: Displaced, *, parts: Location) -> Written:
    """Everything that was settled for the whole raster, as JSON."""
    height = made.fits.height
    days = made.network.pairs.dates
    value = {
        "facts": facts(made),
        "reference": {"row": made.reference.row, "column": made.reference.col, "date": str(days[made.dates.reference])},
        "noisy_dates": [str(day) for day, noisy in zip(days, made.dates.noisy, strict=True) if noisy],
        "left_out": _left_out(made),
        "pixels": {"inverted": made.solved, "reliable": made.reliable},
        "mintpy_rules": made.work.recipe.mintpy_rules,
        "height_correlation": None
        if height is None
        else {"coefficients": _numbers(height.coefficients), "correlation": _numbers(height.correlation)},
        "ramps": None if made.fits.ramp is None else _numbers(made.fits.ramp.coefficients),
    }
    parts.write(SUMMARY, json.dumps(value, indent=1, allow_nan=False).encode())
    return _file("summary", SUMMARY, "application/json", parts=parts)


def _numbers(values: np.ndarray) -> Any:
    """Plain numbers, None where there is none."""
    return (
        [_numbers(row) for row in values]
        if values.ndim > 1
        else [v if np.isfinite(v) else None for v in values.tolist()]
    )


def _file(name: str, path: str, media: str, *, parts: Location) -> Written:
    entry = parts.stat(path)
    return Written(name=name, path=path, media_type=media, role="file", size=entry.size if entry else 0)


def _size(parts: Location, store: str) -> int:
    return sum(entry.size for entry in parts.list(store))
