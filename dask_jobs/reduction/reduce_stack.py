"""A stack reduced over time: rasters of statistics, and a time series of the area and its zones.

The driver plans blocks, hands them to workers and merges a few numbers; pixels go from the stack through workers to
files. What is done lies in `parts` with its marker, so a driver that follows a dead one goes on from there, and its
results are the same: blocks are merged in their order, whoever made them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from dask_jobs.reduction.block_layout import BLOCK_BYTES, lay_out
from dask_jobs.reduction.cov_look import CovSummary, summarise_cov
from dask_jobs.reduction.look_at_blocks import look_at_blocks
from dask_jobs.reduction.reduce_block import (
    Looked,
    RasterTask,
    find_medians,
    look_again,
    merge_first_looks,
    write_raster,
)
from dask_jobs.reduction.task_runner import Checkpoint, TaskRunner
from dask_jobs.reduction.work import Block, Reduction, open_work, prepare
from dask_jobs.stack.ledger import Ledger, utc
from dask_jobs.statistics.smoothing import Smoothing
from dask_jobs.statistics.time_series import AREA, COLUMNS, Curve, series_table
from dask_jobs.write import COG_TYPE, CSV_TYPE, PARQUET_TYPE, write_table
from dask_jobs.written import Written
from infra.errors import InputError
from infra.storage import Location

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from distributed import Client

JSON_TYPE = "application/json"


def reduce_stack(
    reduction: Reduction,
    *,
    parts: Location,
    client: Client,
    checkpoint: Checkpoint = lambda _phase, _fraction: None,
    block_bytes: int = BLOCK_BYTES,
) -> list[Written]:
    """Write the rasters and tables of a reduction to `parts`.

    Parameters
    ----------
    parts : work in progress: products at its top, what only a later attempt needs below `work/`
    client : of the cluster whose workers do it; they reach store and parts
    checkpoint : called after every task; what it raises stops the reduction, which a later call takes up again
    block_bytes : memory of one task

    Returns
    -------
    Rasters of each polarization, then the tables and the summary; paths are relative to `parts`.

    Raises
    ------
    InputError
        If the store, tag, group or a polarization is not there, or two zones have one name.
    """
    run, rasters, frame, covs = reduce_pixels(
        reduction, parts=parts, client=client, checkpoint=checkpoint, block_bytes=block_bytes
    )
    done = run.done("written")
    missing = [task for _, task in rasters if task.marker not in done or parts.stat(task.path) is None]
    run.each("write", write_raster, missing, of=len(rasters), parts=parts)
    tables = {kind: f"{_prefix(reduction)}time_series.{kind}" for kind in ("csv", "parquet")}
    _upload_tables(frame, tables, parts=parts, columns=_columns(reduction.smoothing))
    summary = f"{_prefix(reduction)}cov_summary.json"
    parts.write(summary, json.dumps(_summary(covs), indent=2).encode())
    return _written(reduction, rasters, {**tables, "json": summary}, parts=parts)


class Reduced(NamedTuple):
    """What is known before anything is written for others; statistics lie as Zarr arrays in the work in progress.

    Attributes
    ----------
    rasters : name and task of each
    series : the time series of the area and its zones
    covs : by polarization
    """

    run: TaskRunner
    rasters: list[tuple[str, RasterTask]]
    series: pd.DataFrame
    covs: dict[str, CovSummary]


def reduce_pixels(
    reduction: Reduction,
    *,
    parts: Location,
    client: Client,
    checkpoint: Checkpoint = lambda _phase, _fraction: None,
    block_bytes: int = BLOCK_BYTES,
) -> Reduced:
    """Everything of `reduce_stack` but its files; parameters and errors are the same."""
    work, ledger = open_work(reduction, place=parts / "work")
    names = _polarizations(reduction, ledger)
    shape = (len(ledger.steps), *ledger.grid.shape)
    results = len(reduction.layers)
    layout = lay_out(shape, chunk=ledger.chunk, results=results, block_bytes=block_bytes)
    work = prepare(work, layout=layout, polarizations=names)
    run = TaskRunner(client=client, work=work, checkpoint=checkpoint)

    blocks = [[Block(name, *pair) for pair in enumerate(layout.windows)] for name in names]
    look_at_blocks(run, blocks)
    looked: list[Looked] = run.gather(merge_first_looks, blocks)

    done = run.done("second-look")
    again = [(block, one.found) for one in looked for block in one.filled if block.second_look not in done]
    run.each("median", look_again, *zip(*again, strict=True), of=sum(len(one.filled) for one in looked))
    medians: list[np.ndarray] = run.gather(find_medians, looked)
    curve = Curve(days=work.times, smoothing=reduction.smoothing) if reduction.smoothing else None
    frame = _series(reduction, ledger, looked=dict(zip(names, looked, strict=True)), medians=medians, curve=curve)

    covs = dict(zip(names, summarise_cov(run, blocks), strict=True))
    return Reduced(run, _rasters(reduction, ledger, covs=covs), frame, covs)


def _polarizations(reduction: Reduction, ledger: Ledger) -> tuple[str, ...]:
    wanted = reduction.polarizations or ledger.polarizations
    for name in wanted:
        if name not in ledger.polarizations:
            raise InputError(
                f"polarization {name!r} is not in the stack, which has {', '.join(ledger.polarizations)}",
                "Name one that it has.",
            )
    labels = [AREA, *(zone.name for zone in reduction.zones)]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(
            f"zones: more than one is called {twice[0]!r} ('{AREA}' is the whole area)", "Give every zone its own name."
        )
    return wanted


def _prefix(reduction: Reduction) -> str:
    return f"{reduction.group}_" if reduction.group else ""


def _rasters(reduction: Reduction, ledger: Ledger, *, covs: Mapping[str, CovSummary]) -> list[tuple[str, RasterTask]]:
    """Product name and task of every raster; `covs` by polarization."""
    dates = [f"{utc(step.time):%Y-%m-%d}" for step in ledger.steps]
    found = []
    for polarization, cov in covs.items():
        tags = {"POLARIZATION": polarization, "DATES": str(len(dates)), "FIRST_DATE": dates[0], "LAST_DATE": dates[-1]}
        for raster in reduction.layers:
            more = {
                **(cov.floor_tags() if raster.array == "cov" else {}),
                **(cov.threshold_tags() if raster.kept else {}),
            }
            named = f"{polarization} {raster.layer.description}"
            layer = replace(raster.layer, description=named, tags={**tags, **raster.layer.tags, **more})
            path = f"{_prefix(reduction)}{polarization}_{raster.name}.tif"
            found.append(
                (raster.name, RasterTask(polarization, raster.array, layer, path, cov.bounds if raster.kept else None))
            )
    return found


def _series(
    reduction: Reduction,
    ledger: Ledger,
    *,
    looked: Mapping[str, Looked],
    medians: Sequence[np.ndarray],
    curve: Curve | None,
) -> pd.DataFrame:
    import pandas as pd

    dates = [f"{utc(step.time):%Y-%m-%d}" for step in ledger.steps]
    zones = [AREA, *(zone.name for zone in reduction.zones)]
    return pd.concat(
        [
            series_table(one.merged, median=median, dates=dates, polarization=name, zones=zones, curve=curve)
            for (name, one), median in zip(looked.items(), medians, strict=True)
        ],
        ignore_index=True,
    )


def _columns(smoothing: Smoothing | None) -> dict[str, tuple[str, str]]:
    """Columns of the table; how it was smoothed stands in their metadata."""
    if smoothing is None:
        return dict(COLUMNS)
    units, meaning = COLUMNS["smoothed_db"]
    how = f"degree {smoothing.degree}, window {smoothing.window:g} days, tricube weights"
    return {**COLUMNS, "smoothed_db": (units, f"{meaning}: {how}")}


def _upload_tables(
    frame: pd.DataFrame, tables: dict[str, str], *, parts: Location, columns: Mapping[str, tuple[str, str]]
) -> None:
    with TemporaryDirectory(prefix="tables-") as folder:
        csv, parquet = Path(folder) / "table.csv", Path(folder) / "table.parquet"
        write_table(frame, csv=csv, parquet=parquet, columns=columns)
        parts.upload(csv, tables["csv"])
        parts.upload(parquet, tables["parquet"])


def _summary(covs: Mapping[str, CovSummary]) -> dict[str, object]:
    return {"schema": 1, "polarizations": {name: cov.to_json() for name, cov in covs.items()}}


def _written(
    reduction: Reduction, rasters: Sequence[tuple[str, RasterTask]], files: dict[str, str], *, parts: Location
) -> list[Written]:
    orbit = reduction.group or None
    products = [
        Written(
            name=name,
            path=task.path,
            media_type=COG_TYPE,
            role="raster",
            size=_size(task.path, parts=parts),
            polarization=task.polarization,
            orbit=orbit,
        )
        for name, task in rasters
    ]
    types = {"csv": CSV_TYPE, "parquet": PARQUET_TYPE, "json": JSON_TYPE}
    products += [
        Written(
            name="cov_summary" if kind == "json" else "time_series",
            path=path,
            media_type=types[kind],
            role="file" if kind == "json" else "table",
            size=_size(path, parts=parts),
            orbit=orbit,
        )
        for kind, path in files.items()
    ]
    return products


def _size(path: str, *, parts: Location) -> int:
    entry = parts.stat(path)
    if entry is None:
        raise InputError(f"{parts.href(path)} vanished while it was being made", "Leave the work in progress alone.")
    return entry.size
