"""Passes of a stack composed by a cluster: rasters of what reducers make of them, or of each pass.

The driver plans blocks and hands them to workers; pixels go from the stack through workers to files. What is done lies
in `parts` with its marker, so a driver that follows a dead one goes on from there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dask_jobs.composites.compose_block import CompositeRaster, compose_block, write_composite
from dask_jobs.composites.composition import Composition, Part
from dask_jobs.composites.measures import Measure
from dask_jobs.composites.work import array_path, open_composition
from dask_jobs.reduction.block_layout import BLOCK_BYTES
from dask_jobs.reduction.task_runner import Checkpoint, TaskRunner
from dask_jobs.stack.ledger import Ledger, utc
from dask_jobs.write import COG_TYPE
from dask_jobs.written import Written
from infra.errors import InputError
from infra.storage import Location

if TYPE_CHECKING:
    from distributed import Client


def compose_stack(
    composition: Composition,
    *,
    parts: Location,
    client: Client,
    checkpoint: Checkpoint = lambda _phase, _fraction: None,
    block_bytes: int = BLOCK_BYTES,
) -> list[Written]:
    """Write the rasters of a composition to `parts`.

    Order of operations: valid range, pixels with all polarizations, speckle filter in power, average to the grid,
    quantities of each pass, reducers, region.

    Parameters
    ----------
    parts : work in progress: products at its top, what only a later attempt needs below `work/`
    client : of the cluster whose workers do it; they reach store and parts
    checkpoint : called after every task; what it raises stops the composition, which a later call takes up again
    block_bytes : memory of one task

    Returns
    -------
    Rasters, part by part in the order of the measures; paths are relative to `parts`.

    Raises
    ------
    InputError
        If the store, tag, group or a polarization is not there.
    """
    work, ledger, blocks = open_composition(composition, place=parts / "work", block_bytes=block_bytes)
    run = TaskRunner(client=client, work=work, checkpoint=checkpoint)
    done = run.done("composed")
    todo = [block for block in blocks if block.marker not in done]
    run.each("compose", compose_block, todo, of=len(blocks))

    rasters = [
        (part, measure, _raster(composition, number, measure, ledger=ledger))
        for number, part in enumerate(composition.parts)
        for measure in composition.measures
    ]
    done = run.done("written")
    missing = [task for _, _, task in rasters if task.marker not in done or parts.stat(task.path) is None]
    run.each("write", write_composite, missing, of=len(rasters), parts=parts)
    return [_written(part, measure, task.path, parts=parts) for part, measure, task in rasters]


def _raster(composition: Composition, number: int, measure: Measure, *, ledger: Ledger) -> CompositeRaster:
    part = composition.parts[number]
    layer = replace(measure.layer, tags=_tags(composition, part, measure, ledger=ledger))
    told = not composition.names_group or part.orbit == composition.group
    prefix = "" if told or not composition.group else f"{composition.group}_"
    return CompositeRaster(array_path(number, measure.name), layer, f"{prefix}{part.prefix}{measure.name}.tif")


def _tags(composition: Composition, part: Part, measure: Measure, *, ledger: Ledger) -> dict[str, str]:
    """Metadata of a raster: what it is made of."""
    times = sorted(utc(ledger.steps[step].time) for step in part.steps)
    tags = {
        "POLARIZATIONS": ",".join(composition.polarizations),
        "PASSES": str(len(times)),
        "FIRST_DATE": f"{times[0]:%Y-%m-%d}",
        "LAST_DATE": f"{times[-1]:%Y-%m-%d}",
        "SPECKLE_FILTER": "none",
    }
    speckle = composition.speckle
    if speckle is not None and composition.shows_filtered(measure):
        tags["SPECKLE_FILTER"] = speckle.filter
        if speckle.looks is not None:
            tags["LOOKS"] = f"{speckle.looks:.6g}"
    return tags


def _written(part: Part, measure: Measure, path: str, *, parts: Location) -> Written:
    entry = parts.stat(path)
    if entry is None:
        raise InputError(f"{parts.href(path)} vanished while it was being made", "Leave the work in progress alone.")
    return Written(
        name=measure.name,
        path=path,
        media_type=COG_TYPE,
        role="raster",
        size=entry.size,
        date=part.date,
        period=part.period,
        orbit=part.orbit,
    )
