"""A look at what the stack's task found: passes, grid and parts of a task. Reads no pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from infra.errors import InputError
from infra.grid import Grid
from pipelines.cost import Work
from pipelines.kinds.binding import Request, Survey
from pipelines.kinds.sentinel1.covers import covers
from pipelines.kinds.sentinel1.dask.compose import check_groups
from pipelines.kinds.sentinel1.parameters import Sentinel1
from pipelines.kinds.sentinel1.parts import Part, Pass
from pipelines.kinds.sentinel1.stack_passes import EARTH_ENGINES, chosen_passes, group_grids, stack_output

REDUCED_PER_SECOND = 15e6  # pixels of one polarization of one pass, of one core: read, decode, reduce
# The same, filtered (tests/benchmarks/bench_speckle.py)
FILTERED_PER_SECOND: Mapping[str, float] = {
    "boxcar": 70e6,
    "focal_median": 8e6,
    "lee": 70e6,
    "refined_lee": 11e6,
    "gamma_map": 53e6,
    "lee_sigma": 18e6,
    "multi_temporal": 90e6,
}
TASK_SECONDS = 6.0  # to start a driver and compile the kernels
WRITTEN_PER_SECOND = 15e6  # pixels of one core, packed as a Cloud Optimized GeoTIFF
PACKED = 0.87  # float32 over its raw size
Cut = Callable[[Sequence[Pass]], tuple[Part, ...]]


def survey_stack(request: Request, *, parts_of: Cut, bands: Sequence[str]) -> Survey:
    """What the stack holds for a request.

    Parameters
    ----------
    parts_of : how passes are put together
    bands : names of the products

    Raises
    ------
    InputError
        If there is no stack, a filter leaves no pass, or the grid cannot be meant.
    """
    parameters = request.parameters
    if not isinstance(parameters, Sentinel1):
        raise TypeError(type(parameters).__name__)
    if parameters.stack is None:
        raise InputError(
            f"its data are only in Earth Engine: {parameters.collection}, and no `stack` is given",
            "Add a backscatter-stack task of RTC scenes and name it in `stack`.",
        )
    stack = request.inputs["stack"].summary
    passes, dropped = chosen_passes(stack, parameters)
    grid = stack_output(stack, parameters, request.region)
    parts = parts_of(passes)
    check_groups(parts)
    used = [one for part in parts for one in part.passes]
    radiometry = stack["radiometry"]
    return Survey(
        grid=grid.to_json(),
        radiometry=radiometry,
        used=[name for one in used for name in one.scenes],
        dropped=[{"path": name, "reason": why} for one, why in dropped for name in one.scenes],
        document={
            "grid": grid.to_json(),
            "parts": [part.to_json() for part in parts],
            "groups": {label: one.to_json() for label, one in group_grids(stack, used).items()},
            "native": parameters.grid is None,
            "start": min(one.time for one in used).isoformat(),
            "end": (max(one.time for one in used) + timedelta(seconds=1)).isoformat(),
            "radiometry": radiometry,
            "tags": _tags(parameters, stack),
        },
        work=_work(parameters, stack, grid, parts, bands=len(bands)),
        summary={"grid": grid.to_json()},
        source=EARTH_ENGINES.get(stack["format"], stack["format"]),
        covers=covers(parameters, crs={group["grid"]["crs"] for group in stack["groups"].values()}),
    )


def _tags(parameters: Sentinel1, stack: Mapping[str, Any]) -> dict[str, str]:
    """What each raster says of itself beside its labels."""
    return {
        "RADIOMETRY": str(stack["radiometry"]["quantity"]),
        "SOURCE": str(EARTH_ENGINES.get(stack["format"], stack["format"])),
        "SPECKLE_FILTER": parameters.speckle.filter if parameters.speckle else "none",
    }


def _work(parameters: Sentinel1, stack: Mapping[str, Any], grid: Grid, parts: Sequence[Part], *, bands: int) -> Work:
    covered = sum(stack["groups"][one.group]["covered"][one.index] for part in parts for one in part.passes)
    pixels = covered * len(parameters.needed)
    made = grid.pixels * len(parts) * bands
    seconds = pixels / REDUCED_PER_SECOND * (1 + bool(getattr(parameters, "unfiltered", False)))
    if parameters.speckle is not None:
        seconds += pixels / FILTERED_PER_SECOND[parameters.speckle.filter]
    return Work(
        pixels=pixels,
        bytes_read=round(4 * pixels * PACKED),
        bytes_written=round(4 * made * PACKED),
        core_seconds=seconds + made / WRITTEN_PER_SECOND,
        fixed_seconds=TASK_SECONDS,
    )
