"""A map of one raster: image on its grid, coordinates, scale, north, colours and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.figures.ground import Ground, ground_of
from dask_jobs.figures.map_marks import BAR, MARKS, Shade, colour_bar, marks, show
from dask_jobs.figures.places import Place, key_height, mark_places, place_key
from dask_jobs.figures.style import BODY, DPI, QUIET, TITLE, Sheet, lines_height, wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

    from dask_jobs.figures.picture import Picture

EDGE = 0.15  # inches, around everything
LEFT, BELOW = 0.95, 0.55  # inches: for labels of coordinates
SIDE = 1.25  # inches: for a colour bar with its label, upright
LONG, LONGEST, SHORT = 6.0, 10.0, 0.6  # inches: sides of an image
LONGEST_BAR, LYING_BAR = 3.2, 3.2  # inches: length of a colour bar


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What stands above a figure: a title, and below it quietly where the data are from."""

    title: str
    about: str = ""

    def with_more(self, words: str) -> Heading:
        """The same with another line below what it is about."""
        return Heading(title=self.title, about="\n".join(line for line in (self.about, words) if line))


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Sizes of a map in inches, from the raster's shape on the ground.

    Attributes
    ----------
    width, height : of the image
    upright : whether the colour bar stands beside the image (else it lies below)
    aside : whether scale and legend stand beside the image too: it is too narrow for them below
    """

    width: float
    height: float
    upright: bool
    aside: bool

    @property
    def body_width(self) -> float:
        """Everything from the first to the last column."""
        beside = LEFT + self.width + 0.15 + SIDE if self.upright else 0.0
        below = LEFT + MARKS[0] + (0.0 if self.upright else LYING_BAR + 0.7)
        wide = LEFT + self.width + 0.25
        return max(beside, wide, 0.0 if self.aside else below)

    @property
    def body_height(self) -> float:
        """Everything from the image's first row to the last line below it."""
        below = 0.0 if self.aside else MARKS[1] + (0.0 if self.upright else 0.25)
        return max(self.height + BELOW + below, 4.6 if self.aside else 0.0)


def frame_of(picture: Picture, ground: Ground, *, long: float = LONG, longest: float = LONGEST) -> Frame:
    """Sizes for a raster: `long` inches, more where it is so narrow that its short side would vanish."""
    left, bottom, right, top = picture.bounds
    ratio = (right - left) * ground.metres_x / ((top - bottom) * ground.metres_y)
    side = min(longest, max(long, SHORT * max(ratio, 1 / ratio)))
    width, height = (side, side / ratio) if ratio >= 1 else (side * ratio, side)
    width, height = max(width, 0.2), max(height, 0.2)
    return Frame(width=width, height=height, upright=height >= 1.9, aside=width < MARKS[0] and height >= 4)


@dataclass(frozen=True, kw_only=True)
class DrawnMap:
    """A map, what an animation changes in it, and the markers that lie on what it changes."""

    sheet: Sheet
    image: AxesImage
    title: Text
    markers: tuple[Artist, ...] = ()


def draw_map(
    picture: Picture,
    *,
    shade: Shade,
    heading: Heading,
    dpi: int = DPI,
    legend: bool | None = None,
    places: Sequence[Place] = (),
) -> DrawnMap:
    """Map of a picture.

    Parameters
    ----------
    legend : whether no data is explained; by default where there is some
    places : to be marked, and explained in a legend below
    """
    ground = ground_of(picture.bounds, crs=picture.grid.crs)
    frame = frame_of(picture, ground)
    width = max(frame.body_width, 4.6) + 2 * EDGE
    top = EDGE + heading_height(heading, width=width - 2 * EDGE)
    below = key_height(places, width=width - 2 * EDGE - LEFT)
    sheet = Sheet(width, top + frame.body_height + below + EDGE, dpi=dpi)
    title = write_heading(sheet, heading)
    if legend is None:
        legend = bool(np.isnan(shade.seen(picture)).any())
    image = place_map(sheet, picture, frame=frame, shade=shade, ground=ground, at=(EDGE, top), legend=legend)
    markers = mark_places(image.axes, places)
    place_key(sheet, markers, places, at=(EDGE + LEFT, top + frame.body_height), width=width - 2 * EDGE - LEFT)
    return DrawnMap(sheet=sheet, image=image, title=title, markers=tuple(markers))


def place_map(
    sheet: Sheet, picture: Picture, *, frame: Frame, shade: Shade, ground: Ground, at: tuple[float, float], legend: bool
) -> AxesImage:
    """Put image, colour bar and marks on a sheet, their upper left corner at `at`."""
    image = place_image(sheet, picture, frame=frame, shade=shade, ground=ground, at=at, aside=MARKS[0] + 0.3)
    left, top = at[0] + LEFT, at[1]
    scale = (picture.bounds[2] - picture.bounds[0]) * ground.metres_x / frame.width
    beside = left + frame.width + 0.15, top + min(frame.height, LONGEST_BAR) + 0.3
    place = beside if frame.aside else (left, top + frame.height + BELOW)
    marks(sheet, ground=ground, scale=scale, left=place[0], top=place[1], upright=frame.aside, legend=legend)
    return image


def place_image(
    sheet: Sheet,
    picture: Picture,
    *,
    frame: Frame,
    shade: Shade,
    ground: Ground,
    at: tuple[float, float],
    aside: float = 0.0,
) -> AxesImage:
    """Put image and colour bar on a sheet; one that lies below the image begins `aside` inches to the right."""
    left, top = at[0] + LEFT, at[1]
    size = {"width": frame.width, "height": frame.height}
    axes = sheet.axes(left, top, **size)
    image = show(axes, picture.at_most(_pixels(sheet, frame)), shade=shade, ground=ground, **size)
    if frame.upright:
        length = min(frame.height, LONGEST_BAR)
        colour_bar(sheet, image, shade, left=left + frame.width + 0.15, top=top, length=length, upright=True)
    else:
        below = top + frame.height + BELOW + BAR / 2
        colour_bar(sheet, image, shade, left=left + aside, top=below, length=LYING_BAR, upright=False)
    return image


def heading_height(heading: Heading, *, width: float) -> float:
    """Inches that a heading takes, with the gap below it."""
    title = lines_height(wrapped(heading.title, width=width, size=TITLE), size=TITLE)
    return title + lines_height(wrapped(heading.about, width=width), size=BODY) + 0.12


def write_heading(sheet: Sheet, heading: Heading) -> Text:
    """Title and what is below it; the title is returned."""
    width = sheet.width - 2 * EDGE
    words = wrapped(heading.title, width=width, size=TITLE)
    title = sheet.text(EDGE, EDGE, words, size=TITLE, weight="bold")
    about = wrapped(heading.about, width=width)
    sheet.text(EDGE, EDGE + lines_height(words, size=TITLE) + 0.02, about, color=QUIET)
    return title


def _pixels(sheet: Sheet, frame: Frame) -> int:
    """Pixels of the image's longer side on the sheet: a picture with more is averaged here, in power or as it is."""
    return max(1, int(max(frame.width, frame.height) * sheet.figure.dpi))
