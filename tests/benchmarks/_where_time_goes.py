"""Where the time of a reduction goes: its steps one after the other, in one worker, over some of the blocks."""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dask_jobs.reduction.block_layout import lay_out
from dask_jobs.reduction.cov_look import count_cov
from dask_jobs.reduction.reduce_block import expect_middles, find_medians, look_again, merge_first_looks
from dask_jobs.reduction.work import Block, Reduction, open_work, prepare
from dask_jobs.statistics.exact_median import Near
from dask_jobs.statistics.temporal import temporal_statistics
from dask_jobs.statistics.time_series import first_look, rows
from dask_jobs.write import Layer, pack_levels, write_levels
from infra.grid import Window
from infra.storage import Location

BLOCKS = 12
COG_PARTS = "COGs: arrays read", "COGs: base and levels", "COGs: copy and pack"


class _Clock:
    def __init__(self) -> None:
        self.took: dict[str, float] = {}

    def time(self, name: str, step: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        made = step()
        self.took[name] = self.took.get(name, 0.0) + time.perf_counter() - begin
        return made


def measure(reduction: Reduction, scratch: str) -> dict[str, float]:
    """Seconds of each step for the whole stack, if one process did it all."""
    work, ledger = open_work(reduction, place=Location.parse(scratch))
    shape = (len(ledger.steps), *ledger.grid.shape)
    layout = lay_out(shape, chunk=ledger.chunk, results=len(reduction.layers))
    name = ledger.polarizations[0]
    work = prepare(work, layout=layout, polarizations=[name])
    blocks = [Block(name, *pair) for pair in enumerate(layout.windows)][: BLOCKS + 1]
    if len(blocks) == 1:
        blocks *= 2  # a tiny stack: its only block again
    clock, near = _Clock(), None
    for index, block in enumerate(blocks):
        if index == 1:
            clock = _Clock()  # the first block warms everything up
        near = _reduce(block, near=near, work=work, clock=clock, percentiles=reduction.percentiles)
    looked = clock.time("merging looks", lambda: merge_first_looks(blocks, work=work))
    for block in blocks[1:]:
        clock.time("time series: second look", lambda block=block: look_again(block, looked.found, work=work))
    clock.time("merging looks", lambda: find_medians(looked._replace(filled=blocks[1:]), work=work))
    times = len(layout.windows) / (len(blocks) - 1)
    found = {step: seconds * times for step, seconds in clock.took.items()}
    shutil.rmtree(scratch, ignore_errors=True)
    return {**found, **_cogs(reduction, scratch=Path(scratch))}


def _reduce(block: Block, *, near: Any, work: Any, clock: _Clock, percentiles: Sequence[float]) -> Any:
    power = clock.time("read and decode", lambda: work.pixels(block))

    def statistics_of(wanted: Sequence[float]) -> dict[str, np.ndarray]:
        return temporal_statistics(power, days=work.days, percentiles=wanted, min_count=work.min_count)

    clock.time("kernel: moments, extremes, dates", lambda: statistics_of(()))
    made = clock.time("kernel: all, with percentiles", lambda: statistics_of(percentiles))
    clock.time("writing arrays", lambda: work.write(block, made))
    clock.time("speckle floor of cov", lambda: count_cov(block, made, work=work))
    inside = work.members(block)
    partial, upper = clock.time("time series: first look", lambda: first_look(power, inside=inside))
    clock.time("time series: packing", lambda: work.place.write(block.first_look, partial.to_bytes(upper=upper)))
    if near is None:
        near = expect_middles([block], work=work)
    else:
        kept = clock.time("time series: keeping near values", lambda: Near.of(rows(power, inside=inside), bucket=near))
        clock.time("time series: packing", lambda: work.place.write(block.near, kept.to_bytes()))
    return near


def _cogs(reduction: Reduction, *, scratch: Path) -> dict[str, float]:
    """Seconds of the rasters' steps: one raster of speckle of the same size, times the number of rasters."""
    import zarr

    _, ledger = open_work(reduction, place=Location.parse(str(scratch)))
    scratch.mkdir(parents=True)
    layer = Layer(dtype="float32", description="speckle", units="1", overview="power", nodata=math.nan)
    values = np.random.default_rng(1).standard_gamma(4, ledger.grid.shape, dtype=np.float32)
    array: Any = zarr.create_array(scratch / "array", data=values, chunks=(min(512, len(values)),) * 2)
    clock, base = _Clock(), scratch / "level.tif"

    def read(window: Window) -> np.ndarray:
        found: np.ndarray = clock.time(COG_PARTS[0], lambda: array[window.slices])
        return found

    clock.time(COG_PARTS[1], lambda: write_levels(scratch, grid=ledger.grid, layer=layer, read=read))
    clock.time(COG_PARTS[2], lambda: pack_levels(base, scratch / "raster.tif", layer=layer))
    clock.took[COG_PARTS[1]] -= clock.took[COG_PARTS[0]]
    shutil.rmtree(scratch, ignore_errors=True)
    return {name: len(reduction.layers) * seconds for name, seconds in clock.took.items()}


def show(parts: Mapping[str, float], *, bench: Mapping[str, Sequence[tuple[float, float]]], workers: int) -> None:
    """Print each step's share of what the workers had to do, and what is left for scheduling and waiting."""
    parts = dict(parts)
    parts["kernel: percentiles"] = (
        parts.pop("kernel: all, with percentiles") - parts["kernel: moments, extremes, dates"]
    )
    cogs = {name: parts.pop(name) for name in COG_PARTS}
    pass_wall, file_wall = (statistics.median(turn[0] for turn in bench[name]) for name in ("pass", "pass with COGs"))
    parts["scheduling, waiting for the last"] = workers * pass_wall - sum(parts.values())
    cogs["COGs: scheduling, uploading"] = workers * (file_wall - pass_wall) - sum(cogs.values())
    print(
        f"\nWhere the time goes (seconds of {workers} workers; steps one by one in one of them, so they add up roughly)"
    )
    for name, seconds in sorted(parts.items(), key=lambda row: -row[1]) + list(cogs.items()):
        print(f"  {name:<36}{seconds:8.2f}")
