"""What making a stack costs: pixels under scenes, bytes, core seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from infra.grid import Grid
from pipelines.cost import Work
from pipelines.kinds.backscatter_stack.spec import BackscatterStack

if TYPE_CHECKING:
    from dask_jobs.scenes import Pass, Scene

PIXELS_PER_SECOND = 25e6  # of one core: read, decode, mosaic, encode, write
REPROJECTED_PER_SECOND = 4e6  # of one core: the same and a resampling
TASK_SECONDS = 6.0  # to start a cluster and a driver
PACKED = 0.87  # float32 speckle, shuffled and zstd-packed, over its raw size


def covered_pixels(step: Pass, grid: Grid) -> int:
    """Pixels of a time step under a scene; overlaps of neighbours count once at most."""
    return min(grid.pixels, sum(_inside(grid, scene.grid) for scene in step.scenes))


def stacking_work(
    passes: Mapping[str, Sequence[Pass]],
    grids: Mapping[str, Grid],
    polarizations: Sequence[str],
    parameters: BackscatterStack,
    *,
    exported: Mapping[str, Sequence[Pass]],
) -> Work:
    """Pixels under a scene, once each: what no scene covers costs nothing. Copies are of all dates, new or not."""
    bands = len(polarizations)
    pixels = bands * sum(covered_pixels(step, grids[label]) for label, steps in passes.items() for step in steps)
    read = sum(
        _bytes_read(scene, grids[label]) for label, steps in passes.items() for step in steps for scene in step.scenes
    )
    copies = parameters.export.zarr + 2 * (parameters.export.geotiff == "per-date")
    copied = (
        bands * sum(covered_pixels(step, grids[label]) for label, steps in exported.items() for step in steps)
        if copies
        else 0
    )
    rate = PIXELS_PER_SECOND if parameters.grid is None else REPROJECTED_PER_SECOND
    return Work(
        pixels=pixels,
        bytes_read=read + round(4 * copied * PACKED),
        bytes_written=round(4 * (pixels + copied * copies) * PACKED),
        core_seconds=pixels / rate + copied * copies / PIXELS_PER_SECOND,
        fixed_seconds=TASK_SECONDS if pixels or copied else 1.0,
    )


def _inside(grid: Grid, other: Grid) -> int:
    """Pixels of `grid` that `other` reaches."""
    window = grid.full.intersect(grid.reach(other))
    return window.height * window.width


def _bytes_read(scene: Scene, grid: Grid) -> int:
    return round(scene.size * _inside(scene.grid, grid) / scene.grid.pixels)
