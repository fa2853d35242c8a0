"""A stack as a film: the map of each date, alone or beside the growing time series. One stretch for all frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.figures.ground import ground_of
from dask_jobs.figures.map import (
    EDGE,
    DrawnMap,
    Heading,
    draw_map,
    frame_of,
    heading_height,
    place_map,
    write_heading,
)
from dask_jobs.figures.series import time_axis
from dask_jobs.figures.style import LINES, Sheet, say_no_data

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from dask_jobs.figures.map_marks import Shade
    from dask_jobs.figures.picture import Picture
    from dask_jobs.figures.places import Place

SCREEN = 100  # dots per inch of a frame
PANEL = (4.2, 2.6)  # inches: the time series beside the image
LABELS = 0.8  # inches: left of it


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One date of a film: what its title says, and its picture in linear power or whatever else its shade takes."""

    title: str
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class Means:
    """The time series that grows: mean of the area on each date, linear power in, dB drawn.

    Attributes
    ----------
    times : dims (time,), datetime64
    power : dims (time,), linear power, NaN where a date has no data
    label : of the axis
    """

    times: np.ndarray
    power: np.ndarray
    label: str

    @property
    def db(self) -> np.ndarray:
        """10 log10 of the mean power."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.power > 0, 10 * np.log10(self.power), np.nan)


def film(moments: Iterable[Moment], *, shade: Shade, about: str, places: Sequence[Place] = ()) -> Iterator[np.ndarray]:
    """Frames of the map of each date, dims (y, x, 3), uint8, all of one even size; `places` are marked on each."""
    drawn: DrawnMap | None = None
    moving: _Moving | None = None
    for moment in moments:
        if drawn is None or moving is None:
            heading = Heading(title=moment.title, about=about)
            drawn = draw_map(moment.picture, shade=shade, heading=heading, dpi=SCREEN, legend=True, places=places)
            drawn = _prepared(drawn)
            moving = _Moving(drawn.sheet, [drawn.title, drawn.image, *drawn.markers, *drawn.image.axes.texts])
        _change(drawn, moment, shade=shade)
        yield moving.frame()


def film_with_means(moments: Iterable[Moment], means: Means, *, shade: Shade, about: str) -> Iterator[np.ndarray]:
    """Frames of the image of each date beside the means up to then; as `film`."""
    drawn: DrawnMap | None = None
    grown: _Growing | None = None
    moving: _Moving | None = None
    for number, moment in enumerate(moments):
        if drawn is None or grown is None or moving is None:
            drawn, axes = _beside(moment, shade=shade, about=about)
            grown = _Growing(axes, means)
            parts = [drawn.title, drawn.image, *drawn.image.axes.texts, *grown.lines]
            moving = _Moving(drawn.sheet, parts)
        _change(drawn, moment, shade=shade)
        grown.until(number)
        yield moving.frame()


def _beside(moment: Moment, *, shade: Shade, about: str) -> tuple[DrawnMap, Axes]:
    """Sheet with the image and empty axes for the means: to the right, or below where the image is wide."""
    picture, heading = moment.picture, Heading(title=moment.title, about=about)
    ground = ground_of(picture.bounds, crs=picture.grid.crs)
    frame = frame_of(picture, ground, long=4.5)
    wide = frame.width > 5.0
    series = max(PANEL[0], min(frame.width, 8.0)) if wide else PANEL[0]
    body, panel = (frame.body_width, frame.body_height), (LABELS + series + 0.2, PANEL[1] + 0.6)
    if wide:
        width, height, corner = max(body[0], panel[0]), body[1] + 0.25 + panel[1], (0.0, body[1] + 0.25)
    else:
        width, height, corner = body[0] + 0.2 + panel[0], max(body[1], panel[1]), (body[0] + 0.2, 0.0)
    top = EDGE + heading_height(heading, width=width)
    sheet = Sheet(width + 2 * EDGE, top + height + EDGE, dpi=SCREEN)
    title = write_heading(sheet, heading)
    image = place_map(sheet, picture, frame=frame, shade=shade, ground=ground, at=(EDGE, top), legend=True)
    axes = sheet.axes(EDGE + corner[0] + LABELS, top + corner[1], series, PANEL[1])
    return _prepared(DrawnMap(sheet=sheet, image=image, title=title)), axes


class _Moving:
    """A sheet of which some parts change: the rest is drawn once."""

    def __init__(self, sheet: Sheet, parts: Sequence[Artist]) -> None:
        self._sheet, self._parts = sheet, parts
        for part in parts:
            part.set_animated(True)  # left out where the sheet is drawn
        self._still: Any = None

    def frame(self) -> np.ndarray:
        """The sheet as it is now, dims (y, x, 3), uint8."""
        canvas: Any = self._sheet.figure.canvas
        if self._still is None:
            canvas.draw()
            self._still = canvas.copy_from_bbox(self._sheet.figure.bbox)
        canvas.restore_region(self._still)
        for part in self._parts:
            self._sheet.figure.draw_artist(part)
        for part in self._parts:
            if part.axes is not None:  # an image hides the inner half of its frame
                for side in part.axes.spines.values():
                    self._sheet.figure.draw_artist(side)
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class _Growing:
    """Means up to a date, the last one marked; the axes are those of the whole series from the first frame on."""

    def __init__(self, axes: Axes, means: Means) -> None:
        self._means = means
        db = means.db
        axes.grid(visible=True)
        axes.set_ylabel(means.label)
        time_axis(axes, means.times)
        some = db[np.isfinite(db)]
        if some.size:
            room = max(0.08 * float(some.max() - some.min()), 0.5)
            axes.set_ylim(some.min() - room, some.max() + room)
        else:
            say_no_data(axes, width=PANEL[0], height=PANEL[1])
            axes.set_yticks([])
        (self._line,) = axes.plot([], [], color=LINES[0], marker="o", markersize=3)
        (self._now,) = axes.plot([], [], color=LINES[2], marker="o", markersize=9, fillstyle="none", markeredgewidth=2)

    @property
    def lines(self) -> list[Artist]:
        """What moves."""
        return [self._line, self._now]

    def until(self, number: int) -> None:
        times, db = self._means.times, self._means.db
        self._line.set_data(times[: number + 1], db[: number + 1])
        self._now.set_data(times[number : number + 1], db[number : number + 1])


def _prepared(drawn: DrawnMap) -> DrawnMap:
    """The same map with the words "no data" ready to be shown, and those of the first date gone."""
    axes = drawn.image.axes
    for words in list(axes.texts):
        words.remove()
    box: Any = axes.get_position()
    say_no_data(axes, width=box.width * drawn.sheet.width, height=box.height * drawn.sheet.height)
    return drawn


def _change(drawn: DrawnMap, moment: Moment, *, shade: Shade) -> None:
    """Put another date on the map."""
    shown: Any = drawn.image.get_array()
    values = shade.seen(moment.picture.at_most(max(shown.shape)))
    drawn.image.set_data(values)
    drawn.title.set_text(moment.title)
    for words in drawn.image.axes.texts:
        words.set_visible(moment.picture.empty)
