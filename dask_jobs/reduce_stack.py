"""A stack reduced over time: rasters of statistics, and a time series of the area and its zones.

The driver plans blocks, hands them to workers and merges a few numbers; pixels go from the stack through workers to
files. What is done lies in `parts` with its marker, so a driver that follows a dead one goes on from there, and its
results are the same: blocks are merged in their order, whoever made them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.block_layout import BLOCK_BYTES, BlockLayout, lay_out
from dask_jobs.ledger import ATTRIBUTE, Ledger, utc
from dask_jobs.reduce_block import (
    ARRAYS,
    Block,
    Looked,
    RasterTask,
    Work,
    find_medians,
    look_again,
    merge_first_looks,
    reduce_block,
    write_raster,
)
from dask_jobs.stack_store import icechunk_errors, readonly_session
from dask_jobs.statistic_layers import statistic_layers
from dask_jobs.time_series import AREA, COLUMNS, Zone, series_table
from dask_jobs.write import COG_TYPE, CSV_TYPE, PARQUET_TYPE, write_table
from dask_jobs.written import Written
from infra.errors import InputError
from infra.storage import Location

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

    from infra.region import Region

PLAN = "plan.json"
VERSION = 1  # of what lies in the work in progress
SHARES = {"block": 0.6, "median": 0.15, "write": 0.25}  # of the time that a phase takes, for the fraction done

Checkpoint = Callable[[str, float], None]
"""Called with ("block" | "median" | "write", fraction of everything done); raises where the driver may not go on."""


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """What to make of which stack.

    Attributes
    ----------
    store, tag, group : a published stack and, where it has several, the orbit
    polarizations : None for all that the stack has
    percentiles : 0 to 100
    min_count : dates that a pixel needs for its coefficient of variation
    region : the area that the stack was cut to, None for none: its time series counts the pixels inside
    zones : parts of the area with time series of their own
    """

    store: Location
    tag: str
    group: str = ""
    polarizations: tuple[str, ...] | None = None
    percentiles: tuple[float, ...] = (5.0, 50.0, 95.0)
    min_count: int = 2
    region: Region | None = None
    zones: tuple[Zone, ...] = ()


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
    block_bytes : pixels that one task holds over all dates

    Returns
    -------
    Rasters of each polarization, then the tables; paths are relative to `parts`.

    Raises
    ------
    InputError
        If the store, tag, group or a polarization is not there, or two zones have one name.
    """
    work, ledger = _open(reduction, place=parts / f"work/{reduction.group or 'stack'}")
    names = _polarizations(reduction, ledger)
    layout = lay_out((len(ledger.steps), *ledger.grid.shape), chunk=ledger.chunk, block_bytes=block_bytes)
    rasters = _rasters(reduction, ledger, polarizations=names)
    tables = {kind: f"{_prefix(reduction)}time_series.{kind}" for kind in ("csv", "parquet")}
    _prepare(
        work,
        layout=layout,
        polarizations=names,
        parts=parts,
        products=[*tables.values(), *(task.path for _, task in rasters)],
    )
    run = _Runner(client=client, work=work, checkpoint=checkpoint)

    blocks = [[Block(name, *pair) for pair in enumerate(layout.windows)] for name in names]
    done = {f"first-look/{entry.name}" for entry in (work.place / "first-look").list()}
    run.each("block", reduce_block, [block for row in blocks for block in row if block.first_look not in done])
    looked: list[Looked] = run.gather(merge_first_looks, blocks)

    done = {f"second-look/{entry.name}" for entry in (work.place / "second-look").list()}
    again = [(block, one.found) for one in looked for block in one.filled if block.second_look not in done]
    run.each("median", look_again, *zip(*again, strict=True))
    medians: list[np.ndarray] = run.gather(find_medians, looked)
    frame = _series(reduction, ledger, polarizations=names, looked=looked, medians=medians)

    missing = [task for _, task in rasters if parts.stat(task.path) is None]
    run.each("write", write_raster, missing, parts=parts)
    _upload_tables(frame, tables, parts=parts)
    return _written(reduction, rasters, tables, parts=parts)


@dataclass(frozen=True, kw_only=True)
class _Runner:
    """Sends tasks to the cluster and says how far everything is."""

    client: Client
    work: Work
    checkpoint: Checkpoint

    def each(self, phase: str, function: Callable[..., Any], *items: Sequence[Any], **more: Any) -> None:
        """Run one task per item; what is still queued is cancelled where the checkpoint or a task raises."""
        from distributed import as_completed

        before = sum(share for name, share in SHARES.items() if list(SHARES).index(name) < list(SHARES).index(phase))
        futures = self.client.map(function, *items, work=self.work, pure=False, **more) if items and items[0] else []
        try:
            for done, (future, _) in enumerate(as_completed(futures, with_results=True), start=1):
                future.release()
                self.checkpoint(phase, before + SHARES[phase] * done / len(futures))
        finally:
            self.client.cancel(futures)

    def gather(self, function: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        """Results of one task per item, in order: a few numbers each."""
        results: list[Any] = self.client.gather(self.client.map(function, items, work=self.work, pure=False))
        return results


def _open(reduction: Reduction, *, place: Location) -> tuple[Work, Ledger]:
    """What every task needs, and what the stack holds."""
    import zarr

    session = readonly_session(reduction.store, tag=reduction.tag)
    with icechunk_errors(reduction.store):
        try:
            text = zarr.open_group(session.store, path=reduction.group, mode="r").attrs.get(ATTRIBUTE)
        except FileNotFoundError:
            text = None
    if text is None:
        raise InputError(f"{reduction.store.url} has no stack of orbit {reduction.group!r}", "Name one that it has.")
    ledger = Ledger.from_text(str(text))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    work = Work(
        store=reduction.store,
        session=session,
        group=reduction.group,
        grid=ledger.grid,
        days=np.array([(utc(step.time) - epoch).days for step in ledger.steps], dtype=np.int32),
        region=reduction.region,
        zones=reduction.zones,
        percentiles=reduction.percentiles,
        min_count=reduction.min_count,
        place=place,
    )
    return work, ledger


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


def _prepare(
    work: Work, *, layout: BlockLayout, polarizations: Sequence[str], parts: Location, products: Sequence[str]
) -> None:
    """Empty arrays for the statistics, unless an attempt at exactly this left its own."""
    import zarr
    from zarr.codecs import BloscCodec

    plan = _plan(work, layout=layout, polarizations=polarizations)
    if work.place.exists(PLAN) and work.place.read_json(PLAN) == plan:
        return
    parts.delete(products)
    work.place.delete_all()
    root = zarr.open_group((work.place / ARRAYS).zarr_store(), mode="w")
    for polarization in polarizations:
        group = root.create_group(polarization)
        for raster in statistic_layers(work.percentiles):
            if raster.array == raster.name:
                group.create_array(
                    raster.name,
                    shape=work.grid.shape,
                    chunks=layout.tile,
                    dtype=raster.layer.dtype,
                    fill_value=0 if raster.layer.nodata is None else raster.layer.nodata,
                    dimension_names=("y", "x"),
                    compressors=BloscCodec(cname="lz4", clevel=1, shuffle="shuffle"),
                )
    work.place.write_json(PLAN, plan)  # last: without it the next attempt starts afresh


def _plan(work: Work, *, layout: BlockLayout, polarizations: Sequence[str]) -> dict[str, Any]:
    """Everything that the work in progress depends on, as plain values."""
    return {
        "version": VERSION,
        "snapshot": work.session.snapshot_id,
        "group": work.group,
        "grid": work.grid.to_json(),
        "polarizations": list(polarizations),
        "percentiles": list(work.percentiles),
        "min_count": work.min_count,
        "region": work.region.wkt if work.region and work.region.masks else None,
        "zones": [[zone.name, zone.region.wkt] for zone in work.zones],
        "windows": [list(window) for window in layout.windows],
    }


def _prefix(reduction: Reduction) -> str:
    return f"{reduction.group}_" if reduction.group else ""


def _rasters(reduction: Reduction, ledger: Ledger, *, polarizations: Sequence[str]) -> list[tuple[str, RasterTask]]:
    """Product name and task of every raster."""
    dates = [f"{utc(step.time):%Y-%m-%d}" for step in ledger.steps]
    found = []
    for polarization in polarizations:
        tags = {"POLARIZATION": polarization, "DATES": str(len(dates)), "FIRST_DATE": dates[0], "LAST_DATE": dates[-1]}
        for raster in statistic_layers(reduction.percentiles):
            layer = replace(raster.layer, description=f"{polarization} {raster.layer.description}", tags=tags)
            path = f"{_prefix(reduction)}{polarization}_{raster.name}.tif"
            found.append((raster.name, RasterTask(polarization, raster.array, layer, path)))
    return found


def _series(
    reduction: Reduction,
    ledger: Ledger,
    *,
    polarizations: Sequence[str],
    looked: Sequence[Looked],
    medians: Sequence[np.ndarray],
) -> pd.DataFrame:
    import pandas as pd

    dates = [f"{utc(step.time):%Y-%m-%d}" for step in ledger.steps]
    zones = [AREA, *(zone.name for zone in reduction.zones)]
    return pd.concat(
        [
            series_table(one.merged, median=median, dates=dates, polarization=name, zones=zones)
            for name, one, median in zip(polarizations, looked, medians, strict=True)
        ],
        ignore_index=True,
    )


def _upload_tables(frame: pd.DataFrame, tables: dict[str, str], *, parts: Location) -> None:
    with TemporaryDirectory(prefix="tables-") as folder:
        csv, parquet = Path(folder) / "table.csv", Path(folder) / "table.parquet"
        write_table(frame, csv=csv, parquet=parquet, columns=COLUMNS)
        parts.upload(csv, tables["csv"])
        parts.upload(parquet, tables["parquet"])


def _written(
    reduction: Reduction, rasters: Sequence[tuple[str, RasterTask]], tables: dict[str, str], *, parts: Location
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
    types = {"csv": CSV_TYPE, "parquet": PARQUET_TYPE}
    products += [
        Written(
            name="time_series",
            path=path,
            media_type=types[kind],
            role="table",
            size=_size(path, parts=parts),
            orbit=orbit,
        )
        for kind, path in tables.items()
    ]
    return products


def _size(path: str, *, parts: Location) -> int:
    entry = parts.stat(path)
    if entry is None:
        raise InputError(f"{parts.href(path)} vanished while it was being made", "Leave the work in progress alone.")
    return entry.size
