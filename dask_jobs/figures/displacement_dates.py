"""Displacement on every date: a sheet of small maps, and a film. One stretch for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.figures.animation import Moment, film
from dask_jobs.figures.ground import ground_of
from dask_jobs.figures.map import EDGE, LONGEST_BAR, LYING_BAR, SIDE, Heading, heading_height, write_heading
from dask_jobs.figures.map_marks import BAR, colour_bar, no_data_patch, paint
from dask_jobs.figures.style import SMALL, Sheet

if TYPE_CHECKING:
    from matplotlib.image import AxesImage

    from dask_jobs.figures.map_marks import Shade
    from dask_jobs.figures.picture import Picture
    from dask_jobs.figures.places import Place

ROOM = (11.0, 10.0)  # inches: for all small maps
CELL, GAP, NAME = 0.85, 0.1, 0.22  # inches: least width of a map with its date; between maps; height of a date
LARGE, LEAST, THIN = 3.0, 0.7, 0.08  # inches: longer side of a small map at most and at least; shorter side at least
BESIDE = 1.9  # inches: from this height on the colour bar stands beside the maps
PATCH, PATCH_HIGH, BAR_BELOW = 1.1, 0.25, 0.75  # inches: legend of no data; room for it, or for a bar, below the maps


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How small maps are laid out.

    Attributes
    ----------
    every : of how many dates one is drawn
    columns, rows : of maps
    width, height : of an image, inches
    """

    every: int
    columns: int
    rows: int
    width: float
    height: float

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height that a map takes with its date and the gaps."""
        return max(self.width, CELL) + GAP, self.height + NAME + GAP


def tiling_of(number: int, *, ratio: float) -> Tiling:
    """The largest small maps that fit; of every second, third, ... date where they would be too small.

    Parameters
    ----------
    number : of dates
    ratio : width by height on the ground
    """
    every = 1
    while True:
        found = [_tiling(number, every, columns, ratio=ratio) for columns in range(1, math.ceil(number / every) + 1)]
        fitting = [one for one in found if one is not None]
        if fitting:
            return max(
                fitting, key=lambda one: (round(one.width * one.height, 6), -one.rows * one.columns, one.columns)
            )
        every += 1


def _tiling(number: int, every: int, columns: int, *, ratio: float) -> Tiling | None:
    """Maps in so many columns; None where they would be too small."""
    rows = math.ceil(math.ceil(number / every) / columns)
    width, height = ROOM[0] / columns - GAP, ROOM[1] / rows - GAP - NAME
    side = min(LARGE, width if ratio >= 1 else width / ratio, height * ratio if ratio >= 1 else height)
    size = (side, max(side / ratio, THIN)) if ratio >= 1 else (max(side * ratio, THIN), side)
    if min(width, height) < THIN or (columns > 1 and (side < LEAST or width < CELL)):
        return None
    return Tiling(every=every, columns=columns, rows=rows, width=size[0], height=size[1])


def draw_dates(days: Sequence[date], picture_of: Callable[[int], Picture], *, shade: Shade, heading: Heading) -> Sheet:
    """Small maps of all dates, as many as fit; the heading says so where it is not all.

    Parameters
    ----------
    picture_of : picture of the n-th date, all of one raster; in memory is one at a time
    shade : of all of them (`dask_jobs.figures.displacement_shades.displacement_shade`)
    """
    last = picture_of(len(days) - 1)
    ground = ground_of(last.bounds, crs=last.grid.crs)
    left, bottom, right, top = last.bounds
    tiling = tiling_of(len(days), ratio=(right - left) * ground.metres_x / ((top - bottom) * ground.metres_y))
    if tiling.every > 1:
        heading = heading.with_more(f"every {_ordinal(tiling.every)} of the {len(days)} dates, the last among them")
    board = _Board(tiling, heading)
    for number, step in enumerate(range((len(days) - 1) % tiling.every, len(days), tiling.every)):
        board.add(number, picture_of(step), name=f"{days[step]:%Y-%m-%d}", shade=shade)
    board.finish(shade)
    return board.sheet


class _Board:
    """A sheet on which small maps are put one after the other."""

    def __init__(self, tiling: Tiling, heading: Heading) -> None:
        size = tiling.columns * tiling.cell[0], tiling.rows * tiling.cell[1]
        self._beside = size[1] >= BESIDE
        width = max(size[0] + 0.1 + SIDE if self._beside else size[0], PATCH + LYING_BAR + 0.3, 4.6)
        top = EDGE + heading_height(heading, width=width)
        below = PATCH_HIGH if self._beside else BAR_BELOW
        self.sheet = Sheet(width + 2 * EDGE, top + size[1] + below + EDGE)
        write_heading(self.sheet, heading)
        self._tiling, self._size, self._top = tiling, size, top
        self._image: AxesImage | None = None
        self._holes = False

    def add(self, number: int, picture: Picture, *, name: str, shade: Shade) -> None:
        """The n-th map, in its row and column."""
        tiling = self._tiling
        row, column = divmod(number, tiling.columns)
        middle = EDGE + column * tiling.cell[0] + (tiling.cell[0] - GAP) / 2
        top = self._top + row * tiling.cell[1]
        size = {"width": tiling.width, "height": tiling.height}
        axes = self.sheet.axes(middle - tiling.width / 2, top + NAME, **size)
        axes.set_xticks([])
        axes.set_yticks([])
        small = picture.at_most(max(1, int(max(size.values()) * self.sheet.figure.dpi)))
        self._image = paint(axes, small, shade=shade, **size)
        self._holes = self._holes or bool(np.isnan(shade.seen(small)).any())
        self.sheet.text(middle, top + 0.03, name, size=SMALL, ha="center")

    def finish(self, shade: Shade) -> None:
        """Colour bar and, where it is needed, what the colour of no data means."""
        bottom = self._top + self._size[1]
        if self._image is not None and self._beside:
            left, length = EDGE + self._size[0] + 0.1, min(self._size[1] - NAME - GAP, LONGEST_BAR)
            colour_bar(self.sheet, self._image, shade, left=left, top=self._top + NAME, length=length, upright=True)
        elif self._image is not None:
            colour_bar(
                self.sheet, self._image, shade, left=EDGE + PATCH, top=bottom + BAR, length=LYING_BAR, upright=False
            )
        if self._holes:
            no_data_patch(self.sheet, left=EDGE, top=bottom + 0.03)


def displacement_film(
    days: Sequence[date],
    picture_of: Callable[[int], Picture],
    *,
    shade: Shade,
    about: str,
    places: Sequence[Place] = (),
) -> Iterator[np.ndarray]:
    """Frames of the displacement of each date, dims (y, x, 3), uint8, all of one even size; as `draw_dates`."""
    moments = (Moment(title=f"Displacement on {day:%Y-%m-%d}", picture=picture_of(n)) for n, day in enumerate(days))
    return film(moments, shade=shade, about=about, places=places)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
