"""What a stack's survey tells a Sentinel-1 task: its passes, those that are asked for, and the grid that they allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from infra.errors import InputError
from infra.grid import Grid
from infra.region import Region, geographic_bounds
from pipelines.kinds.sentinel1.output_grid import asked_lattice
from pipelines.kinds.sentinel1.parameters import Sentinel1
from pipelines.kinds.sentinel1.parts import Pass, Selection, select_passes, with_directions

EARTH_ENGINES = {"opera-rtc": "OPERA/RTC/L2_V1/S1"}  # format of files to the same product in Earth Engine


def selection(parameters: Sentinel1) -> Selection:
    """Which passes the parameters ask for."""
    return Selection(
        direction=parameters.pass_,
        orbits=tuple(parameters.orbits) if parameters.orbits is not None else None,
        platforms=tuple(parameters.platforms) if parameters.platforms is not None else None,
    )


def chosen_passes(
    stack: Mapping[str, Any], parameters: Sentinel1
) -> tuple[tuple[Pass, ...], tuple[tuple[Pass, str], ...]]:
    """Passes of a stack that are asked for, in time order, and the others with the reason.

    Parameters
    ----------
    stack : summary of the stack's survey

    Raises
    ------
    InputError
        If the stack lacks a polarization, or a filter left no pass.
    """
    wanted = [*parameters.needed, *(parameters.polarizations or ())]
    for name in dict.fromkeys(wanted):
        if name not in stack["polarizations"]:
            raise InputError(
                f"quantities: need {name}, and the stack '{parameters.stack}' has {', '.join(stack['polarizations'])}",
                "Ask for quantities of these, or give the stack the other one.",
            )
    west, _, east, _ = geographic_bounds(Grid(**stack["grid"]))
    passes = [
        Pass(
            time=datetime.fromisoformat(time),
            platform=step["platform"],
            relative_orbit=step["relative_orbit"],
            direction=step["pass_direction"],
            scenes=tuple(name for name, _ in step["scenes"]),
            group=label,
            index=index,
        )
        for label, group in stack["groups"].items()
        for index, (time, step) in enumerate(zip(group["times"], group["passes"], strict=True))
    ]
    passes.sort(key=lambda one: (one.time, one.platform or "", one.group))
    return select_passes(with_directions(passes, longitude=(west + east) / 2), selection(parameters))


def stack_output(stack: Mapping[str, Any], parameters: Sentinel1, region: Region | None) -> Grid:
    """Grid of what is made of a stack: its own, or what is asked for as far as the stack reaches.

    Raises
    ------
    InputError
        If the stack is on several lattices and no grid is asked for, or a grid that is made for another place.
    """
    whole = Grid(**stack["grid"])
    if parameters.grid is None:
        for label, group in stack["groups"].items():
            difference = whole.lattice_difference(Grid(**group["grid"]))
            if difference:
                raise InputError(
                    f"grid: the orbits of the stack are on several lattices ({label}: {difference})",
                    "Give `grid`: power is then averaged to it.",
                )
        return whole
    lattice = asked_lattice(parameters.grid, region or _outline(whole))
    window = lattice.reach(whole)
    if not (window.height > 0 and window.width > 0):
        raise InputError(f"grid: {lattice.crs} does not reach the stack", "Give a CRS of the stack's place.")
    grid = lattice.crop(window)
    return grid.crop(region.window(grid)) if region else grid


def group_grids(stack: Mapping[str, Any], passes: Sequence[Pass]) -> dict[str, Grid]:
    """Grid of each group of the stack that a pass is of."""
    return {one.group: Grid(**stack["groups"][one.group]["grid"]) for one in passes}


def outline_wkt(grid: Grid) -> str:
    """Bounds of a grid in longitude and latitude, as WKT."""
    west, south, east, north = geographic_bounds(grid)
    return f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"


def _outline(grid: Grid) -> Region:
    return Region(wkt=outline_wkt(grid), masks=False)
