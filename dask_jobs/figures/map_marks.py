"""What makes a raster a map: ticks, scale bar, north arrow, colour bar and the patch that explains no data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dask_jobs.figures.ground import Ground, round_length, ticks
from dask_jobs.figures.style import BODY, GREY, INK, NO_DATA, QUIET, SMALL, Sheet, say_no_data, signed, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.image import AxesImage

    from dask_jobs.figures.picture import Bounds, Picture

MARKS = (2.9, 0.5)  # inches: width and height of scale bar, north arrow and legend side by side
BAR = 0.14  # inches: thickness of a colour bar
EMPTY = "no data"


@dataclass(frozen=True, kw_only=True)
class Shade:
    """How values become colours.

    Attributes
    ----------
    low, high : values of the first and last colour
    label : of the colour bar, with unit and stretch
    colours : name of the colour map
    cut : where values may lie beyond the stretch
    whole : whether only whole numbers are worth a tick
    decibel : whether the picture is linear power, to be shown in dB
    scale : what the picture's values are multiplied by to have the label's unit (100 from m to cm)
    cycle : after how much, in the label's unit, colours repeat; only then may values go round from `high` to `low`
    """

    low: float
    high: float
    label: str
    colours: str = GREY
    cut: Literal["neither", "both", "max"] = "both"
    whole: bool = False
    decibel: bool = False
    scale: float = 1.0
    cycle: float | None = None

    def seen(self, picture: Picture) -> np.ndarray:
        """What is drawn of a picture, dims (y, x): its values in the label's unit, or 10 log10 of them; NaN no data."""
        if self.decibel:
            return picture.in_db().values
        values = picture.values if self.scale == 1 else picture.values * np.float32(self.scale)
        # wrapped here, behind all averaging: the mean of wrapped values is none of them
        return values if self.cycle is None else self.low + np.mod(values - self.low, self.cycle)


def show(axes: Axes, picture: Picture, *, shade: Shade, ground: Ground, width: float, height: float) -> AxesImage:
    """Draw a picture with its coordinates into axes of that size in inches; north-up, no data in sand."""
    image = paint(axes, picture, shade=shade, width=width, height=height)
    coordinate_ticks(axes, picture.bounds, ground=ground, width=width, height=height)
    return image


def paint(axes: Axes, picture: Picture, *, shade: Shade, width: float, height: float) -> AxesImage:
    """Draw a picture alone into axes of that size in inches, whose coordinates become those of its CRS."""
    import matplotlib as mpl

    colours = mpl.colormaps[shade.colours].with_extremes(bad=NO_DATA)
    left, bottom, right, top = picture.grid.bounds
    image = axes.imshow(
        shade.seen(picture),
        cmap=colours,
        vmin=shade.low,
        vmax=shade.high,
        extent=(left, right, bottom, top),
        aspect="auto",
    )
    axes.set_xlim(picture.bounds[0], picture.bounds[2])
    axes.set_ylim(picture.bounds[1], picture.bounds[3])
    if picture.empty:
        say_no_data(axes, width=width, height=height)
    return image


def coordinate_ticks(axes: Axes, bounds: Bounds, *, ground: Ground, width: float, height: float) -> None:
    """Round coordinates at the edges of axes of that size in inches, in the units of the CRS."""
    left, bottom, right, top = (value / ground.unit for value in bounds)
    for axis, low, high, most in (
        (axes.xaxis, left, right, max(1, int(width / 0.85))),
        (axes.yaxis, bottom, top, max(2, int(height / 0.55))),
    ):
        places, decimals = ticks(low, high, most=min(most, 8))
        axis.set_ticks([place * ground.unit for place in places], [signed(f"{p:.{decimals}f}") for p in places])
    axes.set_xlabel(ground.x_label)
    axes.set_ylabel(ground.y_label)


def colour_bar(
    sheet: Sheet, image: ScalarMappable, shade: Shade, *, left: float, top: float, length: float, upright: bool
) -> None:
    """Colours and what they mean; `length` inches long, `BAR` thick, its label beside it or below."""
    from matplotlib.ticker import MaxNLocator

    size = (BAR, length) if upright else (length, BAR)
    axes = sheet.axes(left, top, *size)
    bar = sheet.figure.colorbar(
        image,
        cax=axes,
        orientation="vertical" if upright else "horizontal",
        extend=shade.cut,
        extendfrac=0.08 / length,
    )
    most = max(2, int(length / (0.4 if upright else 0.6)))
    bar.locator = MaxNLocator(nbins=min(most, 8), steps=[1, 2, 5, 10], integer=shade.whole)
    bar.update_ticks()
    bar.set_label(wrapped(shade.label, width=length, size=BODY), fontsize=BODY)
    bar.outline.set_linewidth(0.5)


def marks(sheet: Sheet, *, ground: Ground, scale: float, left: float, top: float, upright: bool, legend: bool) -> None:
    """North arrow, scale bar and the legend of no data, side by side or (upright) one below the other.

    Parameters
    ----------
    scale : metres on the ground per inch of the map along x
    """
    places = [(0.0, 0.0), (0.0, 0.75), (0.0, 1.35)] if upright else [(0.0, 0.0), (0.65, 0.05), (2.05, 0.05)]
    _north(sheet, ground.north, left=left + places[0][0], top=top + places[0][1])
    _scale_bar(sheet, scale, left=left + places[1][0], top=top + places[1][1])
    if legend:
        no_data_patch(sheet, left=left + places[2][0], top=top + places[2][1])


def _north(sheet: Sheet, angle: float, *, left: float, top: float) -> None:
    """Arrow to true north, half an inch high."""
    box = sheet.blank(left, top, 0.5, 0.5)
    dx, dy = math.sin(math.radians(angle)), -math.cos(math.radians(angle))
    x, y, arm = 0.25, 0.25, 0.2
    box.annotate(
        "",
        xy=(x + arm * dx * 0.35, y + arm * dy * 0.35),
        xytext=(x - arm * dx, y - arm * dy),
        arrowprops={
            "arrowstyle": "-|>,head_width=0.28,head_length=0.5",
            "color": INK,
            "lw": 1.1,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )
    box.text(x + arm * dx * 0.85, y + arm * dy * 0.85, "N", ha="center", va="center", fontsize=SMALL, rotation=-angle)


def _scale_bar(sheet: Sheet, scale: float, *, left: float, top: float) -> None:
    """A round length of at most 1.15 inches."""
    metres = round_length(1.15 * scale)
    inches = metres / scale
    box = sheet.blank(left, top, 1.3, 0.4)
    box.barh([0.1, 0.1], [inches / 2] * 2, left=[0.03, 0.03 + inches / 2], height=0.06, color=[INK, "white"], edgecolor=INK, linewidth=0.7)  # fmt: skip
    words = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    box.text(0.03 + inches / 2, 0.19, words, ha="center", va="top", fontsize=SMALL)


def no_data_patch(sheet: Sheet, *, left: float, top: float) -> None:
    """What the colour of no data means."""
    from matplotlib.patches import Rectangle

    box = sheet.blank(left, top, 0.85, 0.3)
    box.add_patch(Rectangle((0.01, 0.03), 0.18, 0.14, facecolor=NO_DATA, edgecolor=QUIET, linewidth=0.5))
    box.text(0.26, 0.1, EMPTY, va="center", fontsize=SMALL)
