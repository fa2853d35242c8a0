"""How often values occur: of one date in power and in dB beside its image, and of the coefficient of variation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.figures.ground import ground_of
from dask_jobs.figures.map import (
    BELOW,
    EDGE,
    LEFT,
    SIDE,
    Frame,
    Heading,
    frame_of,
    heading_height,
    place_image,
    write_heading,
)
from dask_jobs.figures.map_marks import no_data_patch
from dask_jobs.figures.style import LINES, QUIET, SMALL, Sheet, say_no_data, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dask_jobs.figures.bins import Histogram
    from dask_jobs.figures.map_marks import Shade
    from dask_jobs.figures.picture import Picture

PANEL = (3.6, 2.3)  # inches: a histogram
PANEL_LEFT, PANEL_ABOVE, PANEL_BELOW = 0.75, 0.4, 0.6  # inches: for its labels
BAR_BELOW = 0.8  # inches: a colour bar that lies below its image
BARS = 90  # of a histogram at most: narrower ones are noise


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two ways to look at a date: linear power or dB."""

    shade: Shade
    histogram: Histogram
    unit: str


def draw_date(picture: Picture, sides: tuple[Side, Side], *, heading: Heading) -> Sheet:
    """Images of one date (a picture in linear power) in power and in dB, each with the histogram of all its pixels."""
    ground = ground_of(picture.bounds, crs=picture.grid.crs)
    frame = frame_of(picture, ground, long=3.2)
    if frame.width < 1.2:
        frame = frame_of(picture, ground, long=5.5)
    places, (width, height) = _arranged(frame)
    width = max(width, 6.0)
    top = EDGE + heading_height(heading, width=width)
    holes = any(np.isnan(side.shade.seen(picture)).any() for side in sides)
    sheet = Sheet(width + 2 * EDGE, top + height + 0.25 * holes + EDGE)
    write_heading(sheet, heading)
    if holes:
        no_data_patch(sheet, left=EDGE + LEFT, top=top + height)
    for side, (image, panel) in zip(sides, places, strict=True):
        at = EDGE + image[0], top + image[1]
        place_image(sheet, picture, frame=frame, shade=side.shade, ground=ground, at=at)
        axes = sheet.axes(EDGE + panel[0] + PANEL_LEFT, top + panel[1] + PANEL_ABOVE, *PANEL)
        _histogram(axes, side)
    return sheet


def _arranged(frame: Frame) -> tuple[list[tuple[tuple[float, float], tuple[float, float]]], tuple[float, float]]:
    """Corners of (image, histogram) of both sides, and the size of it all: one per row, or as the image's shape asks."""
    cell = LEFT + frame.width + 0.15 + (SIDE if frame.upright else 0.1)
    row = frame.height + BELOW + (0.1 if frame.upright else BAR_BELOW)
    panel = PANEL_LEFT + PANEL[0] + 0.1, PANEL_ABOVE + PANEL[1] + PANEL_BELOW
    if not frame.upright:  # wide: images below one another, then the histograms side by side
        return [((0.0, i * row), (i * (panel[0] + 0.3), 2 * row)) for i in (0, 1)], (
            max(cell, 2 * panel[0] + 0.3),
            2 * row + panel[1],
        )
    if frame.aside:  # tall: everything side by side
        beside = 2 * cell
        return [((i * cell, 0.0), (beside, i * (panel[1] + 0.2))) for i in (0, 1)], (
            beside + panel[0],
            max(row, 2 * panel[1] + 0.2),
        )
    high = max(row, panel[1] + 0.1)
    return [((0.0, i * high), (cell, i * high)) for i in (0, 1)], (cell + panel[0], 2 * high)


def _histogram(axes: Axes, side: Side) -> None:
    axes.set_xlabel(f"{side.unit}")
    axes.grid(visible=True)
    if not side.histogram.total:
        say_no_data(axes, width=PANEL[0], height=PANEL[1])
        axes.set_xticks([])
        axes.set_yticks([])
        return
    low, high = _span(side.histogram, lower=0.1, upper=99.5)
    room = 0.04 * (side.shade.high - side.shade.low)  # so that the lines of the stretch stand free
    low = max(side.histogram.start, min(low, side.shade.low - room))
    high = max(high, side.shade.high + room)
    _bars(axes, side.histogram, low=low, high=high)
    for place in (side.shade.low, side.shade.high):
        axes.axvline(place, color=LINES[2], linewidth=1.0, linestyle=(0, (4, 2)))
    _note(axes, side.histogram, low=low, high=high, more="dashed: the image's stretch")


def _bars(axes: Axes, histogram: Histogram, *, low: float, high: float) -> None:
    """Share of the pixels in bins that are a whole number of the counted ones."""
    merge = max(1, int(np.ceil((high - low) / histogram.width / BARS)))
    usable = histogram.counts.size // merge * merge
    counts = histogram.counts[:usable].reshape(-1, merge).sum(axis=1)
    edges = histogram.edges[: usable + 1 : merge]
    axes.stairs(100 * counts / histogram.total, edges, fill=True, color="#6b8fb3")
    axes.set_xlim(low, high)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"pixels (% per {histogram.width * merge:.2g})")


def _span(histogram: Histogram, *, lower: float, upper: float) -> tuple[float, float]:
    """Values between which most lie, with a little room."""
    low, high = histogram.percentile(lower), histogram.percentile(upper)
    low, high = (0.0, 1.0) if low is None or high is None else (low, high)
    room = max(0.03 * (high - low), 3 * histogram.width)
    return max(low - room, histogram.start), high + room


def _note(axes: Axes, histogram: Histogram, *, low: float, high: float, more: str) -> None:
    """Number of pixels, and how many the axis leaves out."""
    edges = histogram.edges
    seen = histogram.counts[(edges[:-1] >= low - histogram.width) & (edges[1:] <= high + histogram.width)].sum()
    hidden = 100 * (1 - seen / histogram.total)
    out = f"; {hidden:.1f} % beyond the axis" if hidden >= 0.05 else ""
    words = f"{histogram.total:,} pixels{out}".replace(",", "\u202f")
    axes.set_title(f"{words}\n{more}" if more else words, fontsize=SMALL, color=QUIET, loc="left")


@dataclass(frozen=True, kw_only=True)
class CovLimits:
    """What to mark in the distribution of the coefficient of variation; None where it is not known.

    Attributes
    ----------
    threshold, upper : pixels between them are kept
    floor : speckle floor, and `floor_words` where it comes from ("4.4 looks, estimated")
    """

    threshold: float | None = None
    threshold_words: str = ""
    upper: float | None = None
    floor: float | None = None
    floor_words: str = ""

    @property
    def lines(self) -> list[tuple[float, str, str, str]]:
        """(value, label, colour, dashes) of each."""
        found = []
        if self.floor is not None:
            found.append(
                (self.floor, f"speckle floor {self.floor:.3g}{_in_brackets(self.floor_words)}", LINES[1], "--")
            )
        if self.threshold is not None:
            words = f"threshold {self.threshold:.3g}{_in_brackets(self.threshold_words)}"
            found.append((self.threshold, words, LINES[2], "-"))
        if self.upper is not None:
            found.append((self.upper, f"left out above {self.upper:.3g}", LINES[4], ":"))
        return found


def draw_cov(histogram: Histogram, *, limits: CovLimits, heading: Heading) -> Sheet:
    """Histogram and cumulative distribution of the coefficient of variation of all pixels, with what limits it."""
    width, gap = 2 * (PANEL_LEFT + PANEL[0]) + 0.35, PANEL_LEFT + PANEL[0] + 0.25
    top = EDGE + heading_height(heading, width=width) + 0.3
    legend = 0.2 * len(limits.lines) + (0.1 if limits.lines else 0)
    sheet = Sheet(width + 2 * EDGE, top + PANEL[1] + PANEL_BELOW + legend + EDGE)
    write_heading(sheet, heading)
    left = sheet.axes(EDGE + PANEL_LEFT, top, *PANEL)
    right = sheet.axes(EDGE + gap + PANEL_LEFT, top, *PANEL)
    for axes in (left, right):
        axes.set_xlabel("coefficient of variation (std / mean over time)")
        axes.grid(visible=True)
    if not histogram.total:
        for axes in (left, right):
            say_no_data(axes, width=PANEL[0], height=PANEL[1])
            axes.set_xticks([])
            axes.set_yticks([])
        return sheet
    high = max([_span(histogram, lower=0, upper=99.5)[1], *(1.05 * line[0] for line in limits.lines)])
    _bars(left, histogram, low=0.0, high=high)
    _note(left, histogram, low=0.0, high=high, more="")
    share = 100 * (histogram.below + np.cumsum(histogram.counts)) / histogram.total
    right.plot(histogram.edges, np.concatenate([[0], share]), color=LINES[0])
    right.set_xlim(0, high)
    right.set_ylim(0, 102)
    right.set_ylabel("pixels at or below (%)")
    handles = [_line(left, right, *line) for line in limits.lines]
    if handles:
        at = (EDGE + PANEL_LEFT) / sheet.width, (EDGE + legend) / sheet.height
        sheet.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=at, borderaxespad=0, borderpad=0)
    return sheet


def _line(left: Axes, right: Axes, value: float, words: str, colour: str, dashes: str) -> object:
    right.axvline(value, color=colour, linestyle=dashes)
    return left.axvline(value, color=colour, linestyle=dashes, label=words)


def _in_brackets(words: str) -> str:
    return f" ({words})" if words else ""


def power_shade(shade: Shade, *, label: str) -> Shade:
    """The shade of linear power whose white is the white of a shade of dB."""
    high = 10 ** (shade.high / 10)
    return replace(shade, low=0.0, high=high, label=signed(f"{label}, 0 to {high:.3g}"), cut="max", decibel=False)
