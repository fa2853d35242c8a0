"""The grid of a stack of interferograms: cut, never shifted."""

from __future__ import annotations

from collections.abc import Sequence

from dask_jobs.interferograms import Interferogram
from infra.errors import InputError, LatticeError
from infra.grid import Grid, Window, intersection, union
from infra.region import Region

Extent = str | Sequence[float]


def stack_grid(interferograms: Sequence[Interferogram], *, extent: Extent, region: Region | None = None) -> Grid:
    """Grid of a stack, on the lattice that all interferograms share.

    Parameters
    ----------
    extent : "intersection", pixels that every interferogram covers; "union", that any does; "area", those of the region;
        or outer edges (left, bottom, right, top), CRS units, which must fall between pixels
    region : cuts the grid in every case

    Raises
    ------
    LatticeError
        If interferograms do not share a lattice, or edges that are given do not fall between pixels.
    InputError
        If no pixel is left, or "area" is asked for without one.
    """
    first = interferograms[0]
    for other in interferograms[1:]:
        difference = first.grid.lattice_difference(other.grid)
        if difference:
            raise LatticeError(
                f"{other.product} and {first.product} do not share a lattice: {difference}",
                "Stack products of one pixel spacing and projection; they are cut to a common grid, never shifted.",
            )
    grids = list(dict.fromkeys(one.grid for one in interferograms))
    if extent == "area" and region is None:
        raise InputError("extent: area needs an area, and the job has none", "Add `area`, or say extent: intersection.")
    if not isinstance(extent, str):
        grid = _edges(first.grid, extent)
    elif extent == "intersection":
        grid = _common(interferograms)
    else:
        grid = union(grids)
    return grid.crop(region.window(grid)) if region else grid


def _common(interferograms: Sequence[Interferogram]) -> Grid:
    grid = interferograms[0].grid
    for other in interferograms[1:]:
        common = intersection([grid, other.grid])
        if not common.pixels:
            raise InputError(
                f"extent: no pixel is common to all interferograms: {other.product} covers {other.grid.bounds}, "
                f"those before have {grid.bounds} in common",
                "Say extent: union, or take products of one frame.",
            )
        grid = common
    return grid


def _edges(lattice: Grid, edges: Sequence[float]) -> Grid:
    left, bottom, right, top = edges
    row, col = (lattice.top - top) / lattice.dy, (left - lattice.left) / lattice.dx
    height, width = (top - bottom) / lattice.dy, (right - left) / lattice.dx
    whole = [round(value) for value in (row, col, height, width)]
    if any(abs(value - near) > 0.001 for value, near in zip((row, col, height, width), whole, strict=True)):
        raise LatticeError(
            f"extent: the edges {list(edges)} do not fall between pixels of {lattice.dx:g} x {lattice.dy:g} "
            f"that begin at {lattice.left:g}, {lattice.top:g}",
            "Give edges on this lattice: products are cut, never shifted.",
        )
    return lattice.crop(Window(*whole))
