"""The one grid that all products of a task lie on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from infra.errors import InputError
from infra.grid import Grid, Window
from infra.region import Region

if TYPE_CHECKING:
    from pipelines.kinds.sentinel1.parameters import OutputGrid

UTM_NORTH, UTM_SOUTH = 84.0, -80.0  # degrees of latitude
UTM_ZONE = 6.0  # degrees of longitude
WIDEST = 12.0  # degrees of longitude that one zone is stretched over
BESIDE = 3.0  # degrees outside of what a CRS is made for: scenes at a zone's edge are delivered in its neighbour
GRD_SPACING = 10.0  # metres
MOST_PIXELS = 20_000_000_000  # of one raster: a large country at 10 m
WGS84_UTM = {True: 32600, False: 32700}  # EPSG, north and south


def asked_lattice(asked: OutputGrid, region: Region) -> Grid:
    """One pixel of the lattice that a job asks for.

    Raises
    ------
    InputError
        If its CRS is not made for the area.
    """
    _check_crs(asked.crs, region)
    return _pixel(asked.crs, asked.resolution)


def utm_lattice(region: Region) -> Grid:
    """One pixel of 10 m of the UTM zone that holds the area's middle.

    Raises
    ------
    InputError
        If the area is at a pole, or too wide for one zone.
    """
    west, south, east, north = region.geometry().bounds
    if north > UTM_NORTH or south < UTM_SOUTH:
        raise InputError(
            f"area: latitudes {south:g} to {north:g} reach beyond UTM, which ends at {UTM_SOUTH:g} and {UTM_NORTH:g} degrees",
            "Give a polar `grid`, such as {crs: EPSG:3413, resolution: 10} (south: EPSG:3031), or another area.",
        )
    if east - west > WIDEST:
        raise InputError(
            f"area: longitudes {west:g} to {east:g} are too many for one UTM zone of {UTM_ZONE:g} degrees",
            "Give a `grid` with a CRS for the whole area, or one job for each zone.",
        )
    zone = min(int(((west + east) / 2 + 180) // UTM_ZONE) + 1, 60)
    return _pixel(f"EPSG:{WGS84_UTM[south + north >= 0] + zone}", GRD_SPACING)


def area_grid(lattice: Grid, region: Region) -> Grid:
    """Grid of the lattice's pixels whose centre lies in the extent of the area, scenes or not.

    Parameters
    ----------
    lattice : any grid of it

    Raises
    ------
    InputError
        If the area holds no pixel, or more than can be meant, or the lattice's projection does not reach it.
    """
    left, bottom, right, top = _projected_bounds(lattice.crs, region)
    columns, rows = (right - left) / lattice.dx, (top - bottom) / lattice.dy
    if columns * rows > MOST_PIXELS:
        raise InputError(
            f"grid: {columns * rows:.3g} pixels of {lattice.dx:g} ({lattice.crs}) are in the area, and at most "
            f"{MOST_PIXELS:.0e} can be made at once",
            "Take a coarser `grid`, or several jobs.",
        )
    around = lattice.crop(
        Window(
            math.floor((lattice.top - top) / lattice.dy) - 1,
            math.floor((left - lattice.left) / lattice.dx) - 1,
            math.ceil(rows) + 3,
            math.ceil(columns) + 3,
        )
    )
    try:
        return around.crop(region.window(around))
    except InputError as error:
        raise InputError(
            f"area: no pixel of {lattice.dx:g} ({lattice.crs}) has its centre in it",
            "Give a larger area or a finer `grid`.",
        ) from error


def one_lattice(grids: Sequence[Grid], names: Sequence[str]) -> Grid:
    """The first of grids that share a lattice.

    Raises
    ------
    InputError
        Naming two scenes that do not.
    """
    for grid, name in zip(grids, names, strict=True):
        difference = grids[0].lattice_difference(grid)
        if difference:
            raise InputError(
                f"grid: {name} does not lie on the lattice of {names[0]}: {difference}",
                "Give `grid`: power is then averaged to it.",
            )
    return grids[0]


def _pixel(crs: str, resolution: float) -> Grid:
    return Grid(crs=crs, left=0.0, top=0.0, dx=resolution, dy=resolution, height=1, width=1)


def _check_crs(crs: str, region: Region) -> None:
    from pyproj import CRS

    use = CRS.from_user_input(crs).area_of_use
    west, south, east, north = region.geometry().bounds
    if use is None or use.west > use.east:  # across the date line
        return
    if east < use.west - BESIDE or west > use.east + BESIDE or north < use.south - BESIDE or south > use.north + BESIDE:
        raise InputError(
            f"grid: {crs} is made for {use.name} ({use.west:g} to {use.east:g}, {use.south:g} to {use.north:g} degrees), "
            f"and the area is at {west:g} to {east:g}, {south:g} to {north:g}",
            "Give a CRS of the area's place.",
        )


def _projected_bounds(crs: str, region: Region) -> tuple[float, float, float, float]:
    left, bottom, right, top = region.projected(crs).bounds
    if not all(map(math.isfinite, (left, bottom, right, top))):
        raise InputError(f"area: {crs} does not reach all of it", "Give a `grid` with a CRS of the area's place.")
    return left, bottom, right, top
