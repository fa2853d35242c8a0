"""The grid of each group of a stack: the scenes' own lattice, or the one that the job asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from infra.errors import InputError
from infra.grid import Grid
from infra.storage import Location
from pipelines.kinds.backscatter_stack.dask.sources import source_s3
from pipelines.kinds.backscatter_stack.spec import BackscatterStack
from pipelines.kinds.binding import Request
from pipelines.kinds.model import nearest

if TYPE_CHECKING:
    from dask_jobs.reprojection import Lattice
    from dask_jobs.scenes import Pass


def stack_grids(
    parameters: BackscatterStack, passes: Mapping[str, Sequence[Pass]], request: Request
) -> dict[str, Grid]:
    """Grid of each group.

    Raises
    ------
    LatticeError
        If scenes do not share a lattice and the job asks for none.
    InputError
        If no pixel is left, or what `grid` names is not there.
    """
    from dask_jobs.passes import stack_grid
    from dask_jobs.reprojection import target_grid

    if parameters.grid is None:
        return {
            label: stack_grid(
                [s for step in steps for s in step.scenes], extent=parameters.extent, region=request.region
            )
            for label, steps in passes.items()
        }
    lattice = _lattice(parameters, passes, request)
    return {
        label: target_grid(steps, lattice=lattice, extent=parameters.extent, region=request.region)
        for label, steps in passes.items()
    }


def _lattice(parameters: BackscatterStack, passes: Mapping[str, Sequence[Pass]], request: Request) -> Lattice:
    from dask_jobs.reprojection import Lattice

    asked = parameters.grid
    if asked is None:
        raise TypeError("no grid is asked for")
    if asked.crs is not None and asked.resolution is not None:
        return Lattice.spaced(crs=asked.crs, resolution=asked.resolution)
    like = str(asked.like)
    scenes = {scene.id: scene.grid for steps in passes.values() for step in steps for scene in step.scenes}
    if like in scenes:
        return Lattice.of(scenes[like])
    return Lattice.of(_grid_of_file(like, list(scenes), parameters, request))


def _grid_of_file(like: str, scenes: Sequence[str], parameters: BackscatterStack, request: Request) -> Grid:
    from dask_jobs.readers.raster_headers import read_header

    s3 = source_s3(parameters, request.output.s3)
    url = Location.parse(like, base=request.folder, s3=s3).url
    try:
        return read_header(url, s3=s3).grid
    except InputError as error:
        hint = nearest(like, scenes) or f"ids are like {scenes[0]}"
        raise InputError(
            f"grid.like: '{like}' is neither the id of a scene that is used ({hint}) nor a raster: {error}",
            "Name a scene as `sarbatch plan` lists it, or a GeoTIFF.",
        ) from error
