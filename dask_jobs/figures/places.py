"""Places on a map that are worth a marker, and the legend that says what they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dask_jobs.figures.style import EM, INK, SMALL, Sheet, wrapped
from infra.grid import Grid

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SIGN = 0.45  # inches: of a marker in the legend, with the gaps around it
ROW = 0.2, 0.14  # inches: of a legend's row with one line, and of every further line


@dataclass(frozen=True, kw_only=True)
class Place:
    """A point, and what its legend says.

    Attributes
    ----------
    x, y : CRS units
    marker, colour : as matplotlib calls them
    """

    x: float
    y: float
    name: str
    marker: str = "s"
    colour: str = INK


def reference_place(grid: Grid, *, row: int, col: int) -> Place:
    """The pixel of a raster on `grid` whose displacement is zero by definition."""
    x, y = grid.left + (col + 0.5) * grid.dx, grid.top - (row + 0.5) * grid.dy
    return Place(x=x, y=y, name="reference pixel")


def mark_places(axes: Axes, places: Sequence[Place]) -> list[Artist]:
    """Markers on a map, with a white edge that stands out on every colour map."""
    found: list[Artist] = []
    for place in places:
        found += axes.plot(
            [place.x],
            [place.y],
            linestyle="none",
            marker=place.marker,
            markersize=7,
            color=place.colour,
            markeredgecolor="white",
            markeredgewidth=1.2,
            zorder=8,
        )
    return found


def key_height(places: Sequence[Place], *, width: float) -> float:
    """Inches that the legend of places takes."""
    if not places:
        return 0.0
    names, columns = _arranged(places, width=width)
    lines = max(name.count("\n") for name in names)
    return math.ceil(len(places) / columns) * (ROW[0] + lines * ROW[1])


def place_key(
    sheet: Sheet, markers: Sequence[Artist], places: Sequence[Place], *, at: tuple[float, float], width: float
) -> None:
    """Legend of places, its upper left corner `at`, at most `width` inches wide."""
    if not places:
        return
    names, columns = _arranged(places, width=width)
    sheet.figure.legend(
        markers,
        names,
        loc="upper left",
        bbox_to_anchor=(at[0] / sheet.width, 1 - at[1] / sheet.height),
        ncols=columns,
        borderaxespad=0,
        borderpad=0.1,
        handlelength=1.0,
    )


def _arranged(places: Sequence[Place], *, width: float) -> tuple[list[str], int]:
    """Names in lines that are not too long, and the number of columns in which they fit."""
    names = [wrapped(place.name, width=width - SIGN, size=SMALL) for place in places]
    longest = max(len(line) for name in names for line in name.splitlines())
    return names, max(1, min(len(places), int(width / (SIGN + longest * EM[SMALL] * SMALL / 72))))
